// SPDX-License-Identifier: Apache-2.0
#include "cluster/put/edit_runner.h"

#include <optional>
#include <utility>

#include "base/check.h"
#include "cluster/version/context.h"

namespace kvorum::cluster {

using Verdict = EditOutput::Verdict;

EditOutput EditRunner::run(Operation& operation, const Object& object, Now now) {
  const Request& request = operation.request();
  KVORUM_CHECK(request.edit < core_.parts.edits.size());
  const uint64_t now_ms = core_.clock_ms(now);
  const InlineVector<Version, 1> visible = visible_versions(object, now_ms);
  operation.writing.saw_siblings = visible.size() > 1;
  const EditInput input{.key = request.key,
                        .object = object,
                        .visible = visible,
                        .now_ms = now_ms,
                        .origin = operation.forwarded.origin,
                        .may_be_evicted = core_.own.may_be_evicted(request.key.keyspace),
                        .argument = request.argument,
                        .value = request.value,
                        .value_bytes_max = core_.options.value_bytes_max};
  return core_.parts.edits[request.edit].apply(input, core_.edit_scratch);
}

void EditRunner::keep_reply(Operation& operation, const EditOutput& edit) {
  operation.writing.edit = edit;
  operation.writing.reply_storage.assign(edit.reply_bytes);
  operation.writing.edit.reply_bytes = operation.writing.reply_storage;
}

// Who else holds the bytes of a new version. Large ones that the edit made get an owner.
const SharedBytes* EditRunner::find_owner(std::string_view bytes, Operation& operation,
                                          const Object& object) {
  const SharedBytes* const owner = operation.request().value_owner;
  if (worth_sharing(bytes, owner)) return owner;
  if (const SharedBytes* const held = owner_of(bytes, object)) return held;
  if (!is_within(bytes, core_.edit_scratch)) return nullptr;
  operation.writing.made = share(std::exchange(core_.edit_scratch, {}));  // which lies where it lay
  return &operation.writing.made;
}

namespace {

// The client's own name for what it wrote, unless there are or may be versions that only a name of
// their own tells apart.
void name_version(uint64_t origin, const Object& object, Version& version) {
  if (origin != 0 && !version.retried && !object.find_spent(origin)) {
    version.origin = origin;
  } else {
    version.marks &= static_cast<uint8_t>(~kMarkNamed);
  }
}

}  // namespace

Version EditRunner::make_version(Operation& operation, const EditOutput& edit, const Object& object,
                                 uint64_t now_ms) {
  Version version;
  version.origin = operation.forwarded.origin;
  version.retried = operation.is_retry();
  // Nobody would ever see it.
  if (edit.deadline_ms != 0 && edit.deadline_ms <= now_ms) {
    version.type = TypeTag::kTombstone;
    return version;
  }
  version.type = edit.type;
  version.flags = edit.flags;
  version.deadline_ms = edit.deadline_ms;
  version.bytes = edit.bytes;
  version.marks = edit.marks;
  if (edit.bytes.size() >= kSharedBytesMin) [[unlikely]]
    version.owner = find_owner(edit.bytes, operation, object);
  if (edit.marks & kMarkNamed) name_version(edit.origin, object, version);
  if (edit.keep_origin) {
    const InlineVector<Version, 1> visible = visible_versions(object, now_ms);
    // A twin that comes later, with the old deadline, would pass for the same version.
    const bool keeps = !visible.empty() && !may_have_twins(object, visible[0].origin);
    if (keeps) version.origin = origin_of(visible[0]);
    if (!visible.empty()) version.marks |= visible[0].marks;
    if (!keeps) version.marks &= static_cast<uint8_t>(~kMarkNamed);
  }
  return version;
}

// Another coordinator ran the request, and what it made was replaced since: it must not come on top
// of that. What replaced it is what W replicas have to have.
EditRunner::Applied EditRunner::keep_replaced(Operation& operation, const SpentOrigin& spent) {
  const Request& request = operation.request();
  const Context given = request.has_context ? *request.context : Context{};
  operation.writing.was_stored = true;
  if (request.wants_context) operation.writing.new_context = context_after_put(given, spent.dot);
  return Applied::kStored;
}

// What was read a while ago may have been replaced, and that forgotten, since. Whether the object
// has more than it had.
bool EditRunner::merge_reading(const Operation& operation, Object& object) {
  KVORUM_CHECK(operation.reading.held.is_set());
  Object read = operation.reading.held.object();
  drop_dead(read, object, core_.own.frontier_of(operation.request().key));
  const bool grown = !object.vector.covers_all(read.vector);
  object = merge(object, read);
  return grown;
}

EditRunner::Applied EditRunner::apply(Operation& operation, Record& record, Now now) {
  Writing& writing = operation.writing;
  Object& object = record.object;
  const bool grown = operation.reading.held.is_set() && merge_reading(operation, object);
  if (core_.lww(operation.keyspace)) core_.counters.concurrent_dropped += keep_newest(object);
  const EditOutput edit = run(operation, object, now);
  keep_reply(operation, edit);
  writing.was_stored = edit.verdict == Verdict::kStore;
  if (const SpentOrigin* spent = object.find_spent(operation.forwarded.origin)) {
    return keep_replaced(operation, *spent);
  }
  if (!writing.was_stored) return grown ? Applied::kStored : Applied::kNothingToStore;
  return store_version(operation, record, edit, now);
}

EditRunner::Applied EditRunner::store_version(Operation& operation, Record& record,
                                              const EditOutput& edit, Now now) {
  const Request& request = operation.request();
  KVORUM_CHECK(!request.has_context || request.context != nullptr);
  Object& object = record.object;
  const bool lww = core_.lww(operation.keyspace);
  Context context;
  if (request.has_context) {
    context = *request.context;
  } else {
    context.vector = object.vector;
    context.vector.join(operation.writing.uncovered);
  }
  Version version = make_version(operation, edit, object, core_.clock_ms(now));
  version.dot = core_.own.mint(record, context, lww, now);
  const size_t entries_max = core_.options.clock_entries_max;
  std::optional<Object> before;  // where the vector may grow too long
  if (object.vector.size() + context.vector.size() + 1 > entries_max) before = object;
  update(object, context, version);
  if (lww) core_.counters.concurrent_dropped += keep_newest(object);
  if (object.versions.size() > core_.options.siblings_max) return Applied::kTooManySiblings;
  if (before) {
    const Hlc frontier = core_.own.frontier_of(request.key);
    core_.counters.clock_truncations += truncate_vector(object, entries_max, *before, frontier);
  }
  if (request.wants_context) {
    operation.writing.new_context = context_after_put(context, version.dot);
  }
  return Applied::kStored;
}

Completion edit_completion(const Operation& operation) {
  KVORUM_CHECK(operation.was_put());
  const Writing& writing = operation.writing;
  const EditOutput& edit = writing.edit;
  Completion completion;
  completion.outcome = edit.verdict == Verdict::kReject ? Outcome::kRejected : Outcome::kOk;
  completion.stored = writing.was_stored;
  completion.reply_code = edit.reply_code;
  completion.reply_number = edit.reply_number;
  completion.has_reply_bytes = edit.has_reply_bytes;
  completion.reply_bytes = edit.reply_bytes;
  if (edit.verdict == Verdict::kReject) completion.text = edit.reply_bytes;
  if (writing.was_stored && operation.request().wants_context) {
    completion.context = &writing.new_context;
  }
  return completion;
}

}  // namespace kvorum::cluster

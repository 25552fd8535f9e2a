// SPDX-License-Identifier: Apache-2.0
#include "server/transaction/edit_batch.h"

#include <algorithm>

#include "base/hash.h"

namespace kvorum::server {
namespace {

using cluster::Version;
using Verdict = EditOutput::Verdict;
using Visible = InlineVector<Version, 1>;

enum class Step : uint8_t { kRead, kEdit };
enum class Answer : uint8_t { kVersions, kEdited, kRejected };

// What the edits of a batch may copy, about: the partition is locked meanwhile.
constexpr uint64_t kWorkBytesMax = uint64_t{1} << 30;

constexpr std::string_view kTooMuchWork =
    "ERR the transaction changes a large value too often: use fewer commands for this key";
constexpr std::string_view kRepliesTooLarge =
    "ERR the replies of the transaction for this key are larger than a value may be";

// A step's view of the key, and what it leaves for the next one.
class Batch {
 public:
  Batch(const EditInput& input, std::string& scratch)
      : input_(input), visible_(input.visible), replies_(scratch) {
    replies_.clear();
  }

  void read() {
    const size_t before = replies_.size();
    put_u8(replies_, static_cast<uint8_t>(Answer::kVersions));
    put_varint(replies_, visible_.size());
    for (const Version& version : visible_) {
      put_varint(replies_, version.flags);
      put_varint(replies_, version.deadline_ms);
      put_bytes(replies_, version.bytes);
    }
    if (replies_.size() <= reply_bytes_max()) return;
    replies_.resize(before);
    put_rejection(kRepliesTooLarge);
  }

  void edit(cluster::EditCode code, std::string_view argument, std::string_view value) {
    if (work_bytes_ > kWorkBytesMax) return put_rejection(kTooMuchWork);
    if (!visible_.empty()) work_bytes_ += visible_[0].bytes.size();
    // What a step before removed is not there, whatever other copies have.
    const bool may_be_evicted = input_.may_be_evicted && !stored_;
    const EditInput step{input_.key,    input_.object, visible_,
                         input_.now_ms, input_.origin, may_be_evicted,
                         argument,      value,         input_.value_bytes_max};
    std::string made;
    const EditOutput output = all_edits()[code].apply(step, made);
    if (output.verdict == Verdict::kReject) return put_rejection(output.reply_bytes);
    put_u8(replies_, static_cast<uint8_t>(Answer::kEdited));
    put_u8(replies_, output.reply_code);
    put_u64(replies_, static_cast<uint64_t>(output.reply_number));
    put_u8(replies_, output.has_reply_bytes);
    if (output.has_reply_bytes) put_bytes(replies_, output.reply_bytes);
    if (output.verdict == Verdict::kStore) store(output);
  }

  // `scratch` has the replies, and behind them the value.
  EditOutput finish() {
    EditOutput output;
    output.has_reply_bytes = true;
    const size_t reply_bytes = replies_.size();
    if (stored_) {
      replies_.append(bytes_);
      output = last_;
      output.bytes = std::string_view(replies_).substr(reply_bytes);
      output.has_reply_bytes = true;
    }
    output.reply_bytes = std::string_view(replies_).substr(0, reply_bytes);
    output.reply_code = kBatchDone;
    output.reply_number = 0;
    return output;
  }

 private:
  size_t reply_bytes_max() const {
    constexpr size_t kLeast = 1024 * 1024;
    return std::max(kLeast, static_cast<size_t>(input_.value_bytes_max));
  }
  void put_rejection(std::string_view text) {
    put_u8(replies_, static_cast<uint8_t>(Answer::kRejected));
    put_bytes(replies_, text);
  }

  // `output` may point into the bytes that it replaces.
  void store(const EditOutput& output) {
    std::string bytes(output.bytes);
    work_bytes_ += bytes.size();
    // Of the bytes that lay there before the batch: only while all its edits kept them.
    const bool keeps_origin = output.keep_origin && (!stored_ || last_.keep_origin);
    bytes_ = std::move(bytes);
    last_ = output;
    last_.keep_origin = keeps_origin;
    stored_ = true;
    visible_.clear();
    if (output.type == cluster::TypeTag::kTombstone) return;
    Version version;
    version.type = output.type;
    version.flags = output.flags;
    version.deadline_ms = output.deadline_ms;
    version.bytes = bytes_;
    visible_.push_back(version);
  }

  const EditInput& input_;
  Visible visible_;
  std::string& replies_;
  std::string bytes_;  // of the value that was stored last
  EditOutput last_;
  bool stored_ = false;
  uint64_t work_bytes_ = 0;
};

EditOutput gave_way() { return keep(kBatchGaveWay); }

}  // namespace

uint64_t watch_digest(const cluster::Object& object, uint64_t now_ms) {
  if (visible_versions(object, now_ms).empty()) return 0;
  std::string bytes;
  for (const cluster::VectorEntry& entry : object.vector) {
    put_u64(bytes, entry.actor.node);
    put_u64(bytes, entry.actor.incarnation);
    put_u64(bytes, entry.hlc.value);
  }
  for (const Version& version : object.versions) put_u64(bytes, version.dot.hlc.value);
  return xxh64(bytes) | 1;
}

EditOutput edit_batch(const EditInput& input, std::string& scratch) {
  ByteReader reader(input.argument);
  if (reader.u8() != 0 && reader.u64() != watch_digest(input.object, input.now_ms)) {
    return gave_way();
  }
  Batch batch(input, scratch);
  while (reader.ok() && !reader.done()) {
    if (static_cast<Step>(reader.u8()) == Step::kRead) {
      batch.read();
      continue;
    }
    const cluster::EditCode code = reader.u8();
    const std::string_view argument = reader.bytes();
    const std::string_view value = reader.bytes();
    if (!reader.ok() || code == kEditBatch || code >= kEditCount) {
      return reject("ERR a transaction was malformed");
    }
    batch.edit(code, argument, value);
  }
  return batch.finish();
}

void BatchArgument::begin() {
  if (bytes_.empty()) put_u8(bytes_, 0);
}

void BatchArgument::watch(uint64_t digest) {
  KVORUM_CHECK(bytes_.empty());
  put_u8(bytes_, 1);
  put_u64(bytes_, digest);
}

void BatchArgument::read() {
  begin();
  put_u8(bytes_, static_cast<uint8_t>(Step::kRead));
}

void BatchArgument::edit(cluster::EditCode code, std::string_view argument,
                         std::string_view value) {
  begin();
  put_u8(bytes_, static_cast<uint8_t>(Step::kEdit));
  put_u8(bytes_, code);
  put_bytes(bytes_, argument);
  put_bytes(bytes_, value);
}

const std::string& BatchArgument::bytes() {
  begin();
  return bytes_;
}

bool BatchReplies::read_versions() {
  const uint64_t count = reader_.varint();
  object_.versions.clear();
  for (uint64_t at = 0; at < count && reader_.ok(); ++at) {
    Version version;
    version.flags = static_cast<uint32_t>(reader_.varint());
    version.deadline_ms = reader_.varint();
    version.bytes = reader_.bytes();
    object_.versions.push_back(version);
  }
  return reader_.ok();
}

bool BatchReplies::next(const cluster::Completion& whole, cluster::Completion* completion) {
  *completion = {};
  completion->now_ms = whole.now_ms;
  completion->service = whole.service;
  switch (static_cast<Answer>(reader_.u8())) {
    case Answer::kVersions:
      completion->object = &object_;
      return read_versions();
    case Answer::kRejected:
      completion->outcome = cluster::Outcome::kRejected;
      completion->text = reader_.bytes();
      return reader_.ok();
    case Answer::kEdited:
      completion->reply_code = reader_.u8();
      completion->reply_number = static_cast<int64_t>(reader_.u64());
      completion->has_reply_bytes = reader_.u8() != 0;
      if (completion->has_reply_bytes) completion->reply_bytes = reader_.bytes();
      return reader_.ok();
  }
  return false;
}

}  // namespace kvorum::server

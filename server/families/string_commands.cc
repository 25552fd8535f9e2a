// SPDX-License-Identifier: Apache-2.0
#include "server/commands/edits.h"
#include "server/commands/set_condition.h"
#include "server/commands/words.h"

namespace kvorum::server {
namespace {

using protocol::Reply;
using Verdict = EditOutput::Verdict;

Reply finish_get(const FinishInput& input) { return values_reply(seen(input)); }

void get(const CommandCall& call, Plan& plan) { plan.read(call.words[1], finish_get); }

void mget(const CommandCall& call, Plan& plan) {
  for (std::string_view key : call.words.subspan(1)) plan.read(key, finish_get);
  plan.gather = Gather::kArray;
}

Reply finish_strlen(const FinishInput& input) {
  const Versions versions = seen(input);
  return Reply::integer(versions.empty() ? 0 : static_cast<int64_t>(versions[0].bytes.size()));
}

void strlen(const CommandCall& call, Plan& plan) { plan.read(call.words[1], finish_strlen); }

}  // namespace

EditOutput edit_set(const EditInput& input, std::string&) {
  ByteReader reader(input.argument);
  const ValueOptions options = get_value_options(reader);
  EditOutput output;
  output.verdict = Verdict::kStore;
  output.flags = options.flags;
  output.deadline_ms = options.deadline_ms;
  output.bytes = input.value;
  return output;
}

EditOutput edit_set_if(const EditInput& input, std::string& scratch) {
  ByteReader reader(input.argument);
  const uint8_t bits = reader.u8();
  const ValueOptions options = get_value_options(reader);
  const bool found = !input.visible.empty();
  const bool stores = !((bits & kSetIfAbsent && found) || (bits & kSetIfPresent && !found));
  EditOutput output;
  const bool needs_the_one = bits & kSetGet || (bits & kSetKeepTtl && stores);
  if (needs_the_one && is_conflict(input, scratch, &output)) return output;
  return set_if(stores, bits, options, input);
}

namespace {

Reply finish_set_if(const FinishInput& input) {
  return input.completion.reply_code == kWasSet ? Reply::ok() : Reply::nil();
}

// The options of SET after key and value.
struct SetOptions {
  uint8_t bits = 0;
  bool has_expiry = false;
  ExpiryWord expiry;
  std::optional<ValueMatch> match;  // instead of NX or XX

  // NX, XX and each kind of match exclude each other.
  bool takes(const ValueMatch& other) const {
    return !(bits & (kSetIfAbsent | kSetIfPresent)) && (!match || match->kind == other.kind);
  }
  bool takes_condition(uint8_t excluded) const { return !(bits & excluded) && !match; }
};

// Redis lets an option be given twice and refuses those that exclude each other.
bool read_set_options(Words words, SetOptions* options) {
  for (size_t i = 3; i < words.size(); ++i) {
    const std::string_view word = words[i];
    const std::optional<ExpiryWord> expiry = expiry_option(word);
    const std::optional<ValueMatch> match = match_option(word);
    if (equals_ignoring_case(word, "nx") && options->takes_condition(kSetIfPresent)) {
      options->bits |= kSetIfAbsent;
    } else if (equals_ignoring_case(word, "xx") && options->takes_condition(kSetIfAbsent)) {
      options->bits |= kSetIfPresent;
    } else if (match && options->takes(*match) && i + 1 < words.size()) {
      options->match = match;
      options->match->text = words[++i];
    } else if (equals_ignoring_case(word, "get")) {
      options->bits |= kSetGet;
    } else if (equals_ignoring_case(word, "keepttl") && !options->has_expiry) {
      options->bits |= kSetKeepTtl;
    } else if (expiry && !(options->bits & kSetKeepTtl) && i + 1 < words.size()) {
      const bool same_kind = options->expiry.relative == expiry->relative &&
                             options->expiry.seconds == expiry->seconds;
      if (options->has_expiry && !same_kind) return false;
      options->has_expiry = true;
      options->expiry = *expiry;
      options->expiry.text = words[++i];
    } else {
      return false;
    }
  }
  return true;
}

void plan_set_if(std::string_view key, uint8_t bits, const ValueOptions& value, Plan& plan) {
  put_set_condition(plan.argument, bits, value);
  plan.edit(key, kEditSetIf, bits & kSetGet ? finish_old_value : finish_set_if);
}

void plan_set_matching(std::string_view key, const SetOptions& options, const ValueOptions& value,
                       Plan& plan) {
  put_u8(plan.argument, options.bits);
  put_value_match(plan.argument, *options.match);
  put_value_options(plan.argument, value);
  plan.edit(key, kEditSetMatching, options.bits & kSetGet ? finish_old_value : finish_set_if);
}

void plan_set(std::string_view key, uint64_t deadline_ms, Plan& plan) {
  put_value_options(plan.argument, {deadline_ms, 0});
  plan.edit(key, kEditSet, finish_ok);
}

void set(const CommandCall& call, Plan& plan) {
  SetOptions options;
  if (!read_set_options(call.words, &options)) return plan.fail(protocol::kSyntaxError);
  uint64_t deadline_ms = 0;
  if (options.has_expiry && !read_deadline(call, options.expiry, plan, &deadline_ms)) return;
  if (options.match) {
    plan_set_matching(call.words[1], options, {deadline_ms, 0}, plan);
  } else if (options.bits == 0) {
    plan_set(call.words[1], deadline_ms, plan);
  } else {
    plan_set_if(call.words[1], options.bits, {deadline_ms, 0}, plan);
  }
  plan.requests[0].argument = plan.argument;
  plan.requests[0].value = call.words[2];
}

void set_with_time(const CommandCall& call, bool seconds, Plan& plan) {
  uint64_t deadline_ms = 0;
  if (!read_deadline(call, {true, seconds, call.words[2]}, plan, &deadline_ms)) return;
  plan_set(call.words[1], deadline_ms, plan);
  plan.requests[0].argument = plan.argument;
  plan.requests[0].value = call.words[3];
}
void setex(const CommandCall& call, Plan& plan) { set_with_time(call, true, plan); }
void psetex(const CommandCall& call, Plan& plan) { set_with_time(call, false, plan); }

Reply finish_setnx(const FinishInput& input) {
  return Reply::integer(input.completion.reply_code == kWasSet ? 1 : 0);
}

void setnx(const CommandCall& call, Plan& plan) {
  plan_set_if(call.words[1], kSetIfAbsent, {}, plan);
  plan.finish = finish_setnx;
  plan.requests[0].argument = plan.argument;
  plan.requests[0].value = call.words[2];
}

void getset(const CommandCall& call, Plan& plan) {
  plan_set_if(call.words[1], kSetGet, {}, plan);
  plan.requests[0].argument = plan.argument;
  plan.requests[0].value = call.words[2];
}

void mset(const CommandCall& call, Plan& plan) {
  if (call.words.size() % 2 == 0) {
    return plan.fail_owned(protocol::wrong_number_of_arguments(call.row.name));
  }
  for (size_t i = 1; i < call.words.size(); i += 2) {
    plan.edit(call.words[i], kEditSet, finish_ok).value = call.words[i + 1];
  }
  plan.gather = Gather::kAllOk;
}

}  // namespace

EditOutput edit_append(const EditInput& input, std::string& scratch) {
  EditOutput output;
  if (is_conflict(input, scratch, &output)) return output;
  const std::string_view old = input.visible.empty() ? std::string_view() : input.visible[0].bytes;
  if (old.size() + input.value.size() > input.value_bytes_max) {
    return reject(protocol::kStringTooLong);
  }
  scratch.assign(old).append(input.value);
  output = store_in_place(input, scratch);
  output.reply_number = static_cast<int64_t>(scratch.size());
  return output;
}

namespace {

void append(const CommandCall& call, Plan& plan) {
  plan.edit(call.words[1], kEditAppend, finish_number).value = call.words[2];
}

constexpr RowHints kAppends{.keys = "RW insert"};
constexpr RowHints kReadsEach{.tips = "request_policy:multi_shard"};
constexpr RowHints kReplacesEach{
    .keys = "OW update", .tips = "request_policy:multi_shard response_policy:all_succeeded"};
constexpr RowHints kSets{.keys = "RW access update variable_flags",
                         .notes = "RW and ACCESS due to the optional `GET` argument"};

constexpr CommandRow kRows[] = {
    {"append", 3, kWrite | kDenyOom | kFast, 1, 1, 1, Group::kString, "2.0.0", "key value",
     "Adds bytes to the end of a value; a missing key starts empty.", "O(1)", append, &kAppends},
    {"get", 2, kReadonly | kFast, 1, 1, 1, Group::kString, "1.0.0", "key",
     "The value of a key, or nil; the array of its siblings, newest first, where concurrent writes "
     "left several.",
     "O(1)", get},
    {"getset", 3, kWrite | kDenyOom | kFast, 1, 1, 1, Group::kString, "1.0.0", "key value",
     "Writes a value and answers the one before it.", "O(1)", getset},
    {"mget", -2, kReadonly | kFast, 1, -1, 1, Group::kString, "1.0.0", "key [key ...]",
     "The values of several keys, each read on its own: no snapshot.", "O(N) for N keys", mget,
     &kReadsEach},
    {"mset", -3, kWrite | kDenyOom, 1, -1, 2, Group::kString, "1.0.1", "key value [key value ...]",
     "Writes several keys, each on its own: not atomic.", "O(N) for N keys", mset, &kReplacesEach},
    {"psetex", 4, kWrite | kDenyOom, 1, 1, 1, Group::kString, "2.6.0", "key milliseconds value",
     "Writes a value that expires after so many milliseconds.", "O(1)", psetex, &hint::kReplaces},
    {"set", -3, kWrite | kDenyOom, 1, 1, 1, Group::kString, "1.0.0",
     "key value [NX | XX | IFEQ value | IFNE value | IFDEQ digest | IFDNE digest] [GET] [EX "
     "seconds | "
     "PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | KEEPTTL]",
     "Writes a value in place of all that is known of the key, siblings too.", "O(1)", set, &kSets},
    {"setex", 4, kWrite | kDenyOom, 1, 1, 1, Group::kString, "2.0.0", "key seconds value",
     "Writes a value that expires after so many seconds.", "O(1)", setex, &hint::kReplaces},
    {"setnx", 3, kWrite | kDenyOom | kFast, 1, 1, 1, Group::kString, "1.0.0", "key value",
     "Writes a value only where there is none.", "O(1)", setnx, &hint::kInserts},
    {"strlen", 2, kReadonly | kFast, 1, 1, 1, Group::kString, "2.2.0", "key",
     "The length of a value in bytes.", "O(1)", strlen, &hint::kLooks},
};

}  // namespace

std::span<const CommandRow> string_commands() { return kRows; }

}  // namespace kvorum::server

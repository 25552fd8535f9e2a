// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "server/commands/edits.h"
#include "server/commands/words.h"

namespace kvorum::server {
namespace {

using protocol::Reply;

Reply finish_value(const FinishInput& input) { return values_reply(seen(input)); }

}  // namespace

EditOutput edit_set_range(const EditInput& input, std::string& scratch) {
  const uint64_t offset = ByteReader(input.argument).varint();
  EditOutput output;
  if (is_conflict(input, scratch, &output)) return output;
  const std::string_view old = input.visible.empty() ? std::string_view() : input.visible[0].bytes;
  if (input.value.empty()) return keep(0, static_cast<int64_t>(old.size()));
  if (offset > input.value_bytes_max || offset + input.value.size() > input.value_bytes_max) {
    return reject(protocol::kStringTooLong);
  }
  scratch.assign(old);
  if (scratch.size() < offset + input.value.size()) scratch.resize(offset + input.value.size());
  scratch.replace(offset, input.value.size(), input.value);
  output = store_in_place(input, scratch);
  output.reply_number = static_cast<int64_t>(scratch.size());
  return output;
}

namespace {

void setrange(const CommandCall& call, Plan& plan) {
  int64_t offset = 0;
  if (!read_integer(call.words[2], plan, &offset)) return;
  if (offset < 0) return plan.fail(protocol::kOffsetOutOfRange);
  put_varint(plan.argument, static_cast<uint64_t>(offset));
  cluster::Request& request = plan.edit(call.words[1], kEditSetRange, finish_number);
  request.argument = plan.argument;
  request.value = call.words[3];
}

Reply finish_getrange(const FinishInput& input) {
  const Versions versions = seen(input);
  if (versions.empty()) return Reply::bulk("");
  const std::string_view bytes = versions[0].bytes;
  const int64_t size = static_cast<int64_t>(bytes.size());
  int64_t start = input.remembered.number;
  int64_t end = input.remembered.second;
  if (start < 0 && end < 0 && start > end) return Reply::bulk("");
  if (start < 0) start = std::max<int64_t>(0, size + start);
  if (end < 0) end = std::max<int64_t>(0, size + end);
  end = std::min(end, size - 1);
  if (start > end || size == 0) return Reply::bulk("");
  return Reply::bulk(
      bytes.substr(static_cast<size_t>(start), static_cast<size_t>(end - start + 1)));
}

void getrange(const CommandCall& call, Plan& plan) {
  if (!read_integer(call.words[2], plan, &plan.remembered.number)) return;
  if (!read_integer(call.words[3], plan, &plan.remembered.second)) return;
  plan.read(call.words[1], finish_getrange);
}

}  // namespace

EditOutput edit_get_remove(const EditInput& input, std::string& scratch) {
  EditOutput output;
  if (is_conflict(input, scratch, &output)) return output;
  if (input.visible.empty()) return input.may_be_evicted ? store_tombstone(0) : output;
  output = store_tombstone(1);
  output.has_reply_bytes = true;
  output.reply_bytes = input.visible[0].bytes;
  return output;
}

namespace {

void getdel(const CommandCall& call, Plan& plan) {
  plan.edit(call.words[1], kEditGetRemove, finish_old_value);
}

}  // namespace

// Argument: the new deadline; 0 for PERSIST.
EditOutput edit_get_expire(const EditInput& input, std::string& scratch) {
  const uint64_t deadline_ms = ByteReader(input.argument).varint();
  EditOutput output;
  if (is_conflict(input, scratch, &output) || input.visible.empty()) return output;
  const cluster::Version& version = input.visible[0];
  if (deadline_ms != version.deadline_ms) {
    output = store_in_place(input, version.bytes);
    output.deadline_ms = deadline_ms;
    output.keep_origin = true;
  }
  output.has_reply_bytes = true;
  output.reply_bytes = version.bytes;
  return output;
}

namespace {

// A missing key answers nil before its time is looked at.
Reply finish_getex_of_bad_time(const FinishInput& input) {
  return seen(input).empty() ? Reply::nil() : Reply::error(input.remembered.text);
}

void getex(const CommandCall& call, Plan& plan) {
  bool persist = false;
  bool has_expiry = false;
  ExpiryWord expiry;
  for (size_t i = 2; i < call.words.size(); ++i) {
    const std::optional<ExpiryWord> option = expiry_option(call.words[i]);
    const bool same_kind =
        option &&
        (!has_expiry || (option->relative == expiry.relative && option->seconds == expiry.seconds));
    if (equals_ignoring_case(call.words[i], "persist") && !has_expiry) {
      persist = true;
    } else if (same_kind && !persist && i + 1 < call.words.size()) {
      has_expiry = true;
      expiry = *option;
      expiry.text = call.words[++i];
    } else {
      return plan.fail(protocol::kSyntaxError);
    }
  }
  if (!persist && !has_expiry) {
    plan.read(call.words[1], finish_value);
    return;
  }
  uint64_t deadline_ms = 0;
  if (has_expiry && !read_deadline(call, expiry, plan, &deadline_ms)) {
    plan.remembered.text = plan.reply.text();
    plan.read(call.words[1], finish_getex_of_bad_time);
    return;
  }
  put_varint(plan.argument, deadline_ms);
  plan.edit(call.words[1], kEditGetExpire, finish_old_value).argument = plan.argument;
}

constexpr RowHints kTakes{.keys = "RW access delete"};
constexpr RowHints kChangesTtl{.notes = "RW and UPDATE because it changes the TTL"};

constexpr CommandRow kRows[] = {
    {"getdel", 2, kWrite | kFast, 1, 1, 1, Group::kString, "6.2.0", "key",
     "Answers the value of a key and deletes it.", "O(1)", getdel, &kTakes},
    {"getex", -2, kWrite | kFast, 1, 1, 1, Group::kString, "6.2.0",
     "key [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT unix-time-milliseconds | "
     "PERSIST]",
     "Answers the value of a key and changes when it expires.", "O(1)", getex, &kChangesTtl},
    {"getrange", 4, kReadonly, 1, 1, 1, Group::kString, "2.4.0", "key start end",
     "A part of a value; negative offsets count from its end.", "O(N) for N bytes answered",
     getrange},
    {"setrange", 4, kWrite | kDenyOom, 1, 1, 1, Group::kString, "2.2.0", "key offset value",
     "Overwrites a part of a value, padded with zero bytes up to the offset.", "O(N) for N bytes",
     setrange, &hint::kUpdates},
    {"substr", 4, kReadonly, 1, 1, 1, Group::kString, "1.0.0", "key start end",
     "The old name of GETRANGE.", "O(N) for N bytes answered", getrange},
};

}  // namespace

std::span<const CommandRow> string_part_commands() { return kRows; }

}  // namespace kvorum::server

// SPDX-License-Identifier: Apache-2.0
#include <limits>

#include "server/commands/edits.h"
#include "server/commands/words.h"

namespace kvorum::server {
namespace {

using protocol::Reply;

enum ExpireBit : uint8_t { kNx = 1 << 0, kXx = 1 << 1, kGt = 1 << 2, kLt = 1 << 3 };

// A key without a deadline counts as one that expires last.
bool condition_holds(uint8_t bits, int64_t deadline_ms, uint64_t present_ms) {
  const int64_t present = static_cast<int64_t>(present_ms);
  if (bits & kNx && present != 0) return false;
  if (bits & kXx && present == 0) return false;
  if (bits & kGt && (present == 0 || deadline_ms <= present)) return false;
  return !(bits & kLt && present != 0 && deadline_ms >= present);
}

}  // namespace

// Argument: the deadline as an i64 (it may lie before 1970), then the conditions.
EditOutput edit_expire(const EditInput& input, std::string& scratch) {
  ByteReader reader(input.argument);
  const int64_t deadline_ms = static_cast<int64_t>(reader.u64());
  const uint8_t bits = reader.u8();
  if (input.visible.empty()) return keep(0, 0);
  EditOutput output;
  if (is_conflict(input, scratch, &output)) return output;
  const cluster::Version& version = input.visible[0];
  if (!condition_holds(bits, deadline_ms, version.deadline_ms)) return keep(0, 0);
  if (deadline_ms <= static_cast<int64_t>(input.now_ms)) return store_tombstone(1);
  if (static_cast<uint64_t>(deadline_ms) == version.deadline_ms) return keep(0, 1);
  output = store_in_place(input, version.bytes);
  output.deadline_ms = static_cast<uint64_t>(deadline_ms);
  output.keep_origin = true;
  output.reply_number = 1;
  return output;
}

EditOutput edit_persist(const EditInput& input, std::string& scratch) {
  if (input.visible.empty()) return keep(0, 0);
  EditOutput output;
  if (is_conflict(input, scratch, &output)) return output;
  if (input.visible[0].deadline_ms == 0) return keep(0, 0);
  output = store_in_place(input, input.visible[0].bytes);
  output.deadline_ms = 0;
  output.keep_origin = true;
  output.reply_number = 1;
  return output;
}

namespace {

bool read_conditions(const CommandCall& call, Plan& plan, uint8_t* bits) {
  for (std::string_view word : call.words.subspan(3)) {
    if (equals_ignoring_case(word, "nx")) {
      *bits |= kNx;
    } else if (equals_ignoring_case(word, "xx")) {
      *bits |= kXx;
    } else if (equals_ignoring_case(word, "gt")) {
      *bits |= kGt;
    } else if (equals_ignoring_case(word, "lt")) {
      *bits |= kLt;
    } else {
      plan.fail_owned(std::string("ERR Unsupported option ").append(word));
      return false;
    }
  }
  if (*bits & kNx && *bits & (kXx | kGt | kLt)) {
    plan.fail("ERR NX and XX, GT or LT options at the same time are not compatible");
    return false;
  }
  if (*bits & kGt && *bits & kLt) {
    plan.fail("ERR GT and LT options at the same time are not compatible");
    return false;
  }
  return true;
}

void plan_expire(const CommandCall& call, const ExpiryWord& unit, Plan& plan) {
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  uint8_t bits = 0;
  int64_t time = 0;
  if (!read_conditions(call, plan, &bits)) return;
  if (!read_integer(call.words[2], plan, &time)) return;
  const int64_t now_ms = unit.relative ? static_cast<int64_t>(call.now_ms) : 0;
  const bool fits = !unit.seconds || (time <= kMax / 1000 && time >= -kMax / 1000);
  if (fits && unit.seconds) time *= 1000;
  if (!fits || time > kMax - now_ms) {
    return plan.fail_owned(protocol::invalid_expire_time(call.row.name));
  }
  put_u64(plan.argument, static_cast<uint64_t>(time + now_ms));
  put_u8(plan.argument, bits);
  plan.edit(call.words[1], kEditExpire, finish_number).argument = plan.argument;
}

void expire(const CommandCall& call, Plan& plan) { plan_expire(call, {true, true, {}}, plan); }
void pexpire(const CommandCall& call, Plan& plan) { plan_expire(call, {true, false, {}}, plan); }
void expireat(const CommandCall& call, Plan& plan) { plan_expire(call, {false, true, {}}, plan); }
void pexpireat(const CommandCall& call, Plan& plan) { plan_expire(call, {false, false, {}}, plan); }

void persist(const CommandCall& call, Plan& plan) {
  plan.edit(call.words[1], kEditPersist, finish_number);
}

enum TimeBit : int64_t { kInSeconds = 1, kAbsolute = 2 };

// -2: no such key; -1: no deadline. Seconds are rounded to the nearest.
Reply finish_time_left(const FinishInput& input) {
  const Versions versions = seen(input);
  if (versions.empty()) return Reply::integer(-2);
  if (versions[0].deadline_ms == 0) return Reply::integer(-1);
  int64_t time = static_cast<int64_t>(versions[0].deadline_ms);
  if (!(input.remembered.number & kAbsolute)) {
    time = std::max<int64_t>(0, time - static_cast<int64_t>(input.completion.now_ms));
  }
  // Not (time + 500) / 1000: the latest deadline there is would wrap.
  const int64_t seconds = time / 1000 + (time % 1000 >= 500 ? 1 : 0);
  return Reply::integer(input.remembered.number & kInSeconds ? seconds : time);
}

void plan_time_left(const CommandCall& call, int64_t bits, Plan& plan) {
  plan.remembered.number = bits;
  plan.read(call.words[1], finish_time_left);
}
void ttl(const CommandCall& call, Plan& plan) { plan_time_left(call, kInSeconds, plan); }
void pttl(const CommandCall& call, Plan& plan) { plan_time_left(call, 0, plan); }
void expiretime(const CommandCall& call, Plan& plan) {
  plan_time_left(call, kInSeconds | kAbsolute, plan);
}
void pexpiretime(const CommandCall& call, Plan& plan) { plan_time_left(call, kAbsolute, plan); }

constexpr CommandRow kRows[] = {
    {"expire", -3, kWrite | kFast, 1, 1, 1, Group::kGeneric, "1.0.0",
     "key seconds [NX | XX | GT | LT]", "Lets a key expire after so many seconds.", "O(1)", expire,
     &hint::kUpdates},
    {"expireat", -3, kWrite | kFast, 1, 1, 1, Group::kGeneric, "1.2.0",
     "key unix-time-seconds [NX | XX | GT | LT]", "Lets a key expire at a time.", "O(1)", expireat,
     &hint::kUpdates},
    {"expiretime", 2, kReadonly | kFast, 1, 1, 1, Group::kGeneric, "7.0.0", "key",
     "When a key expires, in Unix seconds; -1 without a deadline, -2 without the key.", "O(1)",
     expiretime},
    {"persist", 2, kWrite | kFast, 1, 1, 1, Group::kGeneric, "2.2.0", "key",
     "Removes the deadline of a key.", "O(1)", persist, &hint::kUpdates},
    {"pexpire", -3, kWrite | kFast, 1, 1, 1, Group::kGeneric, "2.6.0",
     "key milliseconds [NX | XX | GT | LT]", "Lets a key expire after so many milliseconds.",
     "O(1)", pexpire, &hint::kUpdates},
    {"pexpireat", -3, kWrite | kFast, 1, 1, 1, Group::kGeneric, "2.6.0",
     "key unix-time-milliseconds [NX | XX | GT | LT]", "Lets a key expire at a time.", "O(1)",
     pexpireat, &hint::kUpdates},
    {"pexpiretime", 2, kReadonly | kFast, 1, 1, 1, Group::kGeneric, "7.0.0", "key",
     "When a key expires, in Unix milliseconds.", "O(1)", pexpiretime},
    {"pttl", 2, kReadonly | kFast, 1, 1, 1, Group::kGeneric, "2.6.0", "key",
     "The milliseconds that a key still has.", "O(1)", pttl, &hint::kUncertain},
    {"ttl", 2, kReadonly | kFast, 1, 1, 1, Group::kGeneric, "1.0.0", "key",
     "The seconds that a key still has; -1 without a deadline, -2 without the key.", "O(1)", ttl,
     &hint::kUncertain},
};

}  // namespace

std::span<const CommandRow> expiry_commands() { return kRows; }

}  // namespace kvorum::server

// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <limits>

#include "server/commands/edits.h"
#include "server/commands/words.h"

namespace kvorum::server {
namespace {

using protocol::Reply;

// A missing key counts as zero.
std::string_view number_text(const EditInput& input) {
  return input.visible.empty() ? std::string_view("0") : input.visible[0].bytes;
}

}  // namespace

// Argument: the step as a u64.
EditOutput edit_increment(const EditInput& input, std::string& scratch) {
  const int64_t step = static_cast<int64_t>(ByteReader(input.argument).u64());
  EditOutput output;
  if (is_conflict(input, scratch, &output)) return output;
  const std::optional<int64_t> old = protocol::parse_int64(number_text(input));
  if (!old) return reject(protocol::kNotAnInteger);
  int64_t sum = 0;
  if (__builtin_add_overflow(*old, step, &sum)) return reject(protocol::kWouldOverflow);
  scratch.clear();
  protocol::append_int64(scratch, sum);
  output = store_in_place(input, scratch);
  output.reply_number = sum;
  return output;
}

namespace {

void plan_increment(std::string_view key, int64_t step, Plan& plan) {
  put_u64(plan.argument, static_cast<uint64_t>(step));
  plan.edit(key, kEditIncrement, finish_number).argument = plan.argument;
}

void incr(const CommandCall& call, Plan& plan) { plan_increment(call.words[1], 1, plan); }
void decr(const CommandCall& call, Plan& plan) { plan_increment(call.words[1], -1, plan); }

void incrby(const CommandCall& call, Plan& plan) {
  int64_t step = 0;
  if (read_integer(call.words[2], plan, &step)) plan_increment(call.words[1], step, plan);
}

void decrby(const CommandCall& call, Plan& plan) {
  int64_t step = 0;
  if (!read_integer(call.words[2], plan, &step)) return;
  if (step == std::numeric_limits<int64_t>::min()) {
    return plan.fail(protocol::kDecrementWouldOverflow);
  }
  plan_increment(call.words[1], -step, plan);
}

}  // namespace

// Argument: the step as the client wrote it, so that every node reads the same number.
EditOutput edit_increment_float(const EditInput& input, std::string& scratch) {
  EditOutput output;
  if (is_conflict(input, scratch, &output)) return output;
  const std::optional<long double> old = protocol::parse_long_double(number_text(input));
  const std::optional<long double> step = protocol::parse_long_double(input.argument);
  if (!old || !step) return reject(protocol::kNotAFloat);
  const long double sum = *old + *step;
  if (std::isnan(sum) || std::isinf(sum)) return reject(protocol::kWouldBeNan);
  scratch.clear();
  protocol::append_human_long_double(scratch, sum);
  output = store_in_place(input, scratch);
  output.has_reply_bytes = true;
  output.reply_bytes = scratch;
  return output;
}

namespace {

Reply finish_increment_float(const FinishInput& input) {
  return Reply::bulk(input.completion.reply_bytes);
}

// Redis looks at the stored value first, then at the argument: both give the same text.
void incrbyfloat(const CommandCall& call, Plan& plan) {
  if (!protocol::parse_long_double(call.words[2])) return plan.fail(protocol::kNotAFloat);
  plan.argument = call.words[2];
  plan.edit(call.words[1], kEditIncrementFloat, finish_increment_float).argument = plan.argument;
}

constexpr uint32_t kCounter = kWrite | kDenyOom | kFast;

constexpr CommandRow kRows[] = {
    {"decr", 2, kCounter, 1, 1, 1, Group::kString, "1.0.0", "key",
     "Subtracts one from the integer at a key; a missing key counts as 0.", "O(1)", decr},
    {"decrby", 3, kCounter, 1, 1, 1, Group::kString, "1.0.0", "key decrement",
     "Subtracts a number from the integer at a key.", "O(1)", decrby},
    {"incr", 2, kCounter, 1, 1, 1, Group::kString, "1.0.0", "key",
     "Adds one to the integer at a key; a missing key counts as 0.", "O(1)", incr},
    {"incrby", 3, kCounter, 1, 1, 1, Group::kString, "1.0.0", "key increment",
     "Adds a number to the integer at a key.", "O(1)", incrby},
    {"incrbyfloat", 3, kCounter, 1, 1, 1, Group::kString, "2.6.0", "key increment",
     "Adds a decimal number to the number at a key.", "O(1)", incrbyfloat},
};

}  // namespace

std::span<const CommandRow> counter_commands() { return kRows; }

}  // namespace kvorum::server

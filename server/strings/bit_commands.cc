// SPDX-License-Identifier: Apache-2.0
// SETBIT, GETBIT, BITCOUNT, BITPOS and BITOP.
#include <algorithm>

#include "server/commands/edits.h"
#include "server/commands/words.h"
#include "server/strings/bit_offset.h"
#include "server/strings/bits.h"

namespace kvorum::server {

// Argument: the number of the bit as a varint, then its value. Answers the value before.
EditOutput edit_set_bit(const EditInput& input, std::string& scratch) {
  ByteReader reader(input.argument);
  const uint64_t bit = reader.varint();
  const bool value = reader.u8() != 0;
  EditOutput output;
  if (is_conflict(input, scratch, &output)) return output;
  const std::string_view old = input.visible.empty() ? std::string_view() : input.visible[0].bytes;
  const uint64_t size = std::max<uint64_t>(old.size(), bit / 8 + 1);
  if (size > input.value_bytes_max) return reject(protocol::kStringTooLong);
  const bool before = bit_at(old, bit);
  if (size == old.size() && before == value) return keep(0, before ? 1 : 0);
  scratch.assign(old);
  scratch.resize(size);
  const uint8_t mask = static_cast<uint8_t>(0x80 >> bit % 8);
  const uint8_t byte = static_cast<uint8_t>(scratch[bit / 8]);
  scratch[bit / 8] = static_cast<char>(value ? byte | mask : byte & ~mask);
  output = store_in_place(input, scratch);
  output.reply_number = before ? 1 : 0;
  return output;
}

namespace {

using protocol::Reply;

void setbit(const CommandCall& call, Plan& plan) {
  const std::optional<uint64_t> bit = read_bit_offset(call, call.words[2], 0, plan);
  if (!bit) return;
  const std::optional<int64_t> value = protocol::parse_int64(call.words[3]);
  if (!value || (*value != 0 && *value != 1)) {
    return plan.fail("ERR bit is not an integer or out of range");
  }
  put_varint(plan.argument, *bit);
  put_u8(plan.argument, static_cast<uint8_t>(*value));
  plan.edit(call.words[1], kEditSetBit, finish_number).argument = plan.argument;
}

Reply finish_getbit(const FinishInput& input) {
  const Versions versions = seen(input);
  const uint64_t bit = static_cast<uint64_t>(input.remembered.number);
  return Reply::integer(!versions.empty() && bit_at(versions[0].bytes, bit) ? 1 : 0);
}

void getbit(const CommandCall& call, Plan& plan) {
  const std::optional<uint64_t> bit = read_bit_offset(call, call.words[2], 0, plan);
  if (!bit) return;
  plan.remembered.number = static_cast<int64_t>(*bit);
  plan.read(call.words[1], finish_getbit);
}

// What BITCOUNT and BITPOS leave for their finish: a range as the client gave it, in Remembered's
// numbers, and these marks in its text.
enum RangeMark : char { kInBits = 'b', kHasEnd = 'e', kFindsOne = '1' };

bool has_mark(const FinishInput& input, RangeMark mark) {
  return input.remembered.text.find(mark) != std::string::npos;
}

// The range within the value, as bits; nothing where it is empty.
std::optional<BitRange> range_within(const FinishInput& input, std::string_view bytes) {
  const bool in_bits = has_mark(input, kInBits);
  const int64_t units = static_cast<int64_t>(bytes.size()) * (in_bits ? 8 : 1);
  int64_t first = input.remembered.number;
  int64_t last = has_mark(input, kHasEnd) ? input.remembered.second : units - 1;
  if (first < 0) first = std::max<int64_t>(0, units + first);
  if (last < 0) last = std::max<int64_t>(0, units + last);
  last = std::min(last, units - 1);
  if (first > last) return std::nullopt;
  const uint64_t from = static_cast<uint64_t>(first), to = static_cast<uint64_t>(last);
  return in_bits ? BitRange{from, to} : BitRange{from * 8, to * 8 + 7};
}

bool read_range_unit(std::string_view word, Plan& plan) {
  if (equals_ignoring_case(word, "bit")) {
    plan.remembered.text.push_back(kInBits);
  } else if (!equals_ignoring_case(word, "byte")) {
    return plan.fail(protocol::kSyntaxError), false;
  }
  return true;
}

Reply finish_bitcount(const FinishInput& input) {
  const Versions versions = seen(input);
  if (versions.empty()) return Reply::integer(0);
  const int64_t first = input.remembered.number, last = input.remembered.second;
  if (has_mark(input, kHasEnd) && first < 0 && last < 0 && first > last) return Reply::integer(0);
  const std::optional<BitRange> range = range_within(input, versions[0].bytes);
  if (!range) return Reply::integer(0);
  return Reply::integer(static_cast<int64_t>(count_bits(versions[0].bytes, *range)));
}

void bitcount(const CommandCall& call, Plan& plan) {
  const size_t size = call.words.size();
  if (size == 3 || size > 5) return plan.fail(protocol::kSyntaxError);
  if (size > 3) {
    if (!read_integer(call.words[2], plan, &plan.remembered.number)) return;
    if (!read_integer(call.words[3], plan, &plan.remembered.second)) return;
    plan.remembered.text.push_back(kHasEnd);
  }
  if (size == 5 && !read_range_unit(call.words[4], plan)) return;
  plan.read(call.words[1], finish_bitcount);
}

// A value goes on with zero bits behind its end, unless the client named an end.
Reply finish_bitpos(const FinishInput& input) {
  const Versions versions = seen(input);
  const bool one = has_mark(input, kFindsOne);
  if (versions.empty()) return Reply::integer(one ? -1 : 0);
  const std::string_view bytes = versions[0].bytes;
  const std::optional<BitRange> range = range_within(input, bytes);
  if (!range) return Reply::integer(-1);
  if (const std::optional<uint64_t> found = find_bit(bytes, one, *range)) {
    return Reply::integer(static_cast<int64_t>(*found));
  }
  if (one || has_mark(input, kHasEnd)) return Reply::integer(-1);
  return Reply::integer(static_cast<int64_t>(bytes.size()) * 8);
}

void bitpos(const CommandCall& call, Plan& plan) {
  const size_t size = call.words.size();
  int64_t bit = 0;
  if (!read_integer(call.words[2], plan, &bit)) return;
  if (bit != 0 && bit != 1) return plan.fail("ERR The bit argument must be 1 or 0.");
  if (size > 6) return plan.fail(protocol::kSyntaxError);
  if (bit == 1) plan.remembered.text.push_back(kFindsOne);
  if (size > 3 && !read_integer(call.words[3], plan, &plan.remembered.number)) return;
  if (size == 6 && !read_range_unit(call.words[5], plan)) return;
  if (size > 4) {
    if (!read_integer(call.words[4], plan, &plan.remembered.second)) return;
    plan.remembered.text.push_back(kHasEnd);
  }
  plan.read(call.words[1], finish_bitpos);
}

std::optional<BitOperation> read_operation(std::string_view word) {
  if (equals_ignoring_case(word, "and")) return BitOperation::kAnd;
  if (equals_ignoring_case(word, "or")) return BitOperation::kOr;
  if (equals_ignoring_case(word, "xor")) return BitOperation::kXor;
  if (equals_ignoring_case(word, "not")) return BitOperation::kNot;
  return std::nullopt;
}

constexpr size_t kFirstSource = 3;

// Nothing at all removes the destination, as in Redis.
void plan_destination(const StageCall& call, Plan& plan) {
  std::vector<std::string_view> sources;
  for (const StageResult& result : call.results()) sources.push_back(result.bytes());
  plan.argument = combine_bits(*read_operation(call.words[1]), sources);
  if (plan.argument.empty()) {
    plan.edit(call.words[2], kEditRemove, nullptr);
  } else {
    plan.edit(call.words[2], kEditSet, nullptr).value = plan.argument;
  }
}

void bitop_stage(const StageCall& call, Plan& plan) {
  if (call.stage() == 0) {
    for (size_t i = kFirstSource; i < call.words.size(); ++i) plan.read(call.words[i], nullptr);
    return;
  }
  if (call.stage() == 1) return plan_destination(call, plan);
  size_t size = 0;
  for (const StageResult& result : call.done[0]) size = std::max(size, result.bytes().size());
  plan.answer(Reply::integer(static_cast<int64_t>(size)));
}

void bitop(const CommandCall& call, Plan& plan) {
  const std::optional<BitOperation> operation = read_operation(call.words[1]);
  if (!operation) return plan.fail(protocol::kSyntaxError);
  if (operation == BitOperation::kNot && call.words.size() != kFirstSource + 1) {
    return plan.fail("ERR BITOP NOT must be called with a single source key.");
  }
  plan.in_stages(call.words, bitop_stage);
}

constexpr RowHints kCombines{.keys = "OW update", .last_keys = "RO access"};

constexpr CommandRow kRows[] = {
    {"bitcount", -2, kReadonly, 1, 1, 1, Group::kString, "2.6.0", "key [start end [BYTE | BIT]]",
     "How many bits of a value, or of a part of it, are set.", "O(N) for N bytes", bitcount},
    {"bitop", -4, kWrite | kDenyOom | kBarrier, 2, -1, 1, Group::kString, "2.6.0",
     "AND | OR | XOR | NOT destkey key [key ...]",
     "Combines the bits of values, each read on its own, and writes the result to another key: not "
     "atomic across them.",
     "O(N) for N bytes", bitop, &kCombines},
    {"bitpos", -3, kReadonly, 1, 1, 1, Group::kString, "2.8.7",
     "key bit [start [end [BYTE | BIT]]]", "Where the first bit that is set, or clear, stands.",
     "O(N) for N bytes", bitpos},
    {"getbit", 3, kReadonly | kFast, 1, 1, 1, Group::kString, "2.2.0", "key offset",
     "One bit of a value; 0 behind its end.", "O(1)", getbit},
    {"setbit", 4, kWrite | kDenyOom, 1, 1, 1, Group::kString, "2.2.0", "key offset value",
     "Sets or clears one bit and answers what it was; a value grows with zero bits up to it.",
     "O(N) for N bytes", setbit},
};

}  // namespace

std::span<const CommandRow> bit_commands() { return kRows; }

}  // namespace kvorum::server

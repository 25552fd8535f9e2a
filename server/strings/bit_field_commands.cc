// SPDX-License-Identifier: Apache-2.0
// BITFIELD and BITFIELD_RO. Operations that only read are a read of the key; else all of them are
// one edit, so that nobody comes between.
#include <algorithm>

#include "server/commands/edits.h"
#include "server/commands/words.h"
#include "server/strings/bit_fields.h"
#include "server/strings/bit_offset.h"

namespace kvorum::server {
namespace {

using protocol::Reply;

// One result: whether there is one, then the number.
void put_result(std::string& out, std::optional<int64_t> result) {
  put_u8(out, result ? 1 : 0);
  put_u64(out, static_cast<uint64_t>(result.value_or(0)));
}

std::optional<int64_t> run_operation(const FieldOperation& field, std::string& bytes) {
  const int64_t before = read_field(bytes, field);
  if (field.action == FieldAction::kGet) return before;
  const std::optional<int64_t> after = new_field_value(field, before);
  if (!after) return std::nullopt;
  write_field(bytes, field, *after);
  return field.action == FieldAction::kSet ? before : *after;
}

}  // namespace

// Argument: the operations. The value grows up to the last bit that one of them may write.
EditOutput edit_bit_fields(const EditInput& input, std::string& scratch) {
  EditOutput output;
  if (is_conflict(input, scratch, &output)) return output;
  const std::string_view old = input.visible.empty() ? std::string_view() : input.visible[0].bytes;
  uint64_t size = old.size();
  FieldOperation field;
  for (ByteReader reader(input.argument); get_field_operation(reader, &field);) {
    if (field.action != FieldAction::kGet) size = std::max(size, field.last_bit() / 8 + 1);
  }
  if (size > input.value_bytes_max) return reject(protocol::kStringTooLong);
  scratch.assign(old);
  scratch.resize(size);
  std::string results;
  for (ByteReader reader(input.argument); get_field_operation(reader, &field);) {
    put_result(results, run_operation(field, scratch));
  }
  const bool stores = size != old.size() || scratch != old;
  scratch.append(results);
  const std::string_view both = scratch;
  if (stores) output = store_in_place(input, both.substr(0, size));
  output.has_reply_bytes = true;
  output.reply_bytes = both.substr(size);
  return output;
}

namespace {

Reply results_reply(std::string_view results) {
  std::vector<Reply> items;
  for (ByteReader reader(results); !reader.done() && reader.ok();) {
    const bool has = reader.u8() != 0;
    const int64_t number = static_cast<int64_t>(reader.u64());
    items.push_back(has ? Reply::integer(number) : Reply::nil());
  }
  return Reply::array(std::move(items));
}

Reply finish_fields(const FinishInput& input) {
  return results_reply(input.completion.reply_bytes);
}

Reply finish_reading(const FinishInput& input) {
  const Versions versions = seen(input);
  const std::string_view bytes = versions.empty() ? std::string_view() : versions[0].bytes;
  std::vector<Reply> items;
  FieldOperation field;
  for (ByteReader reader(input.remembered.text); get_field_operation(reader, &field);) {
    items.push_back(Reply::integer(read_field(bytes, field)));
  }
  return Reply::array(std::move(items));
}

bool read_field_type(std::string_view word, Plan& plan, FieldOperation* field) {
  const bool is_signed = word.starts_with('i');
  std::optional<int64_t> bits;
  if (is_signed || word.starts_with('u')) bits = protocol::parse_int64(word.substr(1));
  if (!bits || *bits < 1 || *bits > (is_signed ? 64 : 63)) {
    plan.fail(
        "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but "
        "i64 is.");
    return false;
  }
  field->is_signed = is_signed;
  field->bits = static_cast<uint8_t>(*bits);
  return true;
}

bool read_overflow(std::string_view word, Plan& plan, FieldOverflow* overflow) {
  if (equals_ignoring_case(word, "wrap")) {
    *overflow = FieldOverflow::kWrap;
  } else if (equals_ignoring_case(word, "sat")) {
    *overflow = FieldOverflow::kSaturate;
  } else if (equals_ignoring_case(word, "fail")) {
    *overflow = FieldOverflow::kFail;
  } else {
    return plan.fail("ERR Invalid OVERFLOW type specified"), false;
  }
  return true;
}

// The words of one operation behind its name. False with the error set in the plan.
bool read_operation(const CommandCall& call, size_t at, Plan& plan, FieldOperation* field) {
  if (!read_field_type(call.words[at], plan, field)) return false;
  const std::optional<uint64_t> offset =
      read_bit_offset(call, call.words[at + 1], field->bits, plan);
  if (!offset) return false;
  field->offset = *offset;
  field->value = 0;
  return field->action == FieldAction::kGet ||
         read_integer(call.words[at + 2], plan, &field->value);
}

std::optional<FieldAction> read_action(std::string_view word, size_t words_left) {
  if (equals_ignoring_case(word, "get") && words_left >= 2) return FieldAction::kGet;
  if (equals_ignoring_case(word, "set") && words_left >= 3) return FieldAction::kSet;
  if (equals_ignoring_case(word, "incrby") && words_left >= 3) return FieldAction::kIncrement;
  return std::nullopt;
}

// All operations go into the plan's argument. False with the error set in the plan.
bool read_operations(const CommandCall& call, Plan& plan, bool* writes) {
  FieldOperation field;
  for (size_t i = 2; i < call.words.size();) {
    const size_t left = call.words.size() - i - 1;
    if (equals_ignoring_case(call.words[i], "overflow") && left >= 1) {
      if (!read_overflow(call.words[i + 1], plan, &field.overflow)) return false;
      i += 2;
      continue;
    }
    const std::optional<FieldAction> action = read_action(call.words[i], left);
    if (!action) return plan.fail(protocol::kSyntaxError), false;
    field.action = *action;
    if (!read_operation(call, i + 1, plan, &field)) return false;
    put_field_operation(plan.argument, field);
    *writes |= field.action != FieldAction::kGet;
    i += field.action == FieldAction::kGet ? 3 : 4;
  }
  return true;
}

void plan_reading(const CommandCall& call, Plan& plan) {
  plan.remembered.text = plan.argument;
  plan.read(call.words[1], finish_reading);
}

void bitfield(const CommandCall& call, Plan& plan) {
  bool writes = false;
  if (!read_operations(call, plan, &writes)) return;
  if (!writes) return plan_reading(call, plan);
  plan.edit(call.words[1], kEditBitFields, finish_fields).argument = plan.argument;
}

void bitfield_ro(const CommandCall& call, Plan& plan) {
  bool writes = false;
  if (!read_operations(call, plan, &writes)) return;
  if (writes) return plan.fail("ERR BITFIELD_RO only supports the GET subcommand");
  plan_reading(call, plan);
}

constexpr RowHints kFields{.keys = "RW access update variable_flags",
                           .notes = "This command allows both access and modification of the key"};

constexpr CommandRow kRows[] = {
    {"bitfield", -2, kWrite | kDenyOom, 1, 1, 1, Group::kString, "3.2.0",
     "key [GET type offset | [OVERFLOW WRAP | SAT | FAIL] SET type offset value | INCRBY type "
     "offset increment ...]",
     "Reads and changes integers of any width within a value, all in one edit.",
     "O(1) for each operation, O(N) for N bytes", bitfield, &kFields},
    {"bitfield_ro", -2, kReadonly | kFast, 1, 1, 1, Group::kString, "6.0.0",
     "key [GET type offset [GET type offset ...]]", "Reads integers of any width within a value.",
     "O(1) for each operation", bitfield_ro},
};

}  // namespace

std::span<const CommandRow> bit_field_commands() { return kRows; }

}  // namespace kvorum::server

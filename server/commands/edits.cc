// SPDX-License-Identifier: Apache-2.0
#include "server/commands/edits.h"

#include <fmt/format.h>

#include <iterator>

namespace kvorum::server {
namespace {

using cluster::EditRow;
using Verdict = EditOutput::Verdict;

// In the order of their codes.
constexpr EditRow kEdits[] = {
    {"set", edit_set, /*needs_old=*/false, /*idempotent=*/true},
    {"set-if", edit_set_if, true, false},
    {"append", edit_append, true, false},
    {"set-range", edit_set_range, true, true},
    {"increment", edit_increment, true, false},
    {"increment-float", edit_increment_float, true, false},
    {"remove", edit_remove, true, true},
    {"get-remove", edit_get_remove, true, false},
    {"get-expire", edit_get_expire, true, true},
    {"expire", edit_expire, true, true},
    {"persist", edit_persist, true, true},
    {"delete-versions", edit_delete_versions, false, true},
    {"cache-add", edit_cache_add, true, false},
    {"cache-replace", edit_cache_replace, true, true},
    {"cache-join", edit_cache_join, true, false},
    {"cache-cas", edit_cache_cas, true, false},
    {"cache-count", edit_cache_count, true, false},
    {"cache-touch", edit_cache_touch, true, true},
    {"set-bit", edit_set_bit, true, false},
    {"bit-fields", edit_bit_fields, true, false},
    {"set-matching", edit_set_matching, true, false},
    {"remove-matching", edit_remove_matching, true, false},
    {"batch", edit_batch, true, false},
    {"script", edit_script, true, false},
    {"item-store", edit_item_store, true, false},
    {"item-count", edit_item_count, true, false},
    {"item-remove", edit_item_remove, true, false},
    {"item-fetch", edit_item_fetch, true, false},
};
static_assert(std::size(kEdits) == kEditCount);

}  // namespace

cluster::EditTable all_edits() { return kEdits; }

EditOutput keep(uint8_t reply_code, int64_t reply_number) {
  EditOutput output;
  output.reply_code = reply_code;
  output.reply_number = reply_number;
  return output;
}

EditOutput reject(std::string_view error) {
  EditOutput output;
  output.verdict = Verdict::kReject;
  output.has_reply_bytes = true;
  output.reply_bytes = error;
  return output;
}

EditOutput with_reply(EditOutput output, uint8_t reply_code, std::string_view bytes) {
  output.reply_code = reply_code;
  output.has_reply_bytes = true;
  output.reply_bytes = bytes;
  return output;
}

EditOutput store_tombstone(int64_t reply_number) {
  EditOutput output;
  output.verdict = Verdict::kStore;
  output.type = cluster::TypeTag::kTombstone;
  output.reply_number = reply_number;
  return output;
}

EditOutput store_in_place(const EditInput& input, std::string_view bytes) {
  EditOutput output;
  output.verdict = Verdict::kStore;
  output.bytes = bytes;
  if (!input.visible.empty()) {
    output.flags = input.visible[0].flags;
    output.deadline_ms = input.visible[0].deadline_ms;
  }
  return output;
}

std::string conflict_error(size_t siblings) {
  return fmt::format("CONFLICT {} siblings; read with KV.GET, write back with KV.PUT", siblings);
}

bool is_conflict(const EditInput& input, std::string& scratch, EditOutput* output) {
  if (input.visible.size() < 2) return false;
  scratch = conflict_error(input.visible.size());
  *output = reject(scratch);
  return true;
}

void put_value_options(std::string& argument, const ValueOptions& options) {
  if (options.deadline_ms == 0 && options.flags == 0) return;
  put_varint(argument, options.deadline_ms);
  put_varint(argument, options.flags);
}

ValueOptions get_value_options(ByteReader& reader) {
  if (reader.done()) return {};
  ValueOptions options;
  options.deadline_ms = reader.varint();
  options.flags = static_cast<uint32_t>(reader.varint());
  return options;
}

}  // namespace kvorum::server

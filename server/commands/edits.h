// SPDX-License-Identifier: Apache-2.0
// The codes of the edits: how commands change values inside a key's critical section. A code
// travels between nodes, so the list only grows at its end. Each edit stands beside its handler in
// the family's file; its argument is encoded there by the handler and decoded by the edit.
#pragma once

#include <string>

#include "base/bytes.h"
#include "cluster/version/edit.h"

namespace kvorum::server {

enum : cluster::EditCode {
  kEditSet,
  kEditSetIf,
  kEditAppend,
  kEditSetRange,
  kEditIncrement,
  kEditIncrementFloat,
  kEditRemove,
  kEditGetRemove,
  kEditGetExpire,
  kEditExpire,
  kEditPersist,
  kEditDeleteVersions,
  kEditCacheAdd,
  kEditCacheReplace,
  kEditCacheJoin,
  kEditCacheCas,
  kEditCacheCount,
  kEditCacheTouch,
  kEditSetBit,
  kEditBitFields,
  kEditSetMatching,
  kEditRemoveMatching,
  kEditBatch,
  kEditScript,
  kEditItemStore,
  kEditItemCount,
  kEditItemRemove,
  kEditItemFetch,
  kEditCount,  // how many there are
};

using cluster::EditInput;
using cluster::EditOutput;

EditOutput edit_set(const EditInput& input, std::string& scratch);
EditOutput edit_set_if(const EditInput& input, std::string& scratch);
EditOutput edit_append(const EditInput& input, std::string& scratch);
EditOutput edit_set_range(const EditInput& input, std::string& scratch);
EditOutput edit_increment(const EditInput& input, std::string& scratch);
EditOutput edit_increment_float(const EditInput& input, std::string& scratch);
EditOutput edit_remove(const EditInput& input, std::string& scratch);
EditOutput edit_get_remove(const EditInput& input, std::string& scratch);
EditOutput edit_get_expire(const EditInput& input, std::string& scratch);
EditOutput edit_expire(const EditInput& input, std::string& scratch);
EditOutput edit_persist(const EditInput& input, std::string& scratch);
EditOutput edit_delete_versions(const EditInput& input, std::string& scratch);
EditOutput edit_cache_add(const EditInput& input, std::string& scratch);
EditOutput edit_cache_replace(const EditInput& input, std::string& scratch);
EditOutput edit_cache_join(const EditInput& input, std::string& scratch);
EditOutput edit_cache_cas(const EditInput& input, std::string& scratch);
EditOutput edit_cache_count(const EditInput& input, std::string& scratch);
EditOutput edit_cache_touch(const EditInput& input, std::string& scratch);
EditOutput edit_set_bit(const EditInput& input, std::string& scratch);
EditOutput edit_bit_fields(const EditInput& input, std::string& scratch);
EditOutput edit_set_matching(const EditInput& input, std::string& scratch);
EditOutput edit_remove_matching(const EditInput& input, std::string& scratch);
EditOutput edit_batch(const EditInput& input, std::string& scratch);
EditOutput edit_script(const EditInput& input, std::string& scratch);
EditOutput edit_item_store(const EditInput& input, std::string& scratch);
EditOutput edit_item_count(const EditInput& input, std::string& scratch);
EditOutput edit_item_remove(const EditInput& input, std::string& scratch);
EditOutput edit_item_fetch(const EditInput& input, std::string& scratch);

// The edits of all command families, in the order of their codes.
cluster::EditTable all_edits();

// Parts that several edits are made of.
EditOutput keep(uint8_t reply_code, int64_t reply_number = 0);
EditOutput reject(std::string_view error);
// The output, which answers these bytes: they stay until it is read.
EditOutput with_reply(EditOutput output, uint8_t reply_code, std::string_view bytes);
EditOutput store_tombstone(int64_t reply_number);
// A new value in place of visible[0], which lends its flags and deadline where it exists.
EditOutput store_in_place(const EditInput& input, std::string_view bytes);
// What a command answers that would have to choose one of several siblings.
std::string conflict_error(size_t siblings);
// Whether the key has several siblings; then `output` is the CONFLICT rejection.
bool is_conflict(const EditInput& input, std::string& scratch, EditOutput* output);

// The argument of kEditSet and its relatives: deadline and memcached flags, empty where both are 0.
struct ValueOptions {
  uint64_t deadline_ms = 0;
  uint32_t flags = 0;
};
void put_value_options(std::string& argument, const ValueOptions& options);
ValueOptions get_value_options(ByteReader& reader);

}  // namespace kvorum::server

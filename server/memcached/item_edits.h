// SPDX-License-Identifier: Apache-2.0
// The edits of the binary protocol and of the meta commands: what they are told and what they
// answer. Each sees the item as it is, changes it or not, and tells its state, cas unique
// included. Their requests choose the origin of what they write (Request::origin), so that the edit
// knows the unique of it. Values; bytes are borrowed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "server/commands/command.h"

namespace kvorum::server {

enum class StoreMode : uint8_t { kSet, kAdd, kReplace, kAppend, kPrepend };

// The argument of these edits.
struct ItemChange {
  StoreMode mode = StoreMode::kSet;
  bool compares = false;     // only where the item's cas unique is `cas`
  bool invalidates = false;  // store: a wrong unique makes the new value a stale one; remove: the
                             // item stays, stale
  bool sets_deadline = false;
  bool creates = false;        // what is not there, with `created_deadline_ms`
  bool recaches = false;       // one client is told to write anew what ends before `recache_ms`
  bool touches_first = false;  // that is judged by the new deadline
  bool drops_value = false;
  bool counts_down = false;
  bool wants_value = false;
  uint64_t cas = 0;
  uint64_t name = 0;  // the cas unique that the item gets; 0: a new one
  uint64_t deadline_ms = 0, created_deadline_ms = 0, recache_ms = 0;
  uint64_t delta = 1, initial = 0;
  uint32_t flags = 0;
  uint64_t item_bytes_max = UINT64_MAX;  // of what something is appended to
};
void put_item_change(std::string& argument, const ItemChange& change);
ItemChange get_item_change(ByteReader& reader);

// The reply of these edits, but where nothing was found.
struct ItemState {
  uint64_t unique = 0;
  uint64_t deadline_ms = 0, old_deadline_ms = 0;  // after and before
  uint64_t size = 0;                              // of the value
  uint64_t written_ms = 0;                        // when it was, before; 0: there was none
  uint32_t flags = 0;
  uint8_t marks = 0;     // before
  bool won = false;      // this client is to write it anew
  bool created = false;  // there was none
  std::string_view value;
};
void put_item_state(std::string& reply, const ItemState& state);
ItemState get_item_state(std::string_view reply);
// Whether what is there and the input's value together are no item any more.
bool joins_to_too_much(const cluster::EditInput& input, uint64_t item_bytes_max);
// Of what a client sees of its key, which is something.
ItemState item_state(const InlineVector<cluster::Version, 1>& visible);

// An edit of an item. The plan's argument is the change.
struct ItemEdit {
  cluster::EditCode code;
  Finish finish;
  std::string_view key, value;
};
void plan_item_edit(const ItemEdit& edit, NodeFacts& facts, Plan& plan);
// A name of its own for what a request writes, so that its unique can be told.
uint64_t new_origin(NodeFacts& facts);

}  // namespace kvorum::server

// SPDX-License-Identifier: Apache-2.0
// What an update of the table asks for and gets: the words that all of engine/ shares with its
// callers.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/shared_bytes.h"
#include "engine/store/file_reference.h"

namespace kvorum::engine {

// The number of the commit that makes an update durable under the sync policy. Complete when
// CommitQueue::committed() has reached it; 0 is complete at once (memory engine).
using Ticket = uint64_t;

enum class Access : uint8_t {
  kDone,
  // The object may be in the store, or a large body that it is to get has no file yet: load it
  // (StoreReader), then run the operation again. The function may have run, and nothing came of
  // that.
  kNotResident,
  kRefused,  // the store failed: no update is taken until it was reopened
  kFull,     // the memory limit of a memory engine is reached
};

inline constexpr uint64_t kNothingChanged = ~uint64_t{0};

// What an update function wants done to the record that it was shown.
struct RecordChange {
  enum class Action : uint8_t { kKeep, kStore, kErase };
  Action action = Action::kKeep;
  bool live = false;      // a client sees a value here: counted by live_count()
  bool frees = false;     // taken even when memory is full (deletes, repair)
  std::string_view head;  // the new record is head followed by body; both are copied once,
  std::string_view body;  // into the entry, before update() returns; but a body
  const SharedBytes* owner = nullptr;  // that is worth_sharing() is shared; borrowed
  uint64_t digest_change = 0;  // digest(old) ^ digest(new), folded into the partition's digest
  uint64_t deadline_ms = 0;    // when expire() shall show the record again; 0: never
  // A number of the version that changed, the least where several did: see take_oldest_changed().
  uint64_t oldest_changed = kNothingChanged;
  FileReference file{};  // of the body: the table's own business

  // The body is shared, and no part of the entry.
  bool body_stands_apart() const { return worth_sharing(body, owner); }
};

struct UpdateResult {
  Access access = Access::kDone;
  Ticket ticket = 0;
};

}  // namespace kvorum::engine

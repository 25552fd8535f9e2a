// SPDX-License-Identifier: Apache-2.0
// Flush marks: FLUSHDB is not a walk over keys but, per keyspace, a map (node, incarnation) -> HLC
// that covers every dot up to its entry. A covered version is gone; a tombstone, or the bare vector
// of an emptied object, stays until the mark covers its whole vector. Marks merge by maximum.
// Shared by a node's reactors: readers take no lock (published immutable maps).
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/position.h"
#include "cluster/object.h"

namespace kvorum::cluster {

struct FlushMarkEntry {
  uint64_t node = 0;
  uint64_t incarnation = 0;
  Hlc hlc;
};
using FlushMark = std::vector<FlushMarkEntry>;  // in (node, incarnation) order

class FlushMarks {
 public:
  // Cheap: a keyspace that was never flushed costs one load.
  bool any(uint8_t keyspace) const {
    return maps_[keyspace].load(std::memory_order_acquire) != nullptr;
  }
  // Drops from the object what the keyspace's mark covers; all of it (empty()) where the mark covers
  // the whole vector. Returns whether anything changed.
  bool apply(uint8_t keyspace, Object& object) const;

  // Joins another mark in; returns whether it raised anything.
  bool merge(uint8_t keyspace, const FlushMark& mark);
  FlushMark mark(uint8_t keyspace) const;

  // All keyspaces' marks, for links, gossip and the store.
  void encode(std::string& out) const;
  // Merges what encode() made elsewhere. False where the bytes are damaged (nothing is merged then).
  bool merge_encoded(std::string_view bytes);

 private:
  std::array<std::atomic<const FlushMark*>, kKeyspacesMax> maps_{};
  std::mutex lock_;  // of writers
  std::vector<std::unique_ptr<const FlushMark>> published_;  // old maps stay: readers hold no count
};

}  // namespace kvorum::cluster

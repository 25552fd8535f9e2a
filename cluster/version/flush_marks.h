// SPDX-License-Identifier: Apache-2.0
// Flush marks: FLUSHDB is not a walk over keys but, per keyspace, a map (node, incarnation) -> HLC
// that covers every dot up to its entry. A covered version is gone; a tombstone, or the bare vector
// of an emptied object, stays until the mark covers its whole vector. Marks merge by maximum. One
// whose entries all lie below the frontier is forgotten: what it covers is dead by then (object.h,
// drop_dead()). It leaves links, gossip and digests at once, and this node's tables once they were
// swept; who still tells of it is not listened to.
// Shared by a node's reactors: readers take no lock and never wait. A mark's table is only ever
// added to and raised in place; a full one is replaced by one of twice the size and kept for
// readers still in it, so a keyspace that is flushed every minute for years costs no memory beyond
// its authors. A reader may see half of a mark being merged: that is a smaller mark, and as legal.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/function_ref.h"
#include "base/mutex.h"
#include "base/position.h"
#include "cluster/version/object.h"

namespace kvorum::cluster {

struct FlushMarkEntry {
  uint64_t node = 0;
  uint64_t incarnation = 0;
  Hlc hlc;
  bool operator==(const FlushMarkEntry&) const = default;
};
using FlushMark = std::vector<FlushMarkEntry>;  // in (node, incarnation) order

// One mark for several keyspaces, as it travels.
void encode_mark(KeyspaceMask keyspaces, const FlushMark& mark, std::string& out);

class FlushMarks {
 public:
  FlushMarks();
  ~FlushMarks();
  FlushMarks(const FlushMarks&) = delete;

  // Cheap: a keyspace that was never flushed costs one load.
  bool any(uint8_t keyspace) const {
    KVORUM_CHECK(keyspace < kKeyspacesMax);
    return tables_[keyspace].load(std::memory_order_acquire) != nullptr;
  }
  // Drops from the object what the keyspace's mark covers; all of it (empty()) where the mark
  // covers the whole vector. Returns whether anything changed.
  bool apply(uint8_t keyspace, Object& object) const;

  // Joins another mark in; returns whether it raised anything.
  bool merge(uint8_t keyspace, const FlushMark& mark);
  // Makes a mark of this node: `own` gives a reading of its own, which completes the mark. That is
  // taken under the lock that digests are made under: who made one without this mark did so at an
  // earlier reading.
  void flush(KeyspaceMask keyspaces, FlushMark& mark, FunctionRef<FlushMarkEntry()> own);
  // What is not forgotten.
  FlushMark mark(uint8_t keyspace) const;
  // The frontier, of this node or another one, was there. Marks below it are forgotten.
  void forget_below(Hlc frontier);
  // The highest entry of an author in any keyspace.
  Hlc highest_of(uint64_t node, uint64_t incarnation) const;

  // All keyspaces' marks, for links and gossip.
  void encode(std::string& out) const;
  // For the store: also what is forgotten while objects here were not swept yet.
  void encode_all(std::string& out) const;
  // XXH64 of encode(): equal digests, equal marks.
  uint64_t digest() const;
  // What was forgotten: the highest that forget_below() was told.
  Hlc forgotten_below() const;
  // Merges what encode() or several encode_mark() made. False where the bytes are damaged (nothing
  // is merged then). `own`, if given, names an author and gets the highest entry found for it.
  bool merge_encoded(std::string_view bytes, FlushMarkEntry* own = nullptr);

  // Counts the merges that raised anything, and what was forgotten, so that a store knows what it
  // has written.
  uint64_t generation() const { return generation_.load(std::memory_order_acquire); }
  // That of the last raise: objects were covered then, and readers see it.
  uint64_t last_raise() const { return last_raise_.load(std::memory_order_acquire); }
  // Set by who persists marks: everything up to that generation is durable.
  void set_stored(uint64_t generation);
  uint64_t stored() const { return stored_.load(std::memory_order_acquire); }

  // After a mark was raised the keyspace's table holds dead objects until it was swept. Each raise
  // is claimed by one of the node's machines, which sweeps and then says so.
  std::optional<uint64_t> claim_sweep(uint8_t keyspace);
  void finish_sweep(uint8_t keyspace, uint64_t claimed);
  // What was swept is gone from the disk too: a run that begins after a crash does not find it.
  void settle_sweep(uint8_t keyspace, uint64_t claimed);
  bool swept(uint8_t keyspace) const;

 private:
  class Table;

  enum class Which : uint8_t { kRemembered, kAll };
  bool raise(uint8_t keyspace, const FlushMarkEntry& entry) KVORUM_REQUIRES(lock_);
  void raised(KeyspaceMask keyspaces) KVORUM_REQUIRES(lock_);
  FlushMark entries(uint8_t keyspace, Which which) const KVORUM_REQUIRES(lock_);
  void encode(Which which, std::string& out) const;
  bool forget(uint8_t keyspace) KVORUM_REQUIRES(lock_);

  std::array<std::atomic<Table*>, kKeyspacesMax> tables_{};  // null: nothing is covered
  std::array<std::atomic<uint64_t>, kKeyspacesMax> raised_{}, claimed_{}, swept_{}, settled_{};
  std::atomic<uint64_t> generation_{0}, last_raise_{0};
  std::atomic<uint64_t> stored_{0};
  mutable Mutex lock_;  // of writers, and of what follows
  // A keyspace's table, published or not; entries of an epoch that is over are forgotten. They may
  // go on covering what is dead anyway.
  std::array<Table*, kKeyspacesMax> latest_ KVORUM_GUARDED_BY(lock_){};
  std::array<uint64_t, kKeyspacesMax> epochs_ KVORUM_GUARDED_BY(lock_){};
  Hlc forgotten_below_ KVORUM_GUARDED_BY(lock_);
  std::vector<std::unique_ptr<Table>> owned_ KVORUM_GUARDED_BY(lock_);
};

}  // namespace kvorum::cluster

// SPDX-License-Identifier: Apache-2.0
// The ObjectTable holds the objects of a node, by keyspace and partition, under every engine type:
// memory (no store beneath) and leveldb (a Store beneath, the table is its cache). It knows keys
// and opaque records; what a record means is the business of the functions that are handed in.
//
//   coordinator --read/update--> partition { lock, buckets in ring-position order, deadlines,
//                                            hash tree, dirty lists } --CommitQueue--> Store
//                                     ^-------------- StoreReader ----------------------|
//
// read() and update() run synchronously: no I/O, one partition locked, the function is pure and
// must not call the table. What is about a store beneath, and about hash trees, is in the parts
// that the table owns: store_health() <- trees() <- commits(), store_reader(). Any thread may call
// anything unless said otherwise. See design in docs/ARCHITECTURE.md, "Threads".
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/function_ref.h"
#include "base/position.h"
#include "engine/index/record_view.h"
#include "engine/partition/partition_walk.h"
#include "engine/partition/record_change.h"
#include "engine/partition/record_codec.h"
#include "engine/partition/table_directory.h"
#include "engine/partition/table_options.h"
#include "engine/table/commit_queue.h"
#include "engine/table/eviction_hand.h"
#include "engine/table/store_health.h"
#include "engine/table/store_reader.h"
#include "engine/table/tree_access.h"

namespace kvorum::engine {

class ObjectTable {
 public:
  explicit ObjectTable(const TableOptions& options) : directory_(options) {}

  CommitQueue& commits() { return commits_; }
  const CommitQueue& commits() const { return commits_; }
  TreeAccess& trees() { return trees_; }
  const TreeAccess& trees() const { return trees_; }
  StoreHealth& store_health() { return store_health_; }
  const StoreHealth& store_health() const { return store_health_; }
  // Its partitions, for checkpoints (engine/commit/checkpoint.h).
  TableDirectory& directory() { return directory_; }
  JournaledStore* journal() const { return directory_.options().journal; }
  StoreReader& store_reader() { return store_reader_; }
  const StoreReader& store_reader() const { return store_reader_; }

  // fn gets the record, which is absent() where there is none.
  Access read(const KeyRef& key, FunctionRef<void(RecordView record)> fn) const;
  UpdateResult update(const KeyRef& key, FunctionRef<RecordChange(RecordView record)> fn);

  // For a pipeline: first the buckets of all its keys, then their entries, then the work.
  void prefetch_bucket(const KeyRef& key) const;
  void prefetch_entry(const KeyRef& key) const;

  // Shows the objects of a range in position order, whole buckets at a time (ties of a
  // position are never split), at least until `count_min` were shown or the partition's end.
  // kNotResident where the partition is not complete: then StoreReader::scan() on a store thread.
  ScanEnd scan(const ScanRange& range, FunctionRef<void(const ScanItem&)> fn) const;

  // Shows the records whose deadline has come, at most count_max, and applies what fn wants; with
  // kKeep the record stays and the change's deadline_ms is its next one. Returns how many were
  // shown.
  size_t expire(uint64_t now_ms, size_t count_max,
                FunctionRef<RecordChange(const KeyRef& key, RecordView record)> fn);
  // The earliest deadline known, 0 where there is none. May be early, never late.
  uint64_t next_deadline_ms() const { return directory_.shared().deadlines.get(); }

  // The limit of memory (0: none) and what goes for want of it, from now on. Where no keyspace was
  // evicting at first, none ever is.
  void set_limit(uint64_t memory_bytes_max, EvictionPolicy policy);
  uint64_t memory_limit() const { return directory_.shared().wanted_limit(); }
  // Whether a policy would have any effect.
  bool may_evict() const { return directory_.shared().options.evicting_keyspaces != 0; }
  EvictionPolicy eviction() const {
    return directory_.shared().eviction.load(std::memory_order_relaxed);
  }
  // Memory in pages of entries that are not full.
  uint64_t spare_bytes() const {
    const int64_t bytes = directory_.shared().spare_bytes.load(std::memory_order_relaxed);
    return static_cast<uint64_t>(std::max<int64_t>(bytes, 0));
  }
  // So much memory is lost between the objects: where they may be evicted there is less for them.
  void set_lost_bytes(uint64_t bytes) { directory_.shared().set_lost_bytes(bytes); }
  // Of a steady clock: counts of use decay by it.
  void set_minute(uint64_t minute) {
    std::atomic<uint32_t>& known = directory_.shared().minute;
    const auto now = static_cast<uint32_t>(minute);
    if (known.load(std::memory_order_relaxed) != now) known.store(now, std::memory_order_relaxed);
  }
  // How often the object is used, in Redis's logarithmic count, where the policy goes by that.
  std::optional<uint8_t> use_count(const KeyRef& key) const;

  // Objects of the keyspace may have been evicted.
  bool evicts(uint8_t keyspace) const { return directory_.shared().evicts(keyspace); }
  // The memory limit is near: evict() before the next update, which the limit would refuse.
  bool crowded() const { return directory_.shared().crowded(); }
  // It holds more than its limit, and may evict.
  bool evicts_past_limit() const {
    return directory_.shared().over_memory() && directory_.shared().evicts_now();
  }
  // Makes room: shows objects that the policy would rather lose, and drops those that fn wants
  // erased, until there is some or so many were looked at. Of a key's position fn sees only that it
  // is in the partition. Returns how many were dropped.
  size_t evict(FunctionRef<RecordChange(const KeyRef& key, RecordView record)> fn) {
    return eviction_hand_.evict(fn);
  }
  // It holds more than its limit and can make no room: an update that needs some is refused.
  bool is_full() const {
    const TableShared& shared = directory_.shared();
    if (shared.options.store != nullptr || !shared.over_memory()) [[likely]]
      return false;
    return !shared.evicts_now() || eviction_hand_.waits();
  }
  // crowded(), and the last evict() found nothing that it may drop.
  bool eviction_waits() const { return eviction_hand_.waits(); }

  // Applies fn to each record of a keyspace's partition (for flush marks), a bounded stretch under
  // the lock at a time. False where it did not see all of them: some were not resident, or the
  // store has failed.
  bool sweep(uint8_t keyspace, uint32_t partition,
             FunctionRef<RecordChange(const KeyRef& key, RecordView record)> fn);

  // The root of the partition's hash tree: the XOR of its objects' digests.
  uint64_t digest(uint8_t keyspace, uint32_t partition) const;
  // The least RecordChange::oldest_changed that was stored, erased or found in the store since the
  // last call; kNothingChanged where there was none.
  uint64_t take_oldest_changed(uint8_t keyspace, uint32_t partition);
  uint64_t live_count(uint8_t keyspace, uint32_t partition) const;
  // Without those that are due, though expire() has not shown them yet, and that are `gone`.
  uint64_t live_count_at(uint8_t keyspace, uint32_t partition, uint64_t now_ms,
                         FunctionRef<bool(RecordView record)> gone) const;
  // Of the live ones, those with a deadline.
  uint64_t expiring_count(uint8_t keyspace, uint32_t partition) const;
  uint64_t record_count(uint8_t keyspace, uint32_t partition) const;
  // About what its objects take in memory, were all resident (PartitionTable::object_bytes()).
  uint64_t object_bytes(uint8_t keyspace, uint32_t partition) const;
  uint64_t memory_bytes() const;
  int partition_bits() const { return directory_.options().partition_bits; }

 private:
  ObjectCounts counts(uint8_t keyspace, uint32_t partition) const;
  // With no lock held.
  void after_update(const PartitionTable::Outcome& outcome) {
    if (outcome.turned_dirty) directory_.shared().dirty.call_back();
    eviction_hand_.after_growth();
  }
  void raise_next_deadline();

  TableDirectory directory_;
  std::atomic<size_t> expiry_turn_{0};  // the partition that expire() goes on with
  EvictionHand eviction_hand_{directory_};
  StoreHealth store_health_{directory_};
  TreeAccess trees_{directory_, store_health_};
  CommitQueue commits_{directory_, store_health_, trees_};
  StoreReader store_reader_{directory_, store_health_, trees_, eviction_hand_};
};

}  // namespace kvorum::engine

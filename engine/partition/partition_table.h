// SPDX-License-Identifier: Apache-2.0
// The objects of one (keyspace, partition): index, entries, deadlines, counts, digest and dirty
// lists. Created by TableDirectory at the first use of the partition and kept as long as that.
// Everything needs lock() held unless it says otherwise. Never blocks, never calls the store.
//
// With a store an object is in one of these states:
//
//   not resident --load--> clean --update--> dirty --encoded for a batch--> clean, in flight
//        ^                   |                 ^------------update---------------|
//        +------evicted------+  (never while dirty, nor in flight before its batch is written)
//
// An erased object stays as an entry without record (kAbsent) until the erasure was written. The
// dirty objects stand in one of two lists: the current one, and the one that a commit has taken.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/function_ref.h"
#include "base/spin_lock.h"
#include "engine/index/bucket_index.h"
#include "engine/index/entry_pool.h"
#include "engine/partition/partition_deadlines.h"
#include "engine/partition/partition_tree.h"
#include "engine/partition/record_change.h"
#include "engine/partition/table_shared.h"

namespace kvorum::engine {

class PartitionTable {
 public:
  PartitionTable(TableShared* shared, uint8_t keyspace, uint32_t partition);
  ~PartitionTable();

  SpinLock& lock() const { return lock_; }

  // Any thread, without the lock.
  KeyPlace place_of(const KeyRef& key) const {
    const uint64_t high = key.position.high << shared_->options.partition_bits;
    return {key.key, static_cast<uint32_t>(high >> 32), static_cast<uint16_t>(key.position.high)};
  }
  // The place at which a walk from this position on begins: kPlacesEnd where that is behind the
  // partition.
  uint64_t place_from(Position from) const;
  // The least position.high of a place (not of kPlacesEnd).
  uint64_t position_of_place(uint64_t place) const;
  // In positions; meaningless for the only partition of a ring.
  uint64_t partition_width() const { return uint64_t{1} << (64 - shared_->options.partition_bits); }
  KeyRef key_of(const Entry& entry) const;  // with its whole position
  void prefetch_bucket(const KeyRef& key) const;
  void prefetch_entry(const KeyRef& key) const;
  uint64_t earliest_deadline_ms() const { return deadlines_.earliest_ms(); }

  // Marks the entry as used.
  Entry* find(const KeyPlace& at);
  // Every object is resident, so a key that is not here does not exist.
  bool complete() const;
  // The store may have lost objects: counts and tree hold again once the tree was built anew.
  void distrust();

  struct Outcome {
    UpdateResult result;
    bool turned_dirty = false;  // call the dirty callback after the lock was given back
  };
  // The file of a body that is to be stored. False where it has to get one first (load()).
  bool find_file(const KeyRef& key, const Entry* entry, RecordChange& change);
  // `at.key` may be the entry's own.
  Outcome apply(const KeyPlace& at, Entry* entry, const RecordChange& change);

  // Takes what is due first: usually one object, more if they share a place; false if there is
  // none. Each must be given to apply_expired() before the lock is given back.
  bool take_due(uint64_t now_ms, std::vector<Entry*>& due) {
    return deadlines_.take_due(now_ms, due);
  }
  // kKeep takes the change's deadline all the same.
  Outcome apply_expired(Entry* entry, const RecordChange& wanted);
  Outcome apply_swept(Entry* entry, const RecordChange& wanted);

  // Without a store: shows what was not used since the hand came by, or everything, and drops what
  // fn wants erased.
  struct Eviction {
    bool used_too = false;
    uint64_t buckets = 0;  // looked at
    size_t shown = 0, dropped = 0;
  };
  using EvictionJudge = FunctionRef<RecordChange(const KeyRef& key, RecordView record)>;
  void evict(Eviction& eviction, EvictionJudge fn);
  uint8_t keyspace() const { return keyspace_; }

  const BucketIndex& index() const { return index_; }
  uint64_t digest() const { return tree_.hashes().root(); }
  const ObjectCounts& counts() const { return counts_; }
  uint64_t take_oldest_changed() { return std::exchange(oldest_changed_, kNothingChanged); }

  const PartitionTree& tree() const { return tree_; }
  PartitionTree& tree() { return tree_; }
  // The number of objects asks for another depth.
  bool tree_outgrown() const { return tree_.outgrown(counts_.records); }
  // Where building the tree anew goes on, or begins.
  uint64_t tree_frontier() { return tree_.frontier(counts_.records); }
  // One stretch of what is resident. kNotResident where this is not all there is.
  TreeBuild build_tree();
  // One stretch, read elsewhere: records by place from the frontier to `end`.
  TreeBuild build_tree(const std::vector<PartitionTree::Item>& items, uint64_t end);

  // partition_table_store.cc: with a store only.
  // Counts an object found in the store by warm(), as RecordCodec::from_portable() made it of that;
  // its record is installed where `resident`.
  void warm(const KeyRef& key, const RecordChange& found, bool resident);
  // Installs what load() read, likewise, or the mark that there is nothing (null).
  void install(const KeyRef& key, const RecordChange* found);
  // Counts evictions and the like: a load that read the store before a change of it is void.
  uint64_t departures() const { return departures_; }
  void void_loads() { ++departures_; }
  // Erases an object that is not resident and cannot be read, and its file if there is one.
  Outcome forget(const KeyRef& key, const FileReference& file);
  // Has it written once more. True where nothing was dirty before.
  bool rewrite(Entry* entry);
  bool rewrite_all();
  // Evicts what was not used since the hand came by, over a few buckets.
  void evict_some();

  // Begins this partition's part of a round: buckets are on their way into the caches then, and
  // entries after prefetch_taken(). Then encode_some() until it says that nothing is left; the
  // positions in its keys are left open.
  void begin_round(Ticket ticket);
  void prefetch_taken() const;
  // A body that stands apart is shared with the batch.
  bool encode_some(StoreBatch& batch);
  // After the write: forgets the mark of an erased object.
  void forget_erased(const KeyRef& key);
  // After a failed write: what was encoded, and what waits in the taken list, is dirty again.
  void redirty(const KeyRef& key);
  void redirty_taken();

  // A page for the tree in the store, false where none is due or possible.
  bool write_tree_page(std::string& page);

 private:
  uint64_t memory_bytes() const;
  void publish();  // the change of memory use, before the lock is given back
  bool has_store() const { return shared_->options.store != nullptr; }
  bool evict_bucket(Eviction& eviction, EvictionJudge fn);
  Entry* write_record(const KeyPlace& at, Entry* entry, const RecordChange& change);
  void remove(Entry* entry);
  void release(Entry* entry);
  void count(uint32_t place, const Entry* entry, const RecordChange& change);
  // The ticket of the round that will write, or is writing, this entry's present state.
  Ticket pending_ticket(const Entry& entry) const;
  Ticket mark_dirty(Entry* entry, uint16_t tag, bool* turned_dirty);
  KeyPlace place_of(Entry* entry) const;
  bool in_flight(const Entry& entry) const;
  // A record without a value: stays in memory, where the sweep that forgets it finds it.
  static bool is_tombstone(const Entry& entry) {
    return !entry.has(Entry::kLive) && !entry.has(Entry::kAbsent);
  }

  mutable SpinLock lock_;
  TableShared* const shared_;
  const uint32_t partition_;
  const uint8_t keyspace_;
  const bool notes_use_;  // objects may be evicted
  bool odd_ = false;      // which dirty list is the current one
  bool queued_ = false;   // stands in the table's DirtyQueue
  BucketIndex index_;
  EntryPool pool_;
  PartitionDeadlines deadlines_;
  PartitionTree tree_;
  uint64_t oldest_changed_ = kNothingChanged;
  ObjectCounts counts_;
  uint64_t resident_count_ = 0;  // entries with a record
  uint64_t bytes_apart_ = 0;     // of bodies that stand apart from their entries
  int64_t published_bytes_ = 0;

  // By place: a moved entry needs no change here, and equal places only cost a second look.
  struct DirtyPlace {
    uint32_t place;
    uint16_t tag;
  };
  std::vector<DirtyPlace> dirty_;
  std::vector<DirtyPlace> taken_;
  Ticket dirty_ticket_ = 0;
  Ticket taken_ticket_ = 0;
  uint64_t departures_ = 0;
  uint64_t hand_ = 0;          // place where the eviction goes on
  std::vector<Entry*> found_;  // kept for its memory
};

}  // namespace kvorum::engine

// SPDX-License-Identifier: Apache-2.0
// The objects of one (keyspace, partition): index, entries, deadlines, counts, digest and dirty
// lists. Created by TableDirectory at the first use of the partition and kept as long as that.
// What needs lock() held says so to the compiler (thread_safety.h). Never blocks, never calls the
// store.
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
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/function_ref.h"
#include "base/spin_lock.h"
#include "base/thread_safety.h"
#include "engine/index/bucket_index.h"
#include "engine/index/entry_pool.h"
#include "engine/index/use_counters.h"
#include "engine/partition/partition_deadlines.h"
#include "engine/partition/partition_tree.h"
#include "engine/partition/record_change.h"
#include "engine/partition/table_shared.h"

namespace kvorum::engine {

class PartitionTable {
 public:
  PartitionTable(TableShared* shared, uint8_t keyspace, uint32_t partition);
  ~PartitionTable();

  SpinLock& lock() const KVORUM_RETURN_CAPABILITY(lock_) { return lock_; }

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
  // In positions. Not of the only partition of a ring.
  uint64_t partition_width() const {
    KVORUM_CHECK(shared_->options.partition_bits > 0);
    return uint64_t{1} << (64 - shared_->options.partition_bits);
  }
  KeyRef key_of(const Entry& entry) const;  // with its whole position
  // These look without the lock at what is made for that.
  void prefetch_bucket(const KeyRef& key) const KVORUM_NO_THREAD_SAFETY_ANALYSIS;
  void prefetch_entry(const KeyRef& key) const KVORUM_NO_THREAD_SAFETY_ANALYSIS;
  uint64_t earliest_deadline_ms() const KVORUM_NO_THREAD_SAFETY_ANALYSIS {
    return deadlines_.earliest_ms();
  }

  // Marks the entry as used.
  Entry* find(const KeyPlace& at) KVORUM_REQUIRES(lock_);
  // Every object is resident, so a key that is not here does not exist.
  bool complete() const KVORUM_REQUIRES(lock_);
  // The store may have lost objects: counts and tree hold again once the tree was built anew.
  void distrust() KVORUM_REQUIRES(lock_);

  struct Outcome {
    UpdateResult result;
    bool turned_dirty = false;  // call the dirty callback after the lock was given back
  };
  // The file of a body that is to be stored. False where it has to get one first (load()).
  bool find_file(const KeyRef& key, const Entry* entry, RecordChange& change)
      KVORUM_REQUIRES(lock_);
  // `at.key` may be the entry's own.
  Outcome apply(const KeyPlace& at, Entry* entry, const RecordChange& change)
      KVORUM_REQUIRES(lock_);

  // Takes what is due first: usually one object, more if they share a place; false if there is
  // none. Each must be given to apply_expired() before the lock is given back.
  bool take_due(uint64_t now_ms, std::vector<Entry*>& due) KVORUM_REQUIRES(lock_) {
    return deadlines_.take_due(now_ms, due);
  }
  // Live entries that are due and of which `fn` says that nothing is left.
  uint64_t count_gone(uint64_t now_ms, FunctionRef<bool(RecordView record)> fn) const
      KVORUM_REQUIRES(lock_);
  // kKeep takes the change's deadline all the same.
  Outcome apply_expired(Entry* entry, const RecordChange& wanted) KVORUM_REQUIRES(lock_);
  Outcome apply_swept(Entry* entry, const RecordChange& wanted) KVORUM_REQUIRES(lock_);

  // partition_table_evict.cc: without a store. Shows what the policy would rather lose, over a few
  // buckets, and drops what fn wants erased.
  struct Eviction {
    bool past_limit = false;  // kLeastRecent: what was used goes, too; else more of each sample
    uint64_t buckets = 0;     // looked at
    size_t shown = 0, dropped = 0;
    uint64_t freed_bytes = 0;
  };
  using EvictionJudge = FunctionRef<RecordChange(const KeyRef& key, RecordView record)>;
  void evict(Eviction& eviction, EvictionJudge fn) KVORUM_REQUIRES(lock_);
  // Notes from now on what the policy of TableShared asks for.
  void follow_policy() KVORUM_REQUIRES(lock_);
  // As OBJECT FREQ tells it: nothing where that is not noted, or there is no such object.
  std::optional<uint8_t> use_count(const KeyPlace& at) const KVORUM_REQUIRES(lock_);
  uint8_t keyspace() const { return keyspace_; }
  TreePlace tree_place() const { return {keyspace_, partition_}; }

  const BucketIndex& index() const KVORUM_REQUIRES(lock_) { return index_; }
  uint64_t digest() const KVORUM_REQUIRES(lock_) { return tree_.hashes().root(); }
  const ObjectCounts& counts() const KVORUM_REQUIRES(lock_) { return counts_; }
  // About what all objects take in memory. Those that are resident stand for the others; 0 where
  // none is.
  uint64_t object_bytes() const KVORUM_REQUIRES(lock_);
  uint64_t take_oldest_changed() KVORUM_REQUIRES(lock_) {
    return std::exchange(oldest_changed_, kNothingChanged);
  }

  const PartitionTree& tree() const KVORUM_REQUIRES(lock_) { return tree_; }
  PartitionTree& tree() KVORUM_REQUIRES(lock_) { return tree_; }
  // The number of objects asks for another depth.
  bool tree_outgrown() const KVORUM_REQUIRES(lock_) { return tree_.outgrown(counts_.records); }
  // Where building the tree anew goes on, or begins.
  uint64_t tree_frontier() KVORUM_REQUIRES(lock_) { return tree_.frontier(counts_.records); }
  // One stretch of what is resident. kNotResident where this is not all there is.
  TreeBuild build_tree() KVORUM_REQUIRES(lock_);
  // One stretch, read elsewhere: records by place from the frontier to `end`.
  TreeBuild build_tree(const std::vector<PartitionTree::Item>& items, uint64_t end)
      KVORUM_REQUIRES(lock_);

  // partition_table_store.cc: with a store only.
  // Counts an object found in the store by warm(), as RecordCodec::from_portable() made it of that;
  // its record is installed where `resident`.
  void warm(const KeyRef& key, const RecordChange& found, bool resident) KVORUM_REQUIRES(lock_);
  // Of an object whose last change is in the journal alone: keeps it until a checkpoint, or the
  // mark that it was erased (null).
  void warm_journaled(const KeyRef& key, const RecordChange* found) KVORUM_REQUIRES(lock_);
  // Installs what load() read, likewise, or the mark that there is nothing (null).
  void install(const KeyRef& key, const RecordChange* found) KVORUM_REQUIRES(lock_);
  // Counts evictions and the like: a load that read the store before a change of it is void.
  uint64_t departures() const KVORUM_REQUIRES(lock_) { return departures_; }
  void void_loads() KVORUM_REQUIRES(lock_) { ++departures_; }
  // Erases an object that is not resident and cannot be read, and its file if there is one.
  Outcome forget(const KeyRef& key, const FileReference& file) KVORUM_REQUIRES(lock_);
  // Has it written once more. True where nothing was dirty before.
  bool rewrite(Entry* entry) KVORUM_REQUIRES(lock_);
  bool rewrite_all() KVORUM_REQUIRES(lock_);
  // Evicts what was not used since the hand came by, over a few buckets.
  void evict_some() KVORUM_REQUIRES(lock_);

  // Begins this partition's part of a round: buckets are on their way into the caches then, and
  // entries after prefetch_taken(). Then encode_some() until it says that nothing is left; the
  // positions in its keys are left open.
  void begin_round(Ticket ticket) KVORUM_REQUIRES(lock_);
  void prefetch_taken() const KVORUM_REQUIRES(lock_);
  // A body that stands apart is shared with the batch.
  bool encode_some(StoreBatch& batch) KVORUM_REQUIRES(lock_);
  // After the write: forgets the mark of an erased object.
  void forget_erased(const KeyRef& key) KVORUM_REQUIRES(lock_);
  // After a failed write: what was encoded, and what waits in the taken list, is dirty again.
  void redirty(const KeyRef& key) KVORUM_REQUIRES(lock_);
  void redirty_taken() KVORUM_REQUIRES(lock_);

  // partition_table_journal.cc: with a journal only.
  // Appends, from this place on, changes of the epoch that a checkpoint puts into the store, and
  // takes marks of epochs that are over. Their positions are left open, and those of a bucket are
  // in no order. Returns where to go on, kPlacesEnd behind the last.
  uint64_t encode_checkpoint(uint64_t place, StoreBatch& batch) KVORUM_REQUIRES(lock_);
  // Nothing is marked, so there is nothing to encode.
  bool is_checkpointed() const KVORUM_REQUIRES(lock_) { return marked_ == 0; }
  // After a checkpoint: the marks of objects that it erased. Returns where to go on.
  uint64_t forget_checkpointed(uint64_t place) KVORUM_REQUIRES(lock_);
  // A checkpoint will write it.
  bool is_journaled(const Entry& entry) const {
    return shared_->epochs.now().holds(entry.journal_epoch());
  }
  // Has all written again that is_journaled(). True where nothing was dirty before.
  bool rewrite_journaled() KVORUM_REQUIRES(lock_);

  // A page for the tree in the store, false where none is due or possible.
  bool write_tree_page(std::string& page) KVORUM_REQUIRES(lock_);

 private:
  uint64_t memory_bytes() const KVORUM_REQUIRES(lock_);
  void publish() KVORUM_REQUIRES(lock_);  // the change of memory use, before the lock is given back
  bool has_store() const { return shared_->options.store != nullptr; }
  bool evict_stretch(Eviction& eviction, EvictionJudge fn) KVORUM_REQUIRES(lock_);
  bool gather(Eviction& eviction, EvictionOrder order) KVORUM_REQUIRES(lock_);
  void gather_expiring(Eviction& eviction, EvictionOrder order) KVORUM_REQUIRES(lock_);
  void gather_soonest() KVORUM_REQUIRES(lock_);
  void drop_unused(Eviction& eviction, EvictionJudge fn) KVORUM_REQUIRES(lock_);
  void drop_first(Eviction& eviction, EvictionJudge fn) KVORUM_REQUIRES(lock_);
  bool drop(Entry* entry, Eviction& eviction, EvictionJudge fn) KVORUM_REQUIRES(lock_);
  uint64_t rank_of(const Entry& entry, EvictionOrder order) KVORUM_REQUIRES(lock_);
  void note_use(Entry* entry) KVORUM_REQUIRES(lock_);
  void note_first_use(Entry* entry) KVORUM_REQUIRES(lock_);
  uint32_t minute() const { return shared_->minute.load(std::memory_order_relaxed); }
  Entry* write_record(const KeyPlace& at, Entry* entry, const RecordChange& change)
      KVORUM_REQUIRES(lock_);
  void remove(Entry* entry) KVORUM_REQUIRES(lock_);
  void release(Entry* entry) KVORUM_REQUIRES(lock_);
  void count(uint32_t place, const Entry* entry, const RecordChange& change) KVORUM_REQUIRES(lock_);
  // The ticket of the round that will write, or is writing, this entry's present state.
  Ticket pending_ticket(const Entry& entry) const KVORUM_REQUIRES(lock_);
  Ticket mark_dirty(Entry* entry, uint16_t tag, bool* turned_dirty) KVORUM_REQUIRES(lock_);
  KeyPlace place_of(Entry* entry) const KVORUM_REQUIRES(lock_);
  bool in_flight(const Entry& entry) const;
  // Has to stay in memory: the store does not have this state of it.
  bool is_held(const Entry& entry) const {
    return entry.has(Entry::kDirty) || in_flight(entry) || is_journaled(entry);
  }
  void append_change(StoreBatch& batch, const Entry& entry) const KVORUM_REQUIRES(lock_);
  void mark_epoch(Entry* entry, uint8_t epoch) KVORUM_REQUIRES(lock_);
  // A record without a value: stays in memory, where the sweep that forgets it finds it.
  static bool is_tombstone(const Entry& entry) {
    return !entry.has(Entry::kLive) && !entry.has(Entry::kAbsent);
  }

  mutable SpinLock lock_;
  TableShared* const shared_;
  const uint32_t partition_;
  const uint8_t keyspace_;
  bool notes_use_ KVORUM_GUARDED_BY(lock_) = false;  // which objects are evicted hangs on their use
  std::unique_ptr<UseCounters> uses_ KVORUM_GUARDED_BY(lock_);  // kLeastFrequent only
  bool odd_ KVORUM_GUARDED_BY(lock_) = false;     // which dirty list is the current one
  bool queued_ KVORUM_GUARDED_BY(lock_) = false;  // stands in the table's DirtyQueue
  BucketIndex index_ KVORUM_GUARDED_BY(lock_);
  EntryPool pool_ KVORUM_GUARDED_BY(lock_);
  PartitionDeadlines deadlines_ KVORUM_GUARDED_BY(lock_);
  PartitionTree tree_ KVORUM_GUARDED_BY(lock_);
  uint64_t oldest_changed_ KVORUM_GUARDED_BY(lock_) = kNothingChanged;
  ObjectCounts counts_ KVORUM_GUARDED_BY(lock_);
  uint64_t resident_count_ KVORUM_GUARDED_BY(lock_) = 0;  // entries with a record
  // Of bodies that stand apart from their entries.
  uint64_t bytes_apart_ KVORUM_GUARDED_BY(lock_) = 0;
  int64_t published_bytes_ KVORUM_GUARDED_BY(lock_) = 0;
  int64_t published_spare_ KVORUM_GUARDED_BY(lock_) = 0;

  // By place: a moved entry needs no change here, and equal places only cost a second look.
  struct DirtyPlace {
    uint32_t place;
    uint16_t tag;
  };
  std::vector<DirtyPlace> dirty_ KVORUM_GUARDED_BY(lock_);
  std::vector<DirtyPlace> taken_ KVORUM_GUARDED_BY(lock_);
  uint64_t marked_ KVORUM_GUARDED_BY(lock_) = 0;  // entries with a journal epoch
  // What the store has may be more than the entries' kStored says: it was salvaged.
  bool doubts_stored_ KVORUM_GUARDED_BY(lock_) = false;
  Ticket dirty_ticket_ KVORUM_GUARDED_BY(lock_) = 0;
  Ticket taken_ticket_ KVORUM_GUARDED_BY(lock_) = 0;
  uint64_t departures_ KVORUM_GUARDED_BY(lock_) = 0;
  uint64_t hand_ KVORUM_GUARDED_BY(lock_) = 0;  // place where the eviction goes on
  EvictionPolicy policy_ KVORUM_GUARDED_BY(lock_) = EvictionPolicy::kNone;  // that is followed
  struct Ranked {
    uint64_t rank;  // the least goes first
    Entry* entry;
  };
  std::vector<Ranked> ranked_ KVORUM_GUARDED_BY(lock_);  // kept for its memory
  std::vector<Entry*> found_ KVORUM_GUARDED_BY(lock_);   // kept for its memory
};

}  // namespace kvorum::engine

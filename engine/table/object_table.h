// SPDX-License-Identifier: Apache-2.0
// The ObjectTable holds the objects of a node, by keyspace and partition, under every engine type:
// memory (no store beneath) and leveldb (a Store beneath, the table is its cache). It knows keys
// and opaque records; what a record means is the business of the functions that are handed in.
//
//   coordinator --read/update--> partition { lock, buckets in ring-position order, expiry heap,
//                                            XOR digest, dirty list } --commit--> Store
//
// read() and update() run synchronously: no I/O, one partition locked, the function is pure and
// must not call the table. Any thread may call anything unless said otherwise. See design in
// docs/ARCHITECTURE.md, "Threads".
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/function_ref.h"
#include "base/position.h"
#include "base/status.h"
#include "engine/index/record_view.h"
#include "engine/store/file_reference.h"
#include "engine/store/store.h"
#include "engine/tree/hash_tree.h"

namespace kvorum::engine {

class LargeFiles;

// The number of the commit that makes an update durable under the sync policy. Complete when
// committed() has reached it; 0 is complete at once (memory engine).
using Ticket = uint64_t;

enum class Access : uint8_t {
  kDone,
  // The object may be in the store, or a large body that it is to get has no file yet: load() it,
  // then run the operation again. fn may have run, and nothing came of that.
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
};

struct UpdateResult {
  Access access = Access::kDone;
  Ticket ticket = 0;
};

// Translates records between the table's form (interned actors) and the store's portable form.
// Handed in by cluster/; called with no lock held by the caller of the table.
class RecordCodec {
 public:
  virtual ~RecordCodec() = default;
  // As `digest_change` of the update that stored it.
  virtual uint64_t digest(const KeyRef& key, RecordView record) const = 0;
  // Of a record whose body stands apart only what comes before that is appended.
  // What it appends to an empty string never begins with kFiledMark.
  virtual void to_portable(RecordView record, std::string& out) const = 0;
  // False where the bytes are damaged. The record is `head`, followed by the change's body, a view
  // into `portable`. It also gets live, deadline_ms and the digest (in digest_change). A body that
  // is in a file is empty here.
  virtual bool from_portable(const KeyRef& key, std::string_view portable, std::string& head,
                             RecordChange* facts) const = 0;
};

// Told when copies of partitions on this node may have lost objects, before anybody can see it.
// Where there is one, other nodes hold copies too, and what cannot be read may be given up.
class LossListener {
 public:
  virtual ~LossListener() = default;
  virtual void on_loss(uint8_t keyspace, uint32_t partition) = 0;
  virtual void on_loss_of_all() = 0;
};

// What went wrong with the store so far.
struct StoreFaults {
  uint64_t writes_failed = 0;  // but for the next two
  uint64_t syncs_failed = 0;
  uint64_t disk_full = 0;     // a write or a sync
  uint64_t reads_failed = 0;  // I/O errors
  uint64_t damage_met = 0;    // checksums that did not hold, records that made no sense
  // Partitions that did not hold, at a start, what their hash trees said: objects were lost.
  uint64_t copies_lost = 0;
  uint64_t salvages = 0;  // no fault: what could be read of a damaged store was saved

  uint64_t total() const {
    return writes_failed + syncs_failed + disk_full + reads_failed + damage_met + copies_lost;
  }
  StoreFaults& operator+=(const StoreFaults& other);
};

struct TableOptions {
  int partition_bits = 8;
  Partitioner partitioner =
      Partitioner::kMd5;          // positions of keys found in the store are recomputed
  uint64_t hash_seed = 0;         // of long buckets; random per process
  uint64_t memory_bytes_max = 0;  // 0: no limit
  // Without a store: the keyspaces, one bit each, whose objects may be evicted (evict()).
  uint16_t evicting_keyspaces = 0;
  Store* store = nullptr;  // not owned; null: memory engine
  // Not owned. Needed with a store; without it hash trees stay at their root alone. Keys that it
  // is shown for digest() have no position.
  const RecordCodec* codec = nullptr;
  // Not owned, and only with a store: large bodies that are shared have files of their own, and
  // their records in the store refer to them. Null: the store holds all.
  LargeFiles* large_files = nullptr;
  // The store was salvaged: records that are missing may come back, so warm() removes no files.
  bool keeps_unnamed_files = false;
  // Hash trees are kept in the store, and its objects compared with them at start (kept_trees.h).
  bool keeps_trees = false;
};

// A stretch of a partition: from a position (inclusive) until at least count_min objects were
// shown.
struct ScanRange {
  uint8_t keyspace = 0;
  uint32_t partition = 0;
  Position from;
  size_t count_min = 0;
  uint64_t end = 0;  // of position.high, exclusive; 0: the partition's end
};

struct ScanItem {
  KeyRef key;         // borrowed during the call
  RecordView record;  // borrowed during the call
};

struct ScanEnd {
  Access access = Access::kDone;
  bool done = true;  // the partition's end was reached
  Position next;     // where to go on, if not done
};

class ObjectTable {
 public:
  explicit ObjectTable(const TableOptions& options);
  ~ObjectTable();

  // fn gets the record, which is absent() where there is none.
  Access read(const KeyRef& key, FunctionRef<void(RecordView record)> fn) const;
  UpdateResult update(const KeyRef& key, FunctionRef<RecordChange(RecordView record)> fn);

  // For a pipeline: first the buckets of all its keys, then their entries, then the work.
  void prefetch_bucket(const KeyRef& key) const;
  void prefetch_entry(const KeyRef& key) const;

  // Shows the objects of a range in position order, whole buckets at a time (ties of a
  // position are never split), at least until `count_min` were shown or the partition's end.
  // kNotResident where the partition is not complete: then call scan_store() on a store thread.
  ScanEnd scan(const ScanRange& range, FunctionRef<void(const ScanItem&)> fn) const;
  // The same, reading the store where needed. Blocks on I/O.
  Result<ScanEnd> scan_store(const ScanRange& range, FunctionRef<void(const ScanItem&)> fn) const;

  // Shows the records whose deadline has come, at most count_max, and applies what fn wants; with
  // kKeep the record stays and the change's deadline_ms is its next one. Returns how many were
  // shown.
  size_t expire(uint64_t now_ms, size_t count_max,
                FunctionRef<RecordChange(const KeyRef& key, RecordView record)> fn);
  // The earliest deadline known, 0 where there is none. May be early, never late.
  uint64_t next_deadline_ms() const;

  // Objects of the keyspace may be evicted.
  bool evicts(uint8_t keyspace) const;
  // The memory limit is near: evict() before the next update, which the limit would refuse.
  bool crowded() const;
  // Makes room: shows objects that were not used lately, and drops those that fn wants erased,
  // until there is some or so many were looked at; where the limit is reached, used ones too. Of a
  // key's position fn sees only that it is in the partition. Returns how many were dropped.
  size_t evict(FunctionRef<RecordChange(const KeyRef& key, RecordView record)> fn);
  // crowded(), and the last evict() found nothing that it may drop.
  bool eviction_waits() const;

  // Applies fn to each record of a keyspace's partition (for flush marks), a bounded stretch under
  // the lock at a time. False where it did not see all of them: some were not resident, or the
  // store has failed.
  bool sweep(uint8_t keyspace, uint32_t partition,
             FunctionRef<RecordChange(const KeyRef& key, RecordView record)> fn);

  uint64_t digest(uint8_t keyspace, uint32_t partition) const;
  // The least RecordChange::oldest_changed that was stored, erased or found in the store since the
  // last call; kNothingChanged where there was none.
  uint64_t take_oldest_changed(uint8_t keyspace, uint32_t partition);
  // The partition's hash tree (hash_tree.h), whose root the digest is. Leaves are equal stretches
  // of the partition's positions, a power of two of them: 2^depth.
  int tree_depth(uint8_t keyspace, uint32_t partition) const;
  // Appends the nodes of a range. False where the tree is not as deep now.
  bool tree_nodes(const TreeRange& range, std::vector<uint64_t>& out) const;
  // The number of objects asks for more leaves, or fewer.
  bool tree_outgrown(uint8_t keyspace, uint32_t partition) const;
  // One stretch of building the tree anew from the objects, to resize it or to check it. One thread
  // at a time per partition; requests go on. The second one blocks on I/O.
  TreeBuild build_tree(uint8_t keyspace, uint32_t partition);
  Result<TreeBuild> build_tree_from_store(uint8_t keyspace, uint32_t partition);
  uint64_t live_count(uint8_t keyspace, uint32_t partition) const;
  // Of the live ones, those with a deadline.
  uint64_t expiring_count(uint8_t keyspace, uint32_t partition) const;
  uint64_t record_count(uint8_t keyspace, uint32_t partition) const;
  uint64_t memory_bytes() const;
  int partition_bits() const;

  // With a store only.
  // Reads every object once at start: counts, digests, and as many objects as memory holds.
  // Damaged records are counted in damaged_count() and left out. Where there are none, large files
  // that no record refers to are removed. To be called before anything else: until it returned ok,
  // nothing is known to be absent and the counts are wrong.
  Status warm();
  // Of partitions whose objects warm() found to be others than the kept trees say: some were lost.
  const std::vector<TreePlace>& differing_trees() const;
  // Gives large bodies that updates of the key want to store their files, and brings the object
  // into the table, or the mark that there is none. Blocks on I/O; concurrent loads of one key are
  // safe. kCorruption where the store is damaged: it stays not resident until the store was
  // salvaged. A record that makes no sense, or whose file is damaged, is lost at once where there
  // is a listener. An error of a file that is written is a fault, and only of this operation.
  Status load(const KeyRef& key);
  // load() would write a file.
  bool awaits_file(const KeyRef& key) const;
  // One round of group commit: takes the dirty objects as they are, writes one batch, publishes the
  // ticket. Called by one thread (Committer, or the simulator). Returns the number of objects.
  Result<size_t> commit(bool sync);
  // Writes what is due of the hash trees, about so many bytes, between two commits and by the same
  // thread. True where nothing is left to be written: all that changed before this pass began is.
  Result<bool> keep_trees(size_t bytes_max);
  bool trees_kept() const;  // nothing is due
  // The ticket up to which updates are committed.
  Ticket committed() const;
  // The ticket of the latest update: once synced() has reached it, all up to now is on the disk.
  Ticket issued() const;
  // Commits up to this ticket survive a power cut. Without syncs of its own (`never`) whoever
  // commits says what counts as synced.
  Ticket synced() const;
  void note_synced(Ticket ticket);
  bool has_dirty() const;
  // The store failed outside a commit (a sync): updates are refused until recover().
  void fail();
  // After Store::reopen() succeeded: updates are taken again, dirty objects will be written.
  void recover();
  bool failed() const;
  uint64_t damaged_count() const;
  // Before work on the table begins.
  void set_loss_listener(LossListener* listener);
  // A read met damage that Store::salvage() has to mend. Only where there is a listener.
  bool store_damaged() const;
  // Around Store::salvage(), between fail() and recover(). Until their hash trees were built anew
  // partitions do not claim to know what is absent; what memory has and the store lost is written
  // again. Without a listener (hints: all in memory) all is written again at once.
  void lose_all();
  StoreFaults faults() const;
  void note_fault(const Status& status, bool of_sync);  // of a write, or a sync
  void note_salvage();
  // Called (from the updating thread, no lock held) when the table turns from clean to dirty. Set
  // while nobody updates.
  void set_dirty_callback(void (*fn)(void*), void* argument);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace kvorum::engine

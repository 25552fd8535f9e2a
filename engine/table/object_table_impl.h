// SPDX-License-Identifier: Apache-2.0
// The inside of ObjectTable, shared by its .cc files: the directory of partition tables. The
// directory is read without a lock; tables are added and never go before the ObjectTable does.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "engine/table/object_table.h"
#include "engine/table/partition_table.h"
#include "engine/table/table_shared.h"

namespace kvorum::engine {

class TreePlanting;

struct ObjectTable::Impl {
  explicit Impl(const TableOptions& options);
  ~Impl();

  size_t index_of(uint8_t keyspace, uint32_t partition) const {
    return (size_t{keyspace} << shared.options.partition_bits) + partition;
  }
  // Null where the partition was never used.
  PartitionTable* find(uint8_t keyspace, uint32_t partition) const {
    return directory[index_of(keyspace, partition)].load(std::memory_order_acquire);
  }
  PartitionTable* find(const KeyRef& key) const {
    return find(key.keyspace, partition_of(key.position, shared.options.partition_bits));
  }
  PartitionTable& get(uint8_t keyspace, uint32_t partition);
  PartitionTable& get(const KeyRef& key) {
    return get(key.keyspace, partition_of(key.position, shared.options.partition_bits));
  }
  // A partition without table holds nothing, if the store was read.
  bool absent_is_known() const {
    return shared.options.store == nullptr || shared.warmed.load(std::memory_order_acquire);
  }

  void after_update(const PartitionTable::Outcome& outcome) {
    if (outcome.turned_dirty) call_dirty_callback();
    if (shared.options.store != nullptr && shared.over_memory()) evict();
  }
  void call_dirty_callback() const;
  void evict();
  // The next table, round and round; null where it is just being made. Not before the first one.
  PartitionTable* turn_eviction_hand();
  PartitionTable* next_evicting();
  template <class Fn>  // Fn(PartitionTable&), in the order of creation
  void for_each_table(Fn fn) const {
    const size_t count = table_count.load(std::memory_order_acquire);
    for (size_t i = 0; i < count; ++i) {
      PartitionTable* table = tables[i].load(std::memory_order_acquire);
      if (table != nullptr) fn(*table);
    }
  }

  // object_table_store.cc
  static constexpr int kAttemptsMax = 100;  // each lost to an eviction in the partition
  static Status busy();
  bool decode_stored(const KeyRef& key, std::string_view value, std::string& head,
                     RecordChange* facts) const;
  Status read_body(RecordChange* facts, SharedBytes* body) const;
  struct Warming;
  Status remove_unnamed_files(std::vector<uint64_t>& named) const;
  struct Found;
  Status read_stored(const KeyRef& key, Found* found);
  // False: the partition changed in between, try again.
  Result<bool> load_once(PartitionTable& table, const KeyRef& key);
  // What a read of the store came to.
  Status seen(Status status);
  Status lose(PartitionTable& table, const KeyRef& key, const FileReference& file);

  // object_table_store_scan.cc
  struct StoreScan;
  Result<bool> scan_stretch(StoreScan& scan);
  std::vector<PartitionTable::TreeItem> tree_items(const StoreScan& stretch);

  // object_table_commit.cc
  struct Round;
  void begin_batch();
  void begin_partitions(Round& round);
  Status write_batch(Round& round);
  Status write_partition(Round& round, PartitionTable& table);
  void fail_round(Round& round);

  // object_table_kept_trees.cc
  void add_tree_tail();
  void begin_tree_pass();
  bool add_tree_pages(size_t bytes_max);
  void forget_kept_trees();
  // The trees of partitions without objects, after those with some.
  void plant_empty(const KeptTrees& kept_trees, TreePlanting& planting);

  mutable TableShared shared;
  const size_t directory_size;
  std::unique_ptr<std::atomic<PartitionTable*>[]> directory;
  std::unique_ptr<std::atomic<PartitionTable*>[]> tables;  // those of the directory, without gaps
  std::atomic<size_t> table_count{0};
  std::atomic<size_t> expiry_hand{0};
  std::atomic<size_t> eviction_hand{0};
  std::atomic<bool> nothing_evictable{false};  // as the last eviction saw it
  std::atomic<Ticket> committed{0};
  std::atomic<Ticket> synced{0};
  std::atomic<uint64_t> damaged{0};
  std::atomic<bool> store_damaged{false}, losing{false};
  LossListener* listener = nullptr;
  struct {
    std::atomic<uint64_t> writes, syncs, full, reads, damage, salvages;
  } faults{};
  uint32_t batch_number = 0;  // of the committing thread, as is the next
  StoreBatch batch;           // empty between rounds
  std::string tree_changes;   // of the objects in the batch
  struct {
    uint64_t begin = 0, end = 0;  // of the tail's records in the store
    uint64_t pass_end = 0;        // of those that the pass under way makes obsolete
    size_t hand = 0;              // the next table; 0: no pass is under way
    bool skipped = false;         // one whose tree is not known
    bool complete = false;        // as KeptTrees::complete
  } kept;
  std::vector<TreePlace> differing_trees;
  void (*dirty_callback)(void*) = nullptr;
  void* dirty_argument = nullptr;
};

}  // namespace kvorum::engine

// SPDX-License-Identifier: Apache-2.0
// Reads the store beneath a table: all of it at the start, then the objects that are not resident,
// one by one or in scans. All that blocks on I/O is here; it is called with no lock held, by store
// threads. With a store only.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/function_ref.h"
#include "base/position.h"
#include "base/status.h"
#include "engine/partition/partition_walk.h"
#include "engine/partition/table_directory.h"
#include "engine/table/eviction_hand.h"
#include "engine/table/store_health.h"
#include "engine/table/tree_access.h"

namespace kvorum::engine {

class StoreScan;
class TreePlanting;

class StoreReader {
 public:
  // All outlive it.
  StoreReader(TableDirectory& directory, StoreHealth& health, TreeAccess& trees, EvictionHand& hand)
      : directory_(directory), health_(health), trees_(trees), hand_(hand) {}

  // Reads every object once at start: counts, digests, and as many objects as memory holds.
  // Damaged records are counted in damaged_count() and left out. Where there are none, large files
  // that no record refers to are removed. To be called before anything else: until it returned ok,
  // nothing is known to be absent and the counts are wrong.
  Status warm();
  uint64_t damaged_count() const { return damaged_.load(std::memory_order_relaxed); }

  // Gives large bodies that updates of the key want to store their files, and brings the object
  // into the table, or the mark that there is none. Concurrent loads of one key are safe.
  // kCorruption where the store is damaged: it stays not resident until the store was salvaged. A
  // record that makes no sense, or whose file is damaged, is lost at once where there is a
  // listener. An error of a file that is written is a fault, and only of this operation.
  Status load(const KeyRef& key);
  // load() would write a file. Does not block.
  bool awaits_file(const KeyRef& key) const;

  // ObjectTable::scan(), reading the store where needed.
  Result<ScanEnd> scan(const ScanRange& range, FunctionRef<void(const ScanItem&)> fn);
  // TreeAccess::build(), likewise.
  Result<TreeBuild> build_tree(uint8_t keyspace, uint32_t partition);

 private:
  class Warming;
  struct Found;

  Status read_all(const KeptTrees& kept, TreePlanting* planting, std::vector<uint64_t>* files);
  Status remove_unnamed_files(std::vector<uint64_t>& named) const;
  Status read_stored(const KeyRef& key, Found* found);
  Result<bool> load_once(PartitionTable& table, const KeyRef& key);
  Result<bool> read_stretch(PartitionTable& table, StoreScan& stretch);

  TableDirectory& directory_;
  StoreHealth& health_;
  TreeAccess& trees_;
  EvictionHand& hand_;
  std::atomic<uint64_t> damaged_{0};
};

}  // namespace kvorum::engine

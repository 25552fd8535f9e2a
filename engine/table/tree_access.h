// SPDX-License-Identifier: Apache-2.0
// The hash trees of a table's partitions (hash_tree.h): what anti-entropy and the scrub read and
// build of them, and how they are kept in the store (kept_trees.h). There the tail grows with each
// commit, and pages are written in passes over all partitions, a bounded number of bytes at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"
#include "engine/partition/table_directory.h"
#include "engine/store/store.h"
#include "engine/table/store_health.h"
#include "engine/tree/hash_tree.h"
#include "engine/tree/kept_trees.h"

namespace kvorum::engine {

class TreePlanting;

class TreeAccess {
 public:
  // Both outlive it.
  TreeAccess(TableDirectory& directory, StoreHealth& health)
      : directory_(directory), health_(health) {}

  // Any thread. The root is ObjectTable::digest(). Leaves are equal stretches of the partition's
  // positions, a power of two of them: 2^depth.
  int depth(uint8_t keyspace, uint32_t partition) const;
  // Appends the nodes of a range. False where the tree is not as deep now.
  bool nodes(const TreeRange& range, std::vector<uint64_t>& out) const;
  // The number of objects asks for more leaves, or fewer.
  bool outgrown(uint8_t keyspace, uint32_t partition) const;
  // One stretch of building the tree anew from the objects, to resize it or to check it. One thread
  // at a time per partition; requests go on. kNotResident: StoreReader::build_tree().
  TreeBuild build(uint8_t keyspace, uint32_t partition);

  // With a store only; of the thread that commits, between two commits. Writes what is due of the
  // trees, about so many bytes. True where nothing is left to be written: all that changed before
  // this pass began is.
  Result<bool> keep(size_t bytes_max);
  bool kept() const;  // nothing is due
  // Of partitions whose objects the start found to be others than the kept trees say: some were
  // lost.
  const std::vector<TreePlace>& differing() const { return differing_; }

  // For CommitQueue, of its thread. What the objects that were encoded change of the trees in the
  // store.
  void take_changes(PartitionTable& table) KVORUM_REQUIRES(table.lock()) {
    table.tree().take_changes(changes_);
  }
  // Appends that to the batch of these objects.
  void add_tail(StoreBatch& batch);
  // What reached the store of the last writes is not known: all is written anew.
  void forget_kept();

  // For StoreReader, at the start, which nothing else runs beside: what the store has, and what
  // became of it when all objects were read.
  void begin(const KeptTrees& kept_trees);
  void end(const KeptTrees& kept_trees, TreePlanting& planting);

 private:
  void begin_pass();
  bool add_pages(size_t bytes_max);

  TableDirectory& directory_;
  StoreHealth& health_;
  std::vector<TreePlace> differing_;
  // Of the thread that commits, as is all that follows.
  std::string changes_;                     // of the objects in the batch
  StoreBatch batch_;                        // of pages; empty between two calls
  uint64_t tail_begin_ = 0, tail_end_ = 0;  // of the tail's records in the store
  uint64_t pass_end_ = 0;                   // of those that the pass under way makes obsolete
  size_t hand_ = 0;                         // the next partition; 0: no pass is under way
  bool skipped_ = false;                    // one whose tree is not known
  bool complete_ = false;                   // as KeptTrees::complete
};

}  // namespace kvorum::engine

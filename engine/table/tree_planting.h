// SPDX-License-Identifier: Apache-2.0
// Hash trees at the start, while StoreReader::warm() reads the objects of one partition after the
// other. A tree that the store keeps is taken as it is, but for the leaves of its tail, which are
// made from their objects; the others are compared with theirs. A partition without a page gets its
// tree from the objects. Private to engine/; one for each thread that reads.
#pragma once

#include <vector>

#include "engine/partition/partition_table.h"
#include "engine/tree/kept_trees.h"

namespace kvorum::engine {

class TreePlanting {
 public:
  explicit TreePlanting(const KeptTrees& kept) : kept_(kept) {}

  // In the order of the store.
  void see(PartitionTable& table, uint32_t place, uint64_t digest);
  // Of the last partition.
  void plant();
  // What another one found in other partitions, all of which it planted.
  void take_over(const TreePlanting& other);
  // Afterwards, of those that have a kept tree: nothing where the partition has objects.
  void plant_if_empty(PartitionTable& table);

  // Of which objects were lost, or are not what they were.
  const std::vector<TreePlace>& differing() const { return differing_; }

 private:
  // A partition without page and with more objects than this gets its leaves later, by
  // TreeAccess::build().
  static constexpr size_t kItemsMax = 4'000'000;

  void begin(PartitionTable& table);
  bool agrees() const;

  const KeptTrees& kept_;
  PartitionTable* table_ = nullptr;
  const KeptTree* tree_ = nullptr;          // of table_; null: nothing is known
  std::vector<uint64_t> leaves_;            // of its objects, where it has a page
  std::vector<PartitionTree::Item> items_;  // else
  size_t count_ = 0;
  std::vector<TreePlace> differing_;
};

}  // namespace kvorum::engine

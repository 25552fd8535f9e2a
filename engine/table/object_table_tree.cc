// SPDX-License-Identifier: Apache-2.0
// The hash trees of the partitions, as anti-entropy and the scrub use them.
#include <mutex>

#include "engine/table/object_table.h"
#include "engine/table/object_table_impl.h"

namespace kvorum::engine {

int ObjectTable::tree_depth(uint8_t keyspace, uint32_t partition) const {
  const PartitionTable* table = impl_->find(keyspace, partition);
  if (table == nullptr) return 0;
  const std::lock_guard guard(table->lock());
  return table->tree().depth();
}

bool ObjectTable::tree_nodes(const TreeRange& range, std::vector<uint64_t>& out) const {
  const PartitionTable* table = impl_->find(range.keyspace, range.partition);
  if (table == nullptr) {
    if (range.level != 0) return false;
    out.insert(out.end(), range.count, 0);
    return true;
  }
  const std::lock_guard guard(table->lock());
  if (range.level > table->tree().depth()) return false;
  for (uint64_t i = 0; i < range.count; ++i) {
    out.push_back(table->tree().node(range.level, range.first + i));
  }
  return true;
}

bool ObjectTable::tree_outgrown(uint8_t keyspace, uint32_t partition) const {
  const PartitionTable* table = impl_->find(keyspace, partition);
  if (table == nullptr) return false;
  const std::lock_guard guard(table->lock());
  return table->tree_outgrown();
}

TreeBuild ObjectTable::build_tree(uint8_t keyspace, uint32_t partition) {
  PartitionTable* table = impl_->find(keyspace, partition);
  if (table == nullptr) {
    return impl_->absent_is_known() ? TreeBuild::kDone : TreeBuild::kNotResident;
  }
  const std::lock_guard guard(table->lock());
  return table->build_tree();
}

}  // namespace kvorum::engine

// SPDX-License-Identifier: Apache-2.0
#include "engine/table/tree_access.h"

#include "base/check.h"
#include "engine/table/tree_planting.h"

namespace kvorum::engine {

int TreeAccess::depth(uint8_t keyspace, uint32_t partition) const {
  const PartitionTable* table = directory_.find(keyspace, partition);
  if (table == nullptr) return 0;
  const SpinLockGuard guard(table->lock());
  return table->tree().hashes().depth();
}

bool TreeAccess::nodes(const TreeRange& range, std::vector<uint64_t>& out) const {
  const PartitionTable* table = directory_.find(range.keyspace, range.partition);
  if (table == nullptr) {
    if (range.level != 0) return false;
    out.insert(out.end(), range.count, 0);
    return true;
  }
  const SpinLockGuard guard(table->lock());
  const HashTree& tree = table->tree().hashes();
  if (range.level > tree.depth()) return false;
  for (uint64_t i = 0; i < range.count; ++i) out.push_back(tree.node(range.level, range.first + i));
  return true;
}

bool TreeAccess::outgrown(uint8_t keyspace, uint32_t partition) const {
  const PartitionTable* table = directory_.find(keyspace, partition);
  if (table == nullptr) return false;
  const SpinLockGuard guard(table->lock());
  return table->tree_outgrown();
}

TreeBuild TreeAccess::build(uint8_t keyspace, uint32_t partition) {
  PartitionTable* table = directory_.find(keyspace, partition);
  if (table == nullptr) {
    return directory_.absent_is_known() ? TreeBuild::kDone : TreeBuild::kNotResident;
  }
  const SpinLockGuard guard(table->lock());
  return table->build_tree();
}

void TreeAccess::add_tail(StoreBatch& batch) {
  if (changes_.empty()) return;
  put_tree_tail(batch, tail_end_++, changes_);
  changes_.clear();
  directory_.shared().trees_changed.store(true, std::memory_order_relaxed);
}

void TreeAccess::begin_pass() {
  KVORUM_CHECK(tail_begin_ <= tail_end_);
  pass_end_ = tail_end_;
  skipped_ = false;
  directory_.shared().trees_changed.store(false, std::memory_order_relaxed);
}

// True where the last partition was reached.
bool TreeAccess::add_pages(size_t bytes_max) {
  std::string page;
  const size_t count = directory_.count();
  KVORUM_CHECK(hand_ <= count);
  for (; hand_ < count; ++hand_) {
    if (batch_.bytes() >= bytes_max) return false;
    PartitionTable* table = directory_.at(hand_);
    if (table == nullptr) continue;
    page.clear();
    bool written;
    {
      const SpinLockGuard guard(table->lock());
      written = table->write_tree_page(page);
      skipped_ |= table->tree().distrusted();
    }
    if (written) put_tree_page(batch_, table->tree_place(), page);
  }
  return true;
}

void TreeAccess::forget_kept() {
  changes_.clear();
  hand_ = 0;
  complete_ = false;
  if (!directory_.options().keeps_trees) return;
  directory_.for_each([](PartitionTable& table) {
    const SpinLockGuard guard(table.lock());
    table.tree().forget_kept();
  });
}

Result<bool> TreeAccess::keep(size_t bytes_max) {
  if (Status status = health_.may_write(); !status.ok()) return status;
  if (kept()) return true;
  KVORUM_CHECK(directory_.options().store != nullptr);
  KVORUM_CHECK(batch_.empty() && changes_.empty());  // no round is under way
  if (hand_ == 0) begin_pass();
  const bool done = add_pages(bytes_max);
  if (done && !skipped_) {
    for (; tail_begin_ < pass_end_; ++tail_begin_) erase_tree_tail(batch_, tail_begin_);
    if (!complete_) put_trees_complete(batch_);
    complete_ = true;
  }
  if (done) hand_ = 0;
  if (batch_.empty()) return done;
  const Status status = directory_.options().store->write(batch_, false);
  batch_.clear();
  if (status.ok()) return done;
  health_.fail();
  forget_kept();
  return status;
}

bool TreeAccess::kept() const {
  return hand_ == 0 && !directory_.shared().trees_changed.load(std::memory_order_relaxed);
}

void TreeAccess::begin(const KeptTrees& kept_trees) {
  tail_begin_ = kept_trees.tail_begin;
  tail_end_ = kept_trees.tail_end;
  complete_ = kept_trees.complete;
}

// The trees of partitions without objects come after those with some.
void TreeAccess::end(const KeptTrees& kept_trees, TreePlanting& planting) {
  planting.plant();
  for (const auto& [place, tree] : kept_trees.trees) {
    if (place.partition >> directory_.options().partition_bits != 0) continue;  // of another ring
    PartitionTable& table = directory_.get(place.keyspace, place.partition);
    planting.plant_if_empty(table);
  }
  differing_ = planting.differing();
  health_.note_lost_copies(differing_.size());
}

}  // namespace kvorum::engine

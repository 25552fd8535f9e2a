// SPDX-License-Identifier: Apache-2.0
#include "engine/table/tree_planting.h"

#include <utility>

#include "base/check.h"

namespace kvorum::engine {

void TreePlanting::begin(PartitionTable& table) {
  plant();
  table_ = &table;
  tree_ = kept_.find(table.tree_place());
  if (tree_ != nullptr && tree_->has_page) leaves_.assign(tree_->leaves.size(), 0);
}

void TreePlanting::see(PartitionTable& table, uint32_t place, uint64_t digest) {
  if (&table != table_) begin(table);
  ++count_;
  if (!leaves_.empty()) {
    KVORUM_CHECK(tree_->changed.leaf_of(place) < leaves_.size());
    leaves_[tree_->changed.leaf_of(place)] ^= digest;
  } else if (count_ <= kItemsMax) {
    items_.push_back({place, false, false, digest});
  }
}

void TreePlanting::take_over(const TreePlanting& other) {
  KVORUM_CHECK(other.table_ == nullptr);
  differing_.insert(differing_.end(), other.differing_.begin(), other.differing_.end());
}

void TreePlanting::plant_if_empty(PartitionTable& table) {
  {
    const SpinLockGuard guard(table.lock());
    if (table.counts().records != 0) return;
  }
  begin(table);
  plant();
}

// The leaves that did not change since their page.
bool TreePlanting::agrees() const {
  if (tree_ == nullptr) return true;
  KVORUM_CHECK(!tree_->has_page || tree_->leaves.size() == leaves_.size());
  // Without a page there was nothing, but for what the tail says.
  if (!tree_->has_page) return count_ == 0 || tree_->changed.count() != 0;
  for (size_t leaf = 0; leaf < leaves_.size(); ++leaf) {
    if (leaves_[leaf] != tree_->leaves[leaf] && !tree_->changed.contains(leaf)) return false;
  }
  return true;
}

void TreePlanting::plant() {
  if (table_ == nullptr) return;
  KVORUM_CHECK(leaves_.empty() || tree_ != nullptr);  // they are as many as it has
  const bool good = agrees();
  {
    const SpinLockGuard guard(table_->lock());
    PartitionTree& tree = table_->tree();
    if (tree_ != nullptr) {
      tree.resume_kept(*tree_, good);
    } else {
      tree.forget_kept();
    }
    if (!leaves_.empty()) {
      tree.set(tree_->changed.depth(), std::exchange(leaves_, {}));
    } else if (count_ <= kItemsMax) {
      table_->tree_frontier();
      table_->build_tree(items_, HashTree::kPlacesEnd);
    }
  }
  if (!good) differing_.push_back(table_->tree_place());
  table_ = nullptr;
  leaves_.clear();
  items_.clear();
  count_ = 0;
}

}  // namespace kvorum::engine

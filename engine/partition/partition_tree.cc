// SPDX-License-Identifier: Apache-2.0
#include "engine/partition/partition_tree.h"

#include "base/check.h"

namespace kvorum::engine {
namespace {

constexpr int kShrinkLevels = 3;  // a tree this much too deep is built anew

}  // namespace

bool PartitionTree::outgrown(uint64_t records) const {
  if (shared_->options.codec == nullptr) return false;
  const int wanted = HashTree::depth_for(records);
  return wanted > tree_.depth() || wanted + kShrinkLevels <= tree_.depth();
}

uint64_t PartitionTree::frontier(uint64_t records) {
  if (!tree_.building()) {
    tree_.begin_build(HashTree::depth_for(records));
    recount_ = {};
  }
  return tree_.frontier();
}

void PartitionTree::add(const Item& item) {
  tree_.add(item.place, item.digest);
  recount_ += {uint64_t{item.live}, uint64_t{item.live && item.expires}, 1};
}

TreeBuild PartitionTree::advance(uint64_t end, ObjectCounts& counts) {
  tree_.advance(end);
  if (end < HashTree::kPlacesEnd) return TreeBuild::kGoesOn;
  const bool agreed = tree_.finish_build();
  if (distrusted_ || !agreed) set_kept_stale();
  if (distrusted_) {
    KVORUM_CHECK(recount_.hold());
    counts = recount_;
    distrusted_ = false;
  }
  return agreed ? TreeBuild::kDone : TreeBuild::kMismatch;
}

void PartitionTree::distrust() {
  distrusted_ = true;
  tree_.abandon_build();
}

bool PartitionTree::begin_page() {
  if (distrusted_ || !log_.page_due()) return false;
  log_.begin_page(tree_);
  return true;
}

void PartitionTree::set_kept_stale() {
  if (!shared_->options.keeps_trees) return;
  log_.set_stale();
  shared_->trees_changed.store(true, std::memory_order_relaxed);
}

void PartitionTree::forget_kept() {
  log_.forget_written();
  set_kept_stale();
}

void PartitionTree::resume_kept(const KeptTree& kept, bool agrees) {
  log_.resume(kept.generation, kept.changed);
  if (!agrees) log_.set_stale();
  if (log_.page_due()) shared_->trees_changed.store(true, std::memory_order_relaxed);
}

}  // namespace kvorum::engine

// SPDX-License-Identifier: Apache-2.0
// The part of PartitionTable that builds its hash tree from the objects: to make it finer or
// coarser and to check it. The tree in use serves on until the other one is ready.
#include "engine/table/partition_table.h"

namespace kvorum::engine {
namespace {

constexpr size_t kObjectsUnderLockMax = 128;
constexpr size_t kLongBucketStretch = 64;
constexpr int kShrinkLevels = 3;  // a tree this much too deep is built anew

}  // namespace

uint64_t PartitionTable::digest_of(const Entry& entry) const {
  return shared_->options.codec->digest({entry.key(), {}, keyspace_}, entry.record());
}

bool PartitionTable::tree_outgrown() const {
  if (shared_->options.codec == nullptr) return false;
  const int wanted = HashTree::depth_for(record_count_);
  return wanted > tree_.depth() || wanted + kShrinkLevels <= tree_.depth();
}

uint64_t PartitionTable::tree_frontier() {
  if (!tree_.building()) {
    tree_.begin_build(HashTree::depth_for(record_count_));
    recount_ = {};
  }
  return tree_.frontier();
}

TreeBuild PartitionTable::build_tree() {
  if (shared_->options.codec == nullptr) return TreeBuild::kDone;
  if (!complete()) return TreeBuild::kNotResident;
  uint64_t place = tree_frontier();
  for (size_t count = 0; count < kObjectsUnderLockMax && place < HashTree::kPlacesEnd;) {
    found_.clear();
    place = index_.collect_bucket(static_cast<uint32_t>(place), kLongBucketStretch, found_);
    for (const Entry* entry : found_) {
      if (entry->has(Entry::kAbsent)) continue;
      add_to_tree({entry->place(), entry->has(Entry::kLive), entry->has(Entry::kDeadline),
                   digest_of(*entry)});
    }
    count += found_.size() + 1;
  }
  return advance_tree(place);
}

TreeBuild PartitionTable::build_tree(const std::vector<TreeItem>& items, uint64_t end) {
  for (const TreeItem& item : items) add_to_tree(item);
  return advance_tree(end);
}

void PartitionTable::add_to_tree(const TreeItem& item) {
  tree_.add(item.place, item.digest);
  ++recount_.records;
  recount_.live += static_cast<uint64_t>(item.live);
  recount_.expiring += static_cast<uint64_t>(item.live && item.expires);
}

void PartitionTable::distrust() {
  distrusted_ = true;
  void_loads();
  tree_.abandon_build();
}

TreeBuild PartitionTable::advance_tree(uint64_t end) {
  tree_.advance(end);
  const bool done = end >= HashTree::kPlacesEnd;
  const bool agreed = !done || tree_.finish_build();
  if (done && (distrusted_ || !agreed)) set_kept_tree_stale();
  if (done && distrusted_) {
    live_count_ = recount_.live;
    expiring_count_ = recount_.expiring;
    record_count_ = recount_.records;
    distrusted_ = false;
  }
  publish();
  if (!done) return TreeBuild::kGoesOn;
  return agreed ? TreeBuild::kDone : TreeBuild::kMismatch;
}

void PartitionTable::set_kept_tree_stale() {
  if (!shared_->options.keeps_trees) return;
  tree_log_.set_stale();
  shared_->trees_changed.store(true, std::memory_order_relaxed);
}

bool PartitionTable::write_tree_page(std::string& page) {
  if (distrusted_ || !tree_log_.page_due()) return false;
  tree_log_.begin_page(tree_);
  for (const DirtyPlace& dirty : dirty_) tree_log_.note_change(dirty.place);
  tree_log_.write_page(tree_, page);
  return true;
}

void PartitionTable::forget_kept_tree() {
  tree_log_.forget_written();
  set_kept_tree_stale();
}

void PartitionTable::resume_kept_tree(const KeptTree& kept, bool agrees) {
  tree_log_.resume(kept.generation, kept.changed);
  if (!agrees) tree_log_.set_stale();
  if (tree_log_.page_due()) shared_->trees_changed.store(true, std::memory_order_relaxed);
}

}  // namespace kvorum::engine

// SPDX-License-Identifier: Apache-2.0
// The hash tree of one partition as its objects change: the tree in use, the one that is being
// built beside it to make it finer or coarser or to check it, the counts of objects that building
// finds, and what the store has of the tree. A part of PartitionTable, under its lock.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "engine/partition/table_shared.h"
#include "engine/tree/hash_tree.h"
#include "engine/tree/kept_trees.h"

namespace kvorum::engine {

// How many objects a partition has. As a change of that the numbers wrap around below zero.
struct ObjectCounts {
  uint64_t live = 0;      // a client sees a value there
  uint64_t expiring = 0;  // of the live ones, those with a deadline
  uint64_t records = 0;   // objects that exist, resident or not

  // No number is below zero.
  bool hold() const { return expiring <= live && live <= records && records <= INT64_MAX; }
  ObjectCounts& operator+=(const ObjectCounts& change) {
    live += change.live;
    expiring += change.expiring;
    records += change.records;
    return *this;
  }
};

class PartitionTree {
 public:
  struct Item {
    uint32_t place;
    bool live, expires;
    uint64_t digest;
  };

  // `shared` outlives it.
  PartitionTree(TableShared* shared, const TreePlace& place) : shared_(shared), place_(place) {}

  const HashTree& hashes() const { return tree_; }
  size_t memory_bytes() const { return tree_.memory_bytes() + log_.memory_bytes(); }

  // An object at this place changed; as HashTree::fold().
  void fold(uint32_t place, uint64_t digest_change) { tree_.fold(place, digest_change); }
  void count(uint32_t place, const ObjectCounts& change) {
    if (tree_.building() && place < tree_.frontier()) [[unlikely]]
      recount_ += change;
  }

  // So many objects ask for another depth.
  bool outgrown(uint64_t records) const;
  // Building: all objects from the frontier on, a stretch at a time and in any order within one,
  // then advance() to its end. The tree in use serves on until kPlacesEnd was reached.
  uint64_t frontier(uint64_t records);  // begins to build, where it had not begun
  void add(const Item& item);
  // What was counted takes the place of `counts` where these are distrusted.
  TreeBuild advance(uint64_t end, ObjectCounts& counts);
  // What the start made of it: the leaves, 2^depth.
  void set(int depth, std::vector<uint64_t> leaves) { tree_.set(depth, std::move(leaves)); }

  // The store may have lost objects: the tree holds again once it was built anew.
  void distrust();
  bool distrusted() const { return distrusted_; }

  // In the store (kept_trees.h). An object at this place is about to be written.
  void note_change(uint32_t place) {
    if (shared_->options.keeps_trees) log_.note_change(place);
  }
  // Appends what the objects that were written changed of it.
  void take_changes(std::string& tail) { log_.take_changes(place_, tail); }
  // False where no page is due or possible. Else note_change() of every object that the store does
  // not have yet, then write_page().
  bool begin_page();
  void write_page(std::string& page) { log_.write_page(tree_, page); }
  // What the store has of it is not known.
  void forget_kept();
  void resume_kept(const KeptTree& kept, bool agrees);

 private:
  void set_kept_stale();

  TableShared* const shared_;
  const TreePlace place_;
  HashTree tree_;
  TreeLog log_;
  ObjectCounts recount_;  // of what the tree being built has
  bool distrusted_ = false;
};

}  // namespace kvorum::engine

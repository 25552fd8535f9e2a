// SPDX-License-Identifier: Apache-2.0
// The hash trees as a store keeps them, beside the objects: a page for each partition, with the
// leaves as they were at some moment, and a tail of records that name the leaves whose objects
// changed since. A record is written in the batch of the objects that it speaks of, so that page
// and tail never say more than the objects do, wherever the log of the store ends.
//
//   batch: objects ... + leaves that changed first since their page   <- TreeLog, every commit
//   pages, now and then                                               <- TreeAccess::keep()
//   start: pages, tail, then the objects                              <- KeptTrees, TreePlanting
//
// Leaves of the tail count no more; all others have to agree with their objects
// (docs/BACKGROUND.md, "Trees on disk"). Pure, but for KeptTrees::read().
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "engine/store/store.h"
#include "engine/tree/hash_tree.h"

namespace kvorum::engine {

// Some of the leaves of a tree.
class LeafSet {
 public:
  // Of a tree of this depth: none yet.
  void reset(int depth);
  int depth() const { return depth_; }
  size_t count() const { return count_; }
  uint64_t leaf_of(uint64_t place) const { return place >> (HashTree::kPlaceBits - depth_); }
  bool contains(uint64_t leaf) const {
    KVORUM_CHECK(leaf >> depth_ == 0);
    return words_[leaf / 64] >> leaf % 64 & 1;
  }
  // True where it was not in it.
  bool add(uint64_t leaf) {
    KVORUM_CHECK(leaf >> depth_ == 0);
    uint64_t& word = words_[leaf / 64];
    const uint64_t bit = uint64_t{1} << leaf % 64;
    if (word & bit) return false;
    word |= bit;
    ++count_;
    return true;
  }
  // All that share a place with this leaf of a tree of another depth.
  void add(uint64_t leaf, int depth);
  void append_to(std::string& out) const;
  size_t memory_bytes() const { return words_.capacity() * sizeof(uint64_t); }

 private:
  int depth_ = 0;
  size_t count_ = 0;
  std::vector<uint64_t> words_ = {0};
};

// What one partition has written of its tree. A part of PartitionTable, under its lock.
class TreeLog {
 public:
  // An object at this place is about to be written.
  void note_change(uint32_t place) {
    const uint64_t leaf = changed_.leaf_of(place);
    if (changed_.add(leaf)) unwritten_.push_back(static_cast<uint32_t>(leaf));
  }
  // Appends what note_change() noted since, for the tail.
  void take_changes(const TreePlace& place, std::string& tail);
  // The page says what the store does not: another one is due.
  void set_stale() { stale_ = true; }
  bool page_due() const { return stale_ || changed_.count() != 0; }
  // Begins a page: changes from now on belong to its tail. Then note_change() of every object that
  // the store does not have yet, and write_page().
  void begin_page(const HashTree& tree);
  void write_page(const HashTree& tree, std::string& page);
  // Whether what was written lately reached the store is not known.
  void forget_written();
  // As the store has it.
  void resume(uint64_t generation, const LeafSet& changed);
  size_t memory_bytes() const {
    return changed_.memory_bytes() + unwritten_.capacity() * sizeof(uint32_t);
  }

 private:
  uint64_t generation_ = 0;  // of the page; a record of the tail counts if its own is not less
  LeafSet changed_;          // since the page
  std::vector<uint32_t> unwritten_;
  bool stale_ = false;
};

// A partition's page with its tail.
struct KeptTree {
  uint64_t generation = 0;
  bool has_page = false;         // else it is that of a partition that never held anything
  std::vector<uint64_t> leaves;  // 2^depth, of those that are not `changed`
  LeafSet changed;
};

// What a store has of all trees.
struct KeptTrees {
  std::map<TreePlace, KeptTree> trees;
  uint64_t tail_begin = 0, tail_end = 0;  // the numbers of the tail's records
  // All partitions with objects have a page or stand in the tail: a pass was completed once.
  bool complete = false;
  uint64_t damaged = 0;  // pages and records that make no sense

  Status read(const Store& store);
  // Null where nothing is known of this one.
  const KeptTree* find(const TreePlace& place) const;
};

void put_tree_page(StoreBatch& batch, const TreePlace& place, std::string_view page);
// `changes` of one or more partitions.
void put_tree_tail(StoreBatch& batch, uint64_t number, std::string_view changes);
void put_trees_complete(StoreBatch& batch);
void erase_tree_tail(StoreBatch& batch, uint64_t number);
// All that the store keeps of trees: they are made from the objects at the next start.
Status erase_kept_trees(const Store& store, StoreBatch& batch);

}  // namespace kvorum::engine

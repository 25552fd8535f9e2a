// SPDX-License-Identifier: Apache-2.0
// The hash tree of one partition (paper 4.7): equal stretches of its places are the leaves, each
// the XOR of the digests of its objects; a node is the XOR of the leaves below it, the root that of
// all.
//
//   depth 3   root = n0 ^ n1          a node at level l stands for the places that begin
//             /            \          with its l bits; it is computed when somebody asks
//          n0 = l0^..^l3   n1 = l4^..^l7
//          l0 l1 l2 l3     l4 l5 l6 l7     <- stored: one word per leaf
//
// XOR makes an update one operation on one word, in any order. Two trees of different depth compare
// at the levels that both have. A tree becomes finer, and is checked against its data, by building
// another beside it from the objects themselves, a stretch at a time: updates behind the frontier
// go into both. Not thread-safe: a part of PartitionTable, under its lock.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/check.h"

namespace kvorum::engine {

// How far building a partition's hash tree anew has come.
enum class TreeBuild : uint8_t {
  kGoesOn,
  kDone,
  kMismatch,     // done; the tree before had not followed the objects
  kNotResident,  // the store has to be read
};

// Which partition's tree.
struct TreePlace {
  uint8_t keyspace = 0;
  uint32_t partition = 0;
  auto operator<=>(const TreePlace&) const = default;
};

// Nodes of a hash tree: those of one level, from an index on.
struct TreeRange {
  uint8_t keyspace = 0;
  uint32_t partition = 0;
  int level = 0;
  uint64_t first = 0;
  uint64_t count = 1;
};

class HashTree {
 public:
  static constexpr int kPlaceBits = 32;
  static constexpr uint64_t kPlacesEnd = uint64_t{1} << kPlaceBits;
  static constexpr size_t kKeysPerLeaf = 32;
  static constexpr int kDepthMax = 20;

  HashTree() = default;
  HashTree(const HashTree&) = delete;
  HashTree& operator=(const HashTree&) = delete;

  // The depth at which this many objects leave at most kKeysPerLeaf in a leaf.
  static int depth_for(uint64_t objects);

  uint64_t root() const { return root_; }
  int depth() const { return depth_; }
  size_t memory_bytes() const;

  // An object at this place changed; `change` is its digest before ^ its digest after.
  void fold(uint32_t place, uint64_t change) {
    root_ ^= change;
    leaves_[uint64_t{place} >> shift_] ^= change;
    if (building_ != nullptr) [[unlikely]]
      fold_building(place, change);
  }

  // The node at `level` (0..depth) that stands for the places whose first bits are `index`.
  uint64_t node(int level, uint64_t index) const;
  std::span<const uint64_t> leaves() const { return {leaves_, size_t{1} << depth_}; }
  // The tree of these leaves, 2^depth. Not while building.
  void set(int depth, std::vector<uint64_t> leaves);

  // Building: begin_build(), then add() every object from frontier() on in any order within a
  // stretch, advance() to its end, and so on until the frontier is kPlacesEnd; then finish_build().
  bool building() const { return building_ != nullptr; }
  void begin_build(int depth);
  uint64_t frontier() const {
    KVORUM_CHECK(building());
    return building_->frontier;
  }
  void add(uint32_t place, uint64_t digest);
  void advance(uint64_t frontier) {
    KVORUM_CHECK(building() && frontier > building_->frontier && frontier <= kPlacesEnd);
    building_->frontier = frontier;
  }
  void abandon_build() { building_.reset(); }
  // The built tree takes this one's place. False where they do not agree: the tree had not followed
  // the data.
  bool finish_build();

 private:
  struct Building {
    std::vector<uint64_t> leaves;
    int depth = 0;
    uint64_t frontier = 0;
  };

  void fold_building(uint32_t place, uint64_t change);
  bool agrees(const Building& built) const;

  uint64_t root_ = 0;
  uint64_t lone_leaf_ = 0;  // of a tree of depth 0
  uint64_t* leaves_ = &lone_leaf_;
  int depth_ = 0;
  int shift_ = kPlaceBits;
  std::vector<uint64_t> stored_;
  std::unique_ptr<Building> building_;
};

}  // namespace kvorum::engine

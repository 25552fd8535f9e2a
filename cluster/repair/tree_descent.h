// SPDX-License-Identifier: Apache-2.0
// The way down two hash trees of one partition, a few levels at a time, into nodes that differ
// alone. A value: it knows neither the trees nor the peer. Private to the anti-entropy machines.
//
//   begin --> next(), compare() until at_leaves() --> take_stretches() --> ended()
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <vector>

#include "cluster/wire/anti_entropy_messages.h"

namespace kvorum::cluster {

// Of positions (Position::high); an end of 0 is the partition's.
struct Stretch {
  uint64_t from, end;
  bool operator==(const Stretch&) const = default;
};

// Where a partition begins, and of how many bits its number is.
struct PartitionStart {
  uint64_t high;
  int bits;
};

class TreeDescent {
 public:
  static constexpr uint64_t kLeavesPerStretchMax = 8;

  // From the roots, which differ, of trees that both have so many levels below.
  void begin(int depth);
  // Nothing is left to ask about.
  void stop();

  // Fills the nodes to ask the peer about; false where there are none. What was asked about has to
  // be compared before the next question.
  bool next(TreeNodes* question);
  std::span<const uint64_t> asked() const { return asked_; }
  int fan() const;                              // levels from those asked about to their children
  int level() const { return level_ + fan(); }  // of the children
  // The children of all that was asked about, in order. False where the two differ in number.
  bool compare(std::span<const uint64_t> own, std::span<const uint64_t> theirs);

  // All levels were compared; the leaves that differ may be taken.
  bool at_leaves() const { return parents_.empty() && level_ == depth_; }
  // Differing leaves, neighbours together. REQUIRES: at_leaves().
  std::vector<Stretch> take_stretches(const PartitionStart& start);
  // No question is left, and no leaf is untaken.
  bool ended() const { return parents_.empty() && differing_.empty(); }

 private:
  int depth_ = 0;
  int level_ = 0;                 // of parents_
  std::deque<uint64_t> parents_;  // to be asked about
  std::vector<uint64_t> asked_;
  std::vector<uint64_t> differing_;  // children of parents that were compared
};

}  // namespace kvorum::cluster

// SPDX-License-Identifier: Apache-2.0
#include "cluster/repair/tree_descent.h"

#include <algorithm>

#include "base/check.h"

namespace kvorum::cluster {

void TreeDescent::begin(int depth) {
  depth_ = depth;
  level_ = 0;
  parents_.clear();
  asked_.clear();
  differing_.assign(1, 0);
}

void TreeDescent::stop() {
  parents_.clear();
  differing_.clear();
}

int TreeDescent::fan() const { return std::min<int>(kTreeFanMax, depth_ - level_); }

bool TreeDescent::next(TreeNodes* question) {
  if (parents_.empty()) {
    parents_.assign(differing_.begin(), differing_.end());
    differing_.clear();
  }
  if (parents_.empty()) return false;
  KVORUM_CHECK(level_ < depth_);
  question->fan = static_cast<uint8_t>(fan());
  question->level = static_cast<uint8_t>(level());
  const size_t count = std::min(parents_.size(), kTreeParentsMax);
  const auto end = parents_.begin() + static_cast<std::ptrdiff_t>(count);
  question->parents.assign(parents_.begin(), end);
  parents_.erase(parents_.begin(), end);
  asked_ = question->parents;
  return true;
}

bool TreeDescent::compare(std::span<const uint64_t> own, std::span<const uint64_t> theirs) {
  if (own.size() != theirs.size()) return false;
  const int bits = fan();
  KVORUM_CHECK(own.size() == asked_.size() << bits);
  for (size_t at = 0; at < own.size(); ++at) {
    if (own[at] == theirs[at]) continue;
    const uint64_t parent = asked_[at >> bits];
    differing_.push_back(parent << bits | (at & ((uint64_t{1} << bits) - 1)));
  }
  if (parents_.empty()) level_ += bits;
  return true;
}

std::vector<Stretch> TreeDescent::take_stretches(const PartitionStart& start) {
  KVORUM_CHECK(at_leaves());
  const int bits = start.bits + depth_;
  const uint64_t leaves = uint64_t{1} << depth_;
  const auto position = [&](uint64_t leaf) {
    return bits == 0 ? 0 : start.high + (leaf << (64 - bits));
  };
  std::vector<Stretch> stretches;
  for (size_t at = 0; at < differing_.size();) {
    const uint64_t first = differing_[at];
    uint64_t end = first + 1;
    for (++at; at < differing_.size(); ++at, ++end) {
      if (differing_[at] != end || end - first >= kLeavesPerStretchMax) break;
    }
    stretches.push_back({position(first), end == leaves ? 0 : position(end)});
  }
  differing_.clear();
  return stretches;
}

}  // namespace kvorum::cluster

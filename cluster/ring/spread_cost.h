// SPDX-License-Identifier: Apache-2.0
// How badly an order of owners on the ring breaks the wish that near neighbours be distinct nodes,
// zones and racks. Each of the three is a level with two windows: within the hard one equal
// neighbours are avoidable as far as this level goes, within the soft one (`spread`, as far as
// there are enough groups) they are merely better avoided. Used by placement.cc to compare
// candidate orders; a short-lived value.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "cluster/ring/member.h"

namespace kvorum::cluster {

class SpreadCost {
 public:
  // `shares`: how many partitions each member owns (or will own).
  SpreadCost(std::span<const Member> members, std::span<const uint32_t> shares, uint32_t spread);

  // The cost of a partition's owner against its neighbours, both ways around the ring.
  int64_t at(std::span<const MemberIndex> owners, uint32_t partition) const;

  // Whether a sum of costs contains equal neighbours within a hard window.
  static bool is_avoidable(int64_t total);

  // Equal neighbours that could be avoided (cluster/spread/windows.h), one sentence each.
  std::vector<std::string> problems(std::span<const MemberIndex> owners,
                                    std::span<const Member> members) const;

 private:
  struct Level {
    const char* name;
    std::vector<uint16_t> group_of_member;
    uint32_t distinct_window = 1;
  };
  int64_t between(MemberIndex left, MemberIndex right, uint32_t distance) const;

  static constexpr size_t kLevels = 3;  // zone, rack, node: each lies in the one before it

  std::array<Level, kLevels> levels_;
  // By distance and by how many levels two owners share.
  std::vector<std::array<int64_t, kLevels + 1>> costs_;
  uint32_t reach_ = 1;  // the widest window
};

}  // namespace kvorum::cluster

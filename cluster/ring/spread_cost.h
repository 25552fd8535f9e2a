// SPDX-License-Identifier: Apache-2.0
// How badly an order of owners on the ring breaks the wish that near neighbours be distinct nodes,
// zones and racks. Each of the three is a level with two windows: within the hard one equal
// neighbours are avoidable, within the soft one (`spread`, as far as there are enough groups) they
// are merely better avoided. Used by placement.cc to compare candidate orders; a short-lived value.
#pragma once

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

  // Equal neighbours within a hard window, one sentence each.
  std::vector<std::string> problems(std::span<const MemberIndex> owners,
                                    std::span<const Member> members) const;

 private:
  struct Level {
    const char* name;
    std::vector<uint16_t> group_of_member;
    uint32_t hard_window = 1, soft_window = 1;  // distances below are wanted distinct
    int64_t hard_cost, soft_cost;
  };
  int64_t between(MemberIndex left, MemberIndex right, uint32_t distance) const;

  std::vector<Level> levels_;  // those that have more than one group
  uint32_t reach_ = 1;         // the widest window
};

}  // namespace kvorum::cluster

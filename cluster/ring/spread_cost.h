// SPDX-License-Identifier: Apache-2.0
// How badly an order of owners on the ring breaks the wish that near neighbours be distinct nodes,
// zones and racks. Each of the three is a level with two windows: within the hard one equal
// neighbours are avoidable, within the soft one (`spread`, as far as there are enough groups) they
// are merely better avoided. A partition that is nobody's (kNoMember), or a
// departed member's, costs nothing. Used by
// placement.cc and owner_search.cc to compare candidate orders; a short-lived value.
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
  int64_t at(std::span<const MemberIndex> owners, uint32_t partition) const {
    return at_if(owners, partition, owners[partition]);
  }
  // The same if the partition were `owner`'s.
  int64_t at_if(std::span<const MemberIndex> owners, uint32_t partition, MemberIndex owner) const;

  // Whether a sum of costs contains equal neighbours within a hard window.
  static bool is_avoidable(int64_t total);

  // How far apart two partitions still have a cost, plus one.
  uint32_t reach() const { return static_cast<uint32_t>(near_.size()); }

  // Equal neighbours within a hard window, one sentence each.
  std::vector<std::string> problems(std::span<const MemberIndex> owners,
                                    std::span<const Member> members) const;

 private:
  struct Level {
    const char* name;
    std::vector<uint16_t> group_of_member;
    uint32_t hard_window = 1, soft_window = 1;  // distances below are wanted distinct
    int64_t hard_cost = 0, soft_cost = 0;

    int64_t cost(uint32_t distance) const {
      return distance < hard_window ? hard_cost : distance < soft_window ? soft_cost : 0;
    }
  };
  // The cost of two partitions at one distance, by what their owners have in common: nothing, the
  // zone, the rack too, or everything.
  using CostOfKinship = std::array<int64_t, 4>;

  static constexpr uint16_t kNowhere = 0xffff;  // the zone of a member that is not placed

  bool stands(MemberIndex member) const {
    return member < zone_.size() && zone_[member] != kNowhere;
  }

  std::vector<Level> levels_;          // nodes, zones, racks
  std::vector<uint16_t> zone_, rack_;  // by member
  std::vector<CostOfKinship> near_;    // by distance, less than the widest window
};

}  // namespace kvorum::cluster

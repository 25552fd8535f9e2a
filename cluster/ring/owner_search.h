// SPDX-License-Identifier: Apache-2.0
// Improves a placement by exchanges of owners: see placement.h. A short-lived value.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/rng.h"
#include "cluster/ring/member.h"
#include "cluster/ring/spread_cost.h"

namespace kvorum::cluster {

// How many partitions a member may own, and shall at first.
struct ShareGoal {
  uint32_t least = 0, most = 0, wanted = 0;
};

class OwnerSearch {
 public:
  OwnerSearch(std::vector<MemberIndex> owners, const SpreadCost& cost, std::vector<ShareGoal> goals,
              uint64_t seed);
  void hand_over();
  void mend(uint32_t moves_max);
  std::vector<MemberIndex> take() { return std::move(owners_); }

 private:
  struct Step {
    uint32_t partition = 0, other = 0;
    MemberIndex owner = kNoMember, other_owner = kNoMember;
    int64_t gain = INT64_MIN;
    int32_t moves = 0;
  };
  int32_t moved(uint32_t partition, MemberIndex owner) const { return owner != old_[partition]; }
  void consider(Step step, Step& best);
  Step best_step(uint32_t partition);
  bool shares_allow(const Step& step) const;
  void apply(const Step& step);

  const std::vector<MemberIndex> old_;
  std::vector<MemberIndex> owners_;
  const SpreadCost& cost_;
  const std::vector<ShareGoal> goals_;
  std::vector<uint32_t> owned_;
  Rng rng_;
  uint32_t moves_max_ = 0, moves_ = 0;
  uint32_t ties_ = 0;
};

}  // namespace kvorum::cluster

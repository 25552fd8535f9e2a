// SPDX-License-Identifier: Apache-2.0
// Placement where members depart, or weigh more or less than before.
#include <algorithm>
#include <numeric>

#include "base/check.h"
#include "base/rng.h"
#include "cluster/ring/placement_seed.h"
#include "cluster/ring/spread_cost.h"

namespace kvorum::cluster {
namespace {

// Gives partitions away one by one, each to whoever is furthest below its share.
class Rebalance {
 public:
  Rebalance(std::vector<MemberIndex> owners, std::span<const Member> members, RingShape shape)
      : owners_(std::move(owners)),
        members_(members),
        order_(by_id(members)),
        total_(0),
        cost_(members, fair_shares(members, shape.partitions), shape.spread),
        offset_(Rng(placement_seed(members, shape)).below(owners_.size())) {
    const std::vector<uint64_t> weights = weights_of(members);
    for (const uint64_t weight : weights) total_ += static_cast<int64_t>(weight);
    KVORUM_CHECK(total_ > 0);  // somebody is placed
    for (const uint64_t weight : weights) {
      above_.push_back(-static_cast<int64_t>(owners_.size() * weight));
    }
    for (const MemberIndex owner : owners_) above_[owner] += total_;
  }

  // What belongs to members that are not placed.
  void give_away_departed() {
    for (size_t step = 0; step < owners_.size(); ++step) {
      const auto partition = static_cast<uint32_t>((step + offset_) % owners_.size());
      if (!members_[owners_[partition]].is_placed()) give(partition, neediest_for(partition));
    }
  }

  // Until every share is within one partition of its weight's.
  void even_out() {
    for (size_t moves = 0; moves < owners_.size(); ++moves) {
      const MemberIndex donor = furthest(1);
      const MemberIndex taker = furthest(-1);
      const bool uneven = above_[donor] > total_ || above_[taker] < -total_ ||
                          (above_[donor] == total_ && above_[taker] < 0);
      if (donor == taker || !uneven) return;
      give(cheapest_of(donor, taker), taker);
    }
  }

  std::vector<MemberIndex> take() { return std::move(owners_); }

 private:
  void give(uint32_t partition, MemberIndex taker) {
    above_[owners_[partition]] -= total_;
    above_[taker] += total_;
    owners_[partition] = taker;
  }

  int64_t cost_with(uint32_t partition, MemberIndex owner) {
    const MemberIndex before = std::exchange(owners_[partition], owner);
    const int64_t cost = cost_.at(owners_, partition);
    owners_[partition] = before;
    return cost;
  }

  // Of those who lack a partition the one that fits best; of all, where none lacks one.
  MemberIndex neediest_for(uint32_t partition) {
    MemberIndex best = kNoMember;
    int64_t best_cost = 0;
    for (const MemberIndex member : order_) {
      if (!members_[member].is_placed()) continue;
      const bool lacks = 2 * above_[member] + total_ <= 0;
      const bool best_lacks = best != kNoMember && 2 * above_[best] + total_ <= 0;
      if (best_lacks && !lacks) continue;
      const int64_t cost = cost_with(partition, member);
      const bool better = best == kNoMember || (lacks && !best_lacks) || cost < best_cost ||
                          (cost == best_cost && above_[member] < above_[best]);
      if (!better) continue;
      best = member;
      best_cost = cost;
    }
    KVORUM_CHECK(best != kNoMember);
    return best;
  }

  // The placed member that is furthest above its share (sign 1), or below (-1).
  MemberIndex furthest(int64_t sign) const {
    MemberIndex found = kNoMember;
    for (const MemberIndex member : order_) {
      if (!members_[member].is_placed()) continue;
      if (found == kNoMember || sign * above_[member] > sign * above_[found]) found = member;
    }
    return found;
  }

  uint32_t cheapest_of(MemberIndex donor, MemberIndex taker) {
    uint32_t best = 0;
    int64_t best_gain = 0;
    bool found = false;
    for (size_t step = 0; step < owners_.size(); ++step) {
      const auto partition = static_cast<uint32_t>((step + offset_) % owners_.size());
      if (owners_[partition] != donor) continue;
      const int64_t gain = cost_.at(owners_, partition) - cost_with(partition, taker);
      if (found && gain <= best_gain) continue;
      found = true;
      best = partition;
      best_gain = gain;
    }
    KVORUM_CHECK(found);
    return best;
  }

  std::vector<MemberIndex> owners_;
  const std::span<const Member> members_;
  const std::vector<MemberIndex> order_;
  std::vector<int64_t> above_;  // (owned - share) * total_, by member
  int64_t total_;               // of all weights
  const SpreadCost cost_;
  const size_t offset_;
};

}  // namespace

std::vector<MemberIndex> place_without(std::vector<MemberIndex> owners,
                                       std::span<const Member> members, RingShape shape) {
  KVORUM_CHECK(owners.size() == shape.partitions);
  const std::vector<MemberIndex> before = owners;
  Rebalance rebalance(std::move(owners), members, shape);
  rebalance.give_away_departed();
  rebalance.even_out();
  return mended(rebalance.take(), before, members, shape);
}

std::vector<MemberIndex> place_again(std::vector<MemberIndex> owners,
                                     std::span<const Member> members, RingShape shape) {
  return place_without(std::move(owners), members, shape);
}

}  // namespace kvorum::cluster

// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <numeric>

#include "base/check.h"
#include "cluster/ring/owner_search.h"
#include "cluster/ring/placement.h"
#include "cluster/ring/spread_cost.h"

namespace kvorum::cluster {
namespace {

constexpr uint32_t kMendedShare = 20;  // one in so many partitions may move to mend neighbours

// A change of owners among the placed members alone, numbered by their ids.
class Replacing {
 public:
  Replacing(std::span<const MemberIndex> owners, std::span<const Member> members, RingShape shape)
      : shape_(shape), seed_(placement_seed(members, shape)), order_(by_id(members)) {
    KVORUM_CHECK(owners.size() == shape.partitions && !order_.empty());
    std::vector<MemberIndex> number(members.size(), kNoMember);
    for (const MemberIndex member : order_) {
      number[member] = static_cast<MemberIndex>(placed_.size());
      placed_.push_back(members[member]);
    }
    for (const MemberIndex owner : owners) {
      owners_.push_back(owner < number.size() ? number[owner] : kNoMember);
    }
    weights_ = weights_of(placed_);
    total_ = static_cast<int64_t>(std::accumulate(weights_.begin(), weights_.end(), 0ULL));
    for (const uint64_t weight : weights_) {
      above_.push_back(-static_cast<int64_t>(owners_.size() * weight));
    }
    owned_.assign(placed_.size(), 0);
    for (const MemberIndex owner : owners_) {
      if (owner == kNoMember) {
        ++moves_;
        ++unowned_;
      } else {
        above_[owner] += total_;
        ++owned_[owner];
      }
    }
  }

  void give_unowned() {
    for (; unowned_ > 0; --unowned_) shift(kNoMember, furthest(-1));
  }
  void admit(NodeId id) {
    size_t newcomer = 0;
    while (placed_[newcomer].id != id) ++newcomer;
    while (2 * -above_[newcomer] >= total_) {
      const MemberIndex donor = furthest(1);
      if (donor == newcomer) break;
      shift(donor, static_cast<MemberIndex>(newcomer));
      ++moves_;
    }
    moves_max_ = static_cast<uint32_t>(
        owners_.size() * (weights_[newcomer] * kMendedShare + static_cast<uint64_t>(total_)) /
        (kMendedShare * static_cast<uint64_t>(total_)));
  }
  void even_out() {
    while (true) {
      const MemberIndex donor = furthest(1), taker = furthest(-1);
      if (donor == taker) return;
      const bool is_drained = weights_[donor] == 0 && owned_[donor] > 0;
      if (!is_drained && above_[donor] <= total_ && above_[taker] >= -total_) return;
      shift(donor, taker);
      ++moves_;
    }
  }

  std::vector<MemberIndex> place() {
    const SpreadCost cost(placed_, owned_, shape_.spread);
    OwnerSearch search(owners_, cost, goals(), seed_);
    search.hand_over();
    search.mend(moves_max_ ? moves_max_ : moves_ + shape_.partitions / kMendedShare);
    std::vector<MemberIndex> owners = search.take();
    for (MemberIndex& owner : owners) owner = order_[owner];
    return owners;
  }

 private:
  void shift(MemberIndex donor, MemberIndex taker) {
    if (donor != kNoMember) {
      above_[donor] -= total_;
      --owned_[donor];
    }
    above_[taker] += total_;
    ++owned_[taker];
  }
  // The member that is furthest above its share (sign 1), or below (-1).
  MemberIndex furthest(int64_t sign) const {
    MemberIndex found = kNoMember;
    for (MemberIndex m = 0; m < placed_.size(); ++m) {
      if (weights_[m] == 0) {
        if (sign < 0) continue;
        if (owned_[m] > 0) return m;
        continue;
      }
      if (found == kNoMember || sign * above_[m] > sign * above_[found]) found = m;
    }
    KVORUM_CHECK(found != kNoMember);
    return found;
  }
  std::vector<ShareGoal> goals() const {
    std::vector<ShareGoal> goals;
    for (size_t m = 0; m < placed_.size(); ++m) {
      const uint64_t parts = owners_.size() * weights_[m];
      const auto floor = static_cast<uint32_t>(parts / static_cast<uint64_t>(total_));
      const uint32_t ceil = floor + (parts % static_cast<uint64_t>(total_) != 0);
      goals.push_back({std::min(floor, owned_[m]), std::max(ceil, owned_[m]), owned_[m]});
    }
    return goals;
  }

  const RingShape shape_;
  const uint64_t seed_;
  const std::vector<MemberIndex> order_;
  std::vector<Member> placed_;
  std::vector<MemberIndex> owners_;
  std::vector<uint64_t> weights_;
  int64_t total_ = 0;
  std::vector<int64_t> above_;   // (owned - share) * total_
  std::vector<uint32_t> owned_;  // after the change
  uint32_t unowned_ = 0;
  uint32_t moves_ = 0;
  uint32_t moves_max_ = 0;
};

}  // namespace

std::vector<MemberIndex> place_newcomer(std::vector<MemberIndex> owners,
                                        std::span<const Member> members, RingShape shape) {
  KVORUM_CHECK(members.size() >= 2 && members.size() <= kMembersMax);
  Replacing replacing(owners, members, shape);
  replacing.give_unowned();
  replacing.admit(members.back().id);
  replacing.even_out();
  return replacing.place();
}

std::vector<MemberIndex> place_without(std::vector<MemberIndex> owners,
                                       std::span<const Member> members, RingShape shape) {
  Replacing replacing(owners, members, shape);
  replacing.give_unowned();
  replacing.even_out();
  return replacing.place();
}

std::vector<MemberIndex> place_again(std::vector<MemberIndex> owners,
                                     std::span<const Member> members, RingShape shape) {
  return place_without(std::move(owners), members, shape);
}

}  // namespace kvorum::cluster

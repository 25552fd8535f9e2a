// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdlib>
#include <numeric>

#include "base/check.h"
#include "base/rng.h"
#include "cluster/ring/placement_seed.h"
#include "cluster/ring/spread_cost.h"

namespace kvorum::cluster {
namespace {

constexpr uint32_t kMovesPerPartition = 128;
constexpr int64_t kUnevenDonorCost = 1LL << 45;  // more than any neighbourhood

// How many partitions each old member gives to the newcomer: always from whoever is furthest above
// its new share, so that it is a little from everyone.
std::vector<uint32_t> donations(std::span<const MemberIndex> owners,
                                std::span<const Member> members) {
  const std::vector<uint64_t> weights = weights_of(members);
  const auto total = static_cast<int64_t>(std::accumulate(weights.begin(), weights.end(), 0ULL));
  const auto partitions = static_cast<int64_t>(owners.size());
  std::vector<int64_t> above;  // (owned - quota) * total
  for (const uint64_t weight : weights) above.push_back(-partitions * static_cast<int64_t>(weight));
  for (const MemberIndex owner : owners) above[owner] += total;

  std::vector<uint32_t> gives(members.size() - 1, 0);
  int64_t& newcomer = above.back();
  while (true) {
    const auto donor = std::max_element(above.begin(), above.end() - 1);
    const bool due = 2 * -newcomer >= total;
    const bool too_full = *donor >= total && newcomer <= 0;
    if (!due && !too_full) return gives;
    ++gives[static_cast<size_t>(donor - above.begin())];
    *donor -= total;
    newcomer += total;
  }
}

// Where the newcomer goes: begins with evenly spaced partitions of donors that still have to give,
// then moves single choices as long as that lowers the cost.
class Admission {
 public:
  Admission(std::vector<MemberIndex> owners, std::span<const Member> members, RingShape shape)
      : old_(owners),
        owners_(std::move(owners)),
        newcomer_(static_cast<MemberIndex>(members.size() - 1)),
        to_give_(donations(old_, members)),
        cost_(members, shares_after(), shape.spread),
        rng_(placement_seed(members, shape)) {}

  std::vector<MemberIndex> place() {
    choose_evenly();
    improve();
    return std::move(owners_);
  }

 private:
  std::vector<uint32_t> shares_after() const {
    std::vector<uint32_t> shares(size_t{newcomer_} + 1, 0);
    for (const MemberIndex owner : old_) ++shares[owner];
    for (size_t donor = 0; donor < to_give_.size(); ++donor) {
      shares[donor] -= to_give_[donor];
      shares[newcomer_] += to_give_[donor];
    }
    return shares;
  }

  void take(uint32_t partition) {
    owners_[partition] = newcomer_;
    --to_give_signed_[old_[partition]];
  }
  void give_back(uint32_t partition) {
    owners_[partition] = old_[partition];
    ++to_give_signed_[old_[partition]];
  }

  void choose_evenly() {
    to_give_signed_.assign(to_give_.begin(), to_give_.end());
    const uint64_t wanted = std::accumulate(to_give_.begin(), to_give_.end(), 0ULL);
    const uint64_t offset = rng_.below(old_.size());
    for (uint64_t turn = 0; turn < wanted; ++turn) {
      const uint64_t begin = turn * old_.size() / wanted, end = (turn + 1) * old_.size() / wanted;
      auto best = static_cast<uint32_t>((begin + offset) & (old_.size() - 1));
      for (uint64_t at = begin; at < end; ++at) {
        const auto partition = static_cast<uint32_t>((at + offset) & (old_.size() - 1));
        if (to_give_signed_[old_[partition]] > to_give_signed_[old_[best]]) best = partition;
      }
      take(best);
      taken_.push_back(best);
    }
  }

  // The cost around two partitions, and of donors that give too much or too little.
  int64_t cost_of(uint32_t a, uint32_t b) const {
    const int64_t uneven = std::abs(to_give_signed_[old_[a]]) +
                           (old_[a] == old_[b] ? 0 : std::abs(to_give_signed_[old_[b]]));
    return cost_.at(owners_, a) + cost_.at(owners_, b) + uneven * kUnevenDonorCost;
  }

  void improve() {
    if (taken_.empty()) return;
    for (uint64_t step = 0; step < uint64_t{kMovesPerPartition} * old_.size(); ++step) {
      uint32_t& chosen = taken_[rng_.below(taken_.size())];
      const uint64_t shift = rng_.chance(0.5) ? rng_.below(old_.size()) : rng_.between(0, 8) - 4;
      const auto other = static_cast<uint32_t>((chosen + shift) & (old_.size() - 1));
      if (owners_[other] == newcomer_) continue;
      const int64_t before = cost_of(chosen, other);
      give_back(chosen);
      take(other);
      if (cost_of(chosen, other) <= before) {
        chosen = other;
      } else {
        give_back(other);
        take(chosen);
      }
    }
  }

  const std::vector<MemberIndex> old_;
  std::vector<MemberIndex> owners_;
  const MemberIndex newcomer_;
  const std::vector<uint32_t> to_give_;  // by donor
  std::vector<int64_t> to_give_signed_;  // what is left of it; negative: gave too much
  SpreadCost cost_;
  Rng rng_;
  std::vector<uint32_t> taken_;
};

}  // namespace

std::vector<MemberIndex> place_newcomer(std::vector<MemberIndex> owners,
                                        std::span<const Member> members, RingShape shape) {
  KVORUM_CHECK(members.size() >= 2 && members.size() <= kMembersMax);
  KVORUM_CHECK(owners.size() == shape.partitions);
  const std::vector<MemberIndex> before = owners;
  return mended(Admission(std::move(owners), members, shape).place(), before, members, shape);
}

}  // namespace kvorum::cluster

// SPDX-License-Identifier: Apache-2.0
#include "cluster/placement.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <tuple>

#include "base/bytes.h"
#include "base/check.h"
#include "base/hash.h"
#include "base/rng.h"
#include "cluster/spread_cost.h"

namespace kvorum::cluster {
namespace {

constexpr uint32_t kShufflesPerPartition = 32;
constexpr uint32_t kRepairEvaluationsPerPartition = 512;
constexpr uint32_t kFruitlessRepairsMax = 4;
constexpr uint32_t kMovesPerPartition = 128;
constexpr int64_t kUnevenDonorCost = 1 << 18;  // less than equal neighbours, more than all else

// All weights zero (a cluster being drained) counts as all weights one.
std::vector<uint64_t> weights_of(std::span<const Member> members) {
  std::vector<uint64_t> weights;
  for (const Member& member : members) weights.push_back(member.weight);
  if (std::all_of(weights.begin(), weights.end(), [](uint64_t weight) { return weight == 0; })) {
    weights.assign(members.size(), 1);
  }
  return weights;
}

std::vector<MemberIndex> by_id(std::span<const Member> members) {
  std::vector<MemberIndex> order(members.size());
  std::iota(order.begin(), order.end(), MemberIndex{0});
  std::sort(order.begin(), order.end(), [&](MemberIndex a, MemberIndex b) {
    return std::tie(members[a].id, members[a].name) < std::tie(members[b].id, members[b].name);
  });
  return order;
}

// Random choices must be the same on every node: the seed is a digest of what placement depends on.
uint64_t seed_of(std::span<const Member> members, RingShape shape) {
  std::string text;
  put_u32(text, shape.partitions);
  for (const MemberIndex index : by_id(members)) {
    put_u64(text, members[index].id);
    put_u32(text, members[index].weight);
  }
  return xxh64(text);
}

// Takes one from each list in turn until all are empty.
std::vector<MemberIndex> take_turns(const std::vector<std::vector<MemberIndex>>& lists) {
  std::vector<MemberIndex> order;
  bool taken = true;
  for (size_t turn = 0; taken; ++turn) {
    taken = false;
    for (const auto& list : lists) {
      if (turn >= list.size()) continue;
      order.push_back(list[turn]);
      taken = true;
    }
  }
  return order;
}

// By id, but racks within a zone, and zones, taking turns.
std::vector<MemberIndex> alternating_order(std::span<const Member> members) {
  std::map<std::string, std::map<std::string, std::vector<MemberIndex>>> places;
  for (const MemberIndex index : by_id(members)) {
    places[members[index].zone][members[index].rack].push_back(index);
  }
  std::vector<std::vector<MemberIndex>> zones;
  for (const auto& [zone, racks] : places) {
    std::vector<std::vector<MemberIndex>> lists;
    for (const auto& [rack, list] : racks) lists.push_back(list);
    zones.push_back(take_turns(lists));
  }
  return take_turns(zones);
}

// Each member's partitions at even distances, the members one step apart: sorting these wishes
// gives an order that is nearly free of equal neighbours whatever the weights are.
std::vector<MemberIndex> even_order(std::span<const Member> members,
                                    std::span<const uint32_t> shares) {
  struct Wish {
    uint64_t place;
    uint32_t rank;
    MemberIndex member;
  };
  std::vector<Wish> wishes;
  const std::vector<MemberIndex> order = alternating_order(members);
  for (uint32_t rank = 0; rank < order.size(); ++rank) {
    const uint64_t share = shares[order[rank]];
    for (uint64_t turn = 0; turn < share; ++turn) {
      const uint64_t numerator = turn * order.size() + rank;
      wishes.push_back({(numerator << 32) / (share * order.size()), rank, order[rank]});
    }
  }
  std::sort(wishes.begin(), wishes.end(), [](const Wish& a, const Wish& b) {
    return a.place != b.place ? a.place < b.place : a.rank < b.rank;
  });
  std::vector<MemberIndex> owners;
  for (const Wish& wish : wishes) owners.push_back(wish.member);
  return owners;
}

// Exchanges the owners of two partitions unless that is worse than before.
bool exchange(std::vector<MemberIndex>& owners, const SpreadCost& cost, uint32_t a, uint32_t b) {
  if (owners[a] == owners[b]) return false;
  const int64_t before = cost.at(owners, a) + cost.at(owners, b);
  std::swap(owners[a], owners[b]);
  if (cost.at(owners, a) + cost.at(owners, b) <= before) return true;
  std::swap(owners[a], owners[b]);
  return false;
}

int64_t total_cost(const std::vector<MemberIndex>& owners, const SpreadCost& cost) {
  int64_t total = 0;
  for (uint32_t partition = 0; partition < owners.size(); ++partition) {
    total += cost.at(owners, partition);
  }
  return total;
}

void shuffle(std::vector<MemberIndex>& owners, const SpreadCost& cost, Rng& rng) {
  const uint64_t partitions = owners.size();
  for (uint64_t step = 0; step < kShufflesPerPartition * partitions; ++step) {
    exchange(owners, cost, static_cast<uint32_t>(rng.below(partitions)),
             static_cast<uint32_t>(rng.below(partitions)));
  }
}

// Tries for every partition with a cost all exchanges, until nothing costs or nothing helps.
void repair(std::vector<MemberIndex>& owners, const SpreadCost& cost, Rng& rng) {
  const auto partitions = static_cast<uint32_t>(owners.size());
  uint64_t budget = uint64_t{kRepairEvaluationsPerPartition} * partitions;
  int64_t best = total_cost(owners, cost);
  for (uint32_t fruitless = 0; best > 0 && fruitless < kFruitlessRepairsMax; ++fruitless) {
    for (uint32_t partition = 0; partition < partitions; ++partition) {
      if (cost.at(owners, partition) == 0) continue;
      if (budget < partitions) return;
      budget -= partitions;
      const auto offset = static_cast<uint32_t>(rng.below(partitions));
      for (uint32_t step = 0; step < partitions; ++step) {
        exchange(owners, cost, partition, (offset + step) & (partitions - 1));
      }
    }
    const int64_t now = total_cost(owners, cost);
    if (now < best) fruitless = 0;
    best = std::min(best, now);
  }
}

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
        rng_(seed_of(members, shape)) {}

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
      for (uint64_t place = begin; place < end; ++place) {
        const auto partition = static_cast<uint32_t>((place + offset) & (old_.size() - 1));
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

std::vector<uint32_t> fair_shares(std::span<const Member> members, uint32_t partitions) {
  const std::vector<uint64_t> weights = weights_of(members);
  const uint64_t total = std::accumulate(weights.begin(), weights.end(), 0ULL);
  std::vector<uint32_t> shares;
  uint32_t given = 0;
  for (const uint64_t weight : weights) {
    shares.push_back(static_cast<uint32_t>(partitions * weight / total));
    given += shares.back();
  }
  // The partitions lost in rounding down go to the largest remainders, by id among equals.
  std::vector<MemberIndex> order = by_id(members);
  std::stable_sort(order.begin(), order.end(), [&](MemberIndex a, MemberIndex b) {
    return partitions * weights[a] % total > partitions * weights[b] % total;
  });
  for (size_t next = 0; given < partitions; ++next, ++given) ++shares[order[next]];
  return shares;
}

std::vector<MemberIndex> place_founders(std::span<const Member> founders, RingShape shape) {
  KVORUM_CHECK(!founders.empty() && founders.size() <= kMembersMax);
  KVORUM_CHECK(shape.partitions > 0 && shape.partitions <= kPartitionsMax);
  KVORUM_CHECK((shape.partitions & (shape.partitions - 1)) == 0);
  const std::vector<uint32_t> shares = fair_shares(founders, shape.partitions);
  std::vector<MemberIndex> owners = even_order(founders, shares);
  const SpreadCost cost(founders, shares, shape.spread);
  Rng rng(seed_of(founders, shape));
  repair(owners, cost, rng);
  shuffle(owners, cost, rng);
  repair(owners, cost, rng);
  return owners;
}

std::vector<MemberIndex> place_newcomer(std::vector<MemberIndex> owners,
                                        std::span<const Member> members, RingShape shape) {
  KVORUM_CHECK(members.size() >= 2 && members.size() <= kMembersMax);
  KVORUM_CHECK(owners.size() == shape.partitions);
  return Admission(std::move(owners), members, shape).place();
}

std::vector<std::string> placement_problems(std::span<const MemberIndex> owners,
                                            std::span<const Member> members, uint32_t spread) {
  std::vector<uint32_t> owned(members.size(), 0);
  for (const MemberIndex owner : owners) ++owned[owner];
  const std::vector<uint64_t> weights = weights_of(members);
  const uint64_t total = std::accumulate(weights.begin(), weights.end(), 0ULL);
  std::vector<std::string> problems = SpreadCost(members, owned, spread).problems(owners, members);
  for (size_t index = 0; index < members.size(); ++index) {
    const uint64_t quota = owners.size() * weights[index];  // times total, as below
    const uint64_t has = owned[index] * total;
    if ((has > quota ? has - quota : quota - has) <= total) continue;
    problems.push_back("member " + members[index].name + " owns " + std::to_string(owned[index]) +
                       " partitions, its weight asks for about " + std::to_string(quota / total));
  }
  return problems;
}

}  // namespace kvorum::cluster

// SPDX-License-Identifier: Apache-2.0
#include "cluster/ring/placement.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <tuple>

#include "base/bytes.h"
#include "base/check.h"
#include "base/hash.h"
#include "base/rng.h"
#include "cluster/ring/placement_seed.h"
#include "cluster/ring/spread_cost.h"
#include "cluster/spread/mend.h"

namespace kvorum::cluster {
namespace {

constexpr uint32_t kAttemptsMin = 2, kAttemptsMax = 12;
constexpr uint32_t kAttemptedPartitions = 4096;  // over all attempts: a large ring gets fewer
constexpr uint32_t kShufflesPerPartition = 32;
constexpr uint32_t kRepairEvaluationsPerPartition = 128;
constexpr uint32_t kFruitlessRepairsMax = 4;
constexpr uint32_t kMendedDivisor = 20;  // to mend, a change moves 5 % of the partitions at most

using Sequences = std::vector<std::vector<MemberIndex>>;

// Ways to make several sequences one in which each of them stands at even distances. None is best
// for all shares, so founding tries them in turn.
enum class Merge : uint8_t {
  kLongestFirst,  // the longest sequence has the least room for its wishes, so it is placed first
  kByWish,        // all wishes at once, sorted
};

std::vector<MemberIndex> merge_longest_first(Sequences sequences) {
  std::stable_sort(sequences.begin(), sequences.end(),
                   [](const auto& a, const auto& b) { return a.size() > b.size(); });
  size_t places = 0;
  for (const auto& sequence : sequences) places += sequence.size();
  std::vector<MemberIndex> merged(places, kNoMember);
  std::vector<size_t> open(places);
  std::iota(open.begin(), open.end(), size_t{0});
  for (const auto& sequence : sequences) {
    std::vector<size_t> still_open;
    size_t next = 0;
    for (size_t index = 0; index < open.size(); ++index) {
      if (next < sequence.size() && index == next * open.size() / sequence.size()) {
        merged[open[index]] = sequence[next++];
      } else {
        still_open.push_back(open[index]);
      }
    }
    open = std::move(still_open);
  }
  KVORUM_CHECK(open.empty());
  return merged;
}

std::vector<MemberIndex> merge_by_wish(const Sequences& sequences) {
  struct Wish {
    uint64_t ring_key;  // a fraction of the ring, times 2^32
    MemberIndex member;
  };
  std::vector<Wish> wishes;
  for (uint64_t rank = 0; rank < sequences.size(); ++rank) {
    const std::vector<MemberIndex>& sequence = sequences[rank];
    const uint64_t steps = sequence.size() * sequences.size();
    for (uint64_t turn = 0; turn < sequence.size(); ++turn) {
      wishes.push_back({((turn * sequences.size() + rank) << 32) / steps, sequence[turn]});
    }
  }
  std::stable_sort(wishes.begin(), wishes.end(),
                   [](const Wish& a, const Wish& b) { return a.ring_key < b.ring_key; });
  std::vector<MemberIndex> merged;
  for (const Wish& wish : wishes) merged.push_back(wish.member);
  return merged;
}

std::vector<MemberIndex> merge(Sequences sequences, Merge way) {
  return way == Merge::kByWish ? merge_by_wish(sequences)
                               : merge_longest_first(std::move(sequences));
}

// The nodes of a rack at even distances, then the racks of a zone, then the zones.
std::vector<MemberIndex> even_order(std::span<const Member> members,
                                    std::span<const uint32_t> shares, Merge way) {
  std::map<std::string, std::map<std::string, Sequences>> nodes;
  for (const MemberIndex index : by_id(members)) {
    nodes[members[index].zone][members[index].rack].emplace_back(shares[index], index);
  }
  Sequences zones;
  for (auto& [zone, zone_racks] : nodes) {
    Sequences racks;
    for (auto& [rack, sequences] : zone_racks) racks.push_back(merge(std::move(sequences), way));
    zones.push_back(merge(std::move(racks), way));
  }
  return merge(std::move(zones), way);
}

// The same rhythm for every node, ordered such that racks and zones alternate.
std::vector<MemberIndex> flat_order(std::span<const Member> members,
                                    std::span<const uint32_t> shares, Merge way) {
  const std::vector<uint32_t> once(members.size(), 1);
  Sequences nodes;
  for (const MemberIndex index : even_order(members, once, Merge::kByWish)) {
    nodes.emplace_back(shares[index], index);
  }
  return merge(std::move(nodes), way);
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

}  // namespace

std::vector<uint64_t> weights_of(std::span<const Member> members) {
  std::vector<uint64_t> weights;
  for (const Member& member : members) {
    weights.push_back(member.is_placed() ? member.weight : 0);
  }
  if (std::all_of(weights.begin(), weights.end(), [](uint64_t weight) { return weight == 0; })) {
    std::transform(members.begin(), members.end(), weights.begin(),
                   [](const Member& member) { return member.is_placed() ? 1 : 0; });
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

PlaceNumbers place_numbers(std::span<const Member> members) {
  std::map<std::pair<std::string, std::string>, uint16_t> racks;
  std::map<std::string, uint16_t> zones;
  PlaceNumbers places;
  for (const Member& member : members) {
    const auto rack = static_cast<uint16_t>(racks.size()),
               zone = static_cast<uint16_t>(zones.size());
    places.rack.push_back(racks.try_emplace({member.zone, member.rack}, rack).first->second);
    places.zone.push_back(zones.try_emplace(member.zone, zone).first->second);
  }
  return places;
}

std::vector<MemberIndex> mended(std::vector<MemberIndex> owners,
                                std::span<const MemberIndex> before,
                                std::span<const Member> members, RingShape shape) {
  // Where nobody says where it stands, distinct nodes are all that there is to reach.
  const bool stands = std::any_of(members.begin(), members.end(), [](const Member& member) {
    return !member.zone.empty() || !member.rack.empty();
  });
  if (shape.placement < kPlacementMended || !stands) return owners;
  std::vector<uint32_t> owned(members.size(), 0);
  uint32_t moves = 0;
  for (uint32_t at = 0; at < owners.size(); ++at) {
    ++owned[owners[at]];
    if (!before.empty() && before[at] != owners[at]) ++moves;
  }
  const GapCost cost(place_numbers(members), owned, shape.spread);
  const MendLimits limits{before, moves + shape.partitions / kMendedDivisor};
  return mend(std::move(owners), cost, limits, placement_seed(members, shape));
}

uint64_t placement_seed(std::span<const Member> members, RingShape shape) {
  std::string text;
  put_u32(text, shape.partitions);
  for (const MemberIndex index : by_id(members)) {
    put_u64(text, members[index].id);
    put_u32(text, members[index].weight);
  }
  return xxh64(text);
}

std::vector<uint32_t> fair_shares(std::span<const Member> members, uint32_t partitions) {
  const std::vector<uint64_t> weights = weights_of(members);
  const uint64_t total = std::accumulate(weights.begin(), weights.end(), 0ULL);
  KVORUM_CHECK(total > 0);  // there is a member, and one of them has a weight
  // How much more a zone and a rack should own than they were given so far, times total.
  std::map<std::string, int64_t> zone_lacks;
  std::map<std::pair<std::string, std::string>, int64_t> rack_lacks;
  const auto give = [&](size_t index, int64_t amount) {
    zone_lacks[members[index].zone] -= amount;
    rack_lacks[{members[index].zone, members[index].rack}] -= amount;
  };
  std::vector<uint32_t> shares;
  std::vector<MemberIndex> rounded_down;
  uint32_t given = 0;
  for (const MemberIndex index : by_id(members)) {
    const uint64_t remainder = partitions * weights[index] % total;
    give(index, -static_cast<int64_t>(remainder));
    if (remainder > 0) rounded_down.push_back(index);
  }
  for (const uint64_t weight : weights) {
    shares.push_back(static_cast<uint32_t>(partitions * weight / total));
    given += shares.back();
  }
  // What rounding left over goes to zones, then racks, then members that lack most, one each.
  const auto lacks = [&](MemberIndex index) {
    const Member& member = members[index];
    return std::tuple(zone_lacks[member.zone], rack_lacks[{member.zone, member.rack}],
                      partitions * weights[index] % total);
  };
  for (; given < partitions; ++given) {
    const auto next =
        std::max_element(rounded_down.begin(), rounded_down.end(),
                         [&](MemberIndex a, MemberIndex b) { return lacks(a) < lacks(b); });
    KVORUM_CHECK(next != rounded_down.end());
    ++shares[*next];
    give(*next, static_cast<int64_t>(total));
    rounded_down.erase(next);
  }
  return shares;
}

std::vector<MemberIndex> place_founders(std::span<const Member> founders, RingShape shape) {
  KVORUM_CHECK(!founders.empty() && founders.size() <= kMembersMax);
  KVORUM_CHECK(shape.partitions > 0 && shape.partitions <= kPartitionsMax);
  KVORUM_CHECK((shape.partitions & (shape.partitions - 1)) == 0);
  const std::vector<uint32_t> shares = fair_shares(founders, shape.partitions);
  const SpreadCost cost(founders, shares, shape.spread);
  Rng rng(placement_seed(founders, shape));
  std::vector<MemberIndex> best;
  int64_t best_cost = 0;
  const uint32_t attempts =
      std::clamp(kAttemptedPartitions / shape.partitions, kAttemptsMin, kAttemptsMax);
  for (uint32_t attempt = 0; attempt < attempts; ++attempt) {
    const Merge way = attempt % 2 == 0 ? Merge::kLongestFirst : Merge::kByWish;
    std::vector<MemberIndex> owners =
        attempt % 4 < 2 ? even_order(founders, shares, way) : flat_order(founders, shares, way);
    repair(owners, cost, rng);
    shuffle(owners, cost, rng);
    repair(owners, cost, rng);
    const int64_t now = total_cost(owners, cost);
    if (best.empty() || now < best_cost) {
      best = std::move(owners);
      best_cost = now;
    }
    if (!SpreadCost::is_avoidable(best_cost)) break;
  }
  KVORUM_CHECK(best.size() == shape.partitions);
  return mended(std::move(best), {}, founders, shape);
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

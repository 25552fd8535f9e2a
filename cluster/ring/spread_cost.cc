// SPDX-License-Identifier: Apache-2.0
#include "cluster/ring/spread_cost.h"

#include <algorithm>
#include <numeric>

#include "cluster/ring/placement.h"

namespace kvorum::cluster {
namespace {

constexpr int64_t kHard = 1LL << 32;  // above the sum of all soft costs of the largest ring

struct HardAndSoft {
  uint32_t hard, soft;
};

// A group that owns c of Q partitions can keep a distance of Q / c at most, so the largest group
// bounds the window that can be demanded of all.
HardAndSoft windows_of(std::span<const uint32_t> owned, uint32_t spread) {
  const uint32_t partitions = std::accumulate(owned.begin(), owned.end(), 0U);
  const uint32_t largest = *std::max_element(owned.begin(), owned.end());
  const uint32_t soft = wished_window(owned, spread);
  return {std::clamp(partitions / largest, 1U, soft), soft};
}

}  // namespace

SpreadCost::SpreadCost(std::span<const Member> members, std::span<const uint32_t> shares,
                       uint32_t spread)
    : costs_(std::max(spread, 1U)) {
  const PlaceNumbers places = place_numbers(members);
  const Windows distinct = distinct_windows(places, shares, spread);
  std::vector<uint16_t> nodes(members.size());
  std::iota(nodes.begin(), nodes.end(), uint16_t{0});
  levels_ = {Level{"zone", places.zone, distinct.zone}, Level{"rack", places.rack, distinct.rack},
             Level{"node", std::move(nodes), distinct.node}};
  constexpr int64_t kSoftCosts[kLevels] = {1 << 3, 1, 1 << 8};
  for (size_t level = 0; level < kLevels; ++level) {
    const HardAndSoft windows =
        windows_of(owned_by_group(levels_[level].group_of_member, shares), spread);
    reach_ = std::max(reach_, windows.soft);
    for (uint32_t distance = 1; distance < windows.soft; ++distance) {
      const int64_t cost = kSoftCosts[level] * (distance < windows.hard ? kHard : 1);
      for (size_t shared = level + 1; shared <= kLevels; ++shared) costs_[distance][shared] += cost;
    }
  }
}

int64_t SpreadCost::between(MemberIndex left, MemberIndex right, uint32_t distance) const {
  const auto is_same = [&](size_t level) {
    return levels_[level].group_of_member[left] == levels_[level].group_of_member[right];
  };
  const size_t shared = left == right ? 3 : is_same(1) ? 2 : is_same(0) ? 1 : 0;
  return costs_[distance][shared];
}

int64_t SpreadCost::at(std::span<const MemberIndex> owners, uint32_t partition) const {
  const auto partitions = static_cast<uint32_t>(owners.size());
  const uint32_t mask = partitions - 1;
  int64_t cost = 0;
  for (uint32_t distance = 1; distance < reach_; ++distance) {
    cost += between(owners[partition], owners[(partition + distance) & mask], distance);
    cost += between(owners[partition], owners[(partition - distance) & mask], distance);
  }
  return cost;
}

bool SpreadCost::is_avoidable(int64_t total) { return total >= kHard; }

std::vector<std::string> SpreadCost::problems(std::span<const MemberIndex> owners,
                                              std::span<const Member> members) const {
  std::vector<std::string> found;
  const auto partitions = static_cast<uint32_t>(owners.size());
  for (const Level& level : levels_) {
    for (uint32_t partition = 0; partition < partitions; ++partition) {
      for (uint32_t distance = 1; distance < level.distinct_window; ++distance) {
        const uint32_t other = (partition + distance) & (partitions - 1);
        if (level.group_of_member[owners[partition]] != level.group_of_member[owners[other]]) {
          continue;
        }
        found.push_back("partitions " + std::to_string(partition) + " and " +
                        std::to_string(other) + " are on one " + level.name + " (" +
                        members[owners[partition]].name + ", " + members[owners[other]].name + ")");
      }
    }
  }
  return found;
}

}  // namespace kvorum::cluster

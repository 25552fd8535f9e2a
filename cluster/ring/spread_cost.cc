// SPDX-License-Identifier: Apache-2.0
#include "cluster/ring/spread_cost.h"

#include <algorithm>
#include <map>
#include <numeric>

namespace kvorum::cluster {
namespace {

constexpr int64_t kHard = 1LL << 32;  // above the sum of all soft costs of the largest ring

// Numbers the distinct names in order of their first appearance.
template <class NameOf>
std::vector<uint16_t> group(std::span<const Member> members, NameOf name_of) {
  std::map<std::string, uint16_t> numbers;
  std::vector<uint16_t> groups;
  for (size_t index = 0; index < members.size(); ++index) {
    const auto next = static_cast<uint16_t>(numbers.size());
    groups.push_back(numbers.try_emplace(name_of(index), next).first->second);
  }
  return groups;
}

struct Windows {
  uint32_t hard, soft;
};

// A group that owns c of Q partitions can keep a distance of Q / c at most, so the largest group
// bounds the window that can be demanded of all.
Windows windows_of(const std::vector<uint16_t>& groups, std::span<const uint32_t> shares,
                   uint32_t spread) {
  std::vector<uint32_t> owned(groups.size(), 0);
  for (size_t index = 0; index < groups.size(); ++index) owned[groups[index]] += shares[index];
  const uint32_t partitions = std::accumulate(owned.begin(), owned.end(), 0U);
  if (partitions == 0) return {1, 1};
  const uint32_t largest = *std::max_element(owned.begin(), owned.end());
  const auto present = static_cast<uint32_t>(
      std::count_if(owned.begin(), owned.end(), [](uint32_t n) { return n; }));
  const uint32_t soft = std::clamp(std::min(spread, present), 1U, partitions);
  return {std::clamp(partitions / largest, 1U, soft), soft};
}

}  // namespace

SpreadCost::SpreadCost(std::span<const Member> members, std::span<const uint32_t> shares,
                       uint32_t spread) {
  const auto add = [&](const char* name, std::vector<uint16_t> groups, int64_t cost) {
    const Windows windows = windows_of(groups, shares, spread);
    levels_.push_back({name, std::move(groups), windows.hard, windows.soft, cost * kHard, cost});
  };
  add("node", group(members, [](size_t index) { return std::to_string(index); }), 1 << 8);
  add("zone", group(members, [&](size_t index) { return members[index].zone; }), 1 << 3);
  // Racks of the same name in two zones are two racks.
  add("rack",
      group(members,
            [&](size_t index) { return members[index].zone + '\0' + members[index].rack; }),
      1);

  zone_ = levels_[1].group_of_member;
  rack_ = levels_[2].group_of_member;
  for (size_t index = 0; index < members.size(); ++index) {
    if (!members[index].is_placed()) zone_[index] = kNowhere;
  }
  uint32_t reach = 1;
  for (const Level& level : levels_) reach = std::max(reach, level.soft_window);
  near_.assign(reach, CostOfKinship{});
  for (uint32_t distance = 1; distance < reach; ++distance) {
    const int64_t zone = levels_[1].cost(distance), rack = levels_[2].cost(distance);
    near_[distance] = {0, zone, zone + rack, zone + rack + levels_[0].cost(distance)};
  }
}

int64_t SpreadCost::at_if(std::span<const MemberIndex> owners, uint32_t partition,
                          MemberIndex owner) const {
  if (!stands(owner)) return 0;
  const auto mask = static_cast<uint32_t>(owners.size() - 1);
  int64_t cost = 0;
  const auto add = [&](uint32_t other_partition, const CostOfKinship& near) {
    const MemberIndex other = owners[other_partition & mask];
    if (other >= zone_.size() || zone_[other] != zone_[owner]) return;
    cost += near[other == owner ? 3 : rack_[other] == rack_[owner] ? 2 : 1];
  };
  for (uint32_t distance = 1; distance < near_.size(); ++distance) {
    add(partition + distance, near_[distance]);
    add(partition - distance, near_[distance]);
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
      for (uint32_t distance = 1; distance < level.hard_window; ++distance) {
        const uint32_t other = (partition + distance) & (partitions - 1);
        if (!stands(owners[partition]) || !stands(owners[other])) continue;
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

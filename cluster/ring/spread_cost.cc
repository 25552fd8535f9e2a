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
    reach_ = std::max(reach_, windows.soft);
    if (windows.soft == 1) return;
    levels_.push_back({name, std::move(groups), windows.hard, windows.soft, cost * kHard, cost});
  };
  add("node", group(members, [](size_t index) { return std::to_string(index); }), 1 << 8);
  add("zone", group(members, [&](size_t index) { return members[index].zone; }), 1 << 3);
  // Racks of the same name in two zones are two racks.
  add("rack",
      group(members,
            [&](size_t index) { return members[index].zone + '\0' + members[index].rack; }),
      1);
}

int64_t SpreadCost::between(MemberIndex left, MemberIndex right, uint32_t distance) const {
  int64_t cost = 0;
  for (const Level& level : levels_) {
    if (distance >= level.soft_window) continue;
    if (level.group_of_member[left] != level.group_of_member[right]) continue;
    cost += distance < level.hard_window ? level.hard_cost : level.soft_cost;
  }
  return cost;
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
      for (uint32_t distance = 1; distance < level.hard_window; ++distance) {
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

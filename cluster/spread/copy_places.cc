// SPDX-License-Identifier: Apache-2.0
#include "cluster/spread/copy_places.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/check.h"

namespace kvorum::cluster {
namespace {

constexpr uint32_t kTimesItsShare = 3;  // the three times that the header promises

}  // namespace

CopyPlaces::CopyPlaces(std::span<const uint16_t> owners, const PlaceNumbers& places,
                       uint32_t copies)
    : owners_(owners),
      copies_(copies),
      zones_(groups_of(places.zone)),
      racks_(groups_of(places.rack)) {}

CopyPlaces::Groups CopyPlaces::groups_of(std::span<const uint16_t> of_member) const {
  std::vector<uint32_t> owned(of_member.size(), 0);
  for (const uint16_t owner : owners_) ++owned[of_member[owner]];
  Groups groups;
  groups.of_member = of_member;
  groups.last_met.assign(owned.size(), 0);
  for (const uint32_t count : owned) {
    groups.is_sought.push_back(uint64_t{count} * kTimesItsShare * copies_ >= owners_.size());
    groups.sought += groups.is_sought.back();
  }
  return groups;
}

void CopyPlaces::meet(Groups& groups, uint16_t member) const {
  const uint16_t group = groups.of_member[member];
  if (std::exchange(groups.last_met[group], search_) == search_) return;
  ++groups.met;
  groups.sought_met += groups.is_sought[group];
}

bool CopyPlaces::is_enough(const Groups& groups) const {
  return groups.met >= copies_ || groups.sought_met == groups.sought;
}

// All owners that are near, and as many more as are needed.
void CopyPlaces::find_candidates(uint32_t partition) {
  candidates_.clear();
  ++search_;
  for (Groups* groups : {&zones_, &racks_}) groups->met = groups->sought_met = 0;
  for (uint32_t step = 0; step < owners_.size(); ++step) {
    const bool was_near = step >= kTimesItsShare * copies_ && candidates_.size() >= copies_;
    if (was_near && is_enough(zones_) && is_enough(racks_)) return;
    const uint16_t member = owners_[(partition + step) & (owners_.size() - 1)];
    const bool known = std::any_of(candidates_.begin(), candidates_.end(),
                                   [&](const Candidate& met) { return met.member == member; });
    if (known) continue;
    candidates_.push_back({member, 0, 0, false});
    meet(zones_, member);
    meet(racks_, member);
  }
}

std::span<const uint16_t> CopyPlaces::of(uint32_t partition) {
  find_candidates(partition);
  KVORUM_CHECK(candidates_.size() >= copies_);
  chosen_.clear();
  const auto rank = [](const Candidate& candidate) {
    return std::tuple(candidate.is_chosen, candidate.in_zone, candidate.in_rack);
  };
  while (chosen_.size() < copies_) {
    Candidate& next = *std::min_element(
        candidates_.begin(), candidates_.end(),
        [&](const Candidate& a, const Candidate& b) { return rank(a) < rank(b); });
    next.is_chosen = true;
    chosen_.push_back(next.member);
    for (Candidate& other : candidates_) {
      other.in_zone += zones_.of_member[other.member] == zones_.of_member[next.member];
      other.in_rack += racks_.of_member[other.member] == racks_.of_member[next.member];
    }
  }
  return chosen_;
}

}  // namespace kvorum::cluster

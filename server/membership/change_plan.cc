// SPDX-License-Identifier: Apache-2.0
#include "server/membership/change_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <set>

#include "base/contains.h"

namespace kvorum::server {
namespace {

using cluster::MemberIndex;
using cluster::SetPlacement;

// Who has copies of a partition in any keyspace: all n are beginnings of one list.
std::span<const MemberIndex> holders(const SetPlacement& placement, uint32_t partition) {
  size_t most = 1;
  for (uint8_t keyspace = 0; keyspace < kKeyspacesMax; ++keyspace) {
    most = std::max<size_t>(most, placement.quorum(keyspace).n);
  }
  return placement.ring.primaries(partition, most);
}

// The racks, or zones, of those who have a place on the ring.
std::set<std::string> places_of(const SetPlacement& placement,
                                std::string cluster::Member::*place) {
  std::set<std::string> places;
  for (const cluster::Member& member : placement.members) {
    if (member.is_placed()) places.insert(member.*place);
  }
  return places;
}

// Of a partition's copies, how many stand in a rack, or zone, in which another one does.
uint32_t crowded(const SetPlacement& placement, std::string cluster::Member::*place) {
  if (places_of(placement, place).size() < 2) return 0;  // nobody asked for it
  uint32_t partitions = 0;
  for (uint32_t partition = 0; partition < placement.ring.partitions(); ++partition) {
    std::set<std::string> used;
    const auto owners = holders(placement, partition);
    for (const MemberIndex owner : owners) used.insert(placement.members[owner].*place);
    partitions += used.size() < owners.size();
  }
  return partitions;
}

// Partitions that cannot be read, in some keyspace, while a zone is lost: reads want copies, and
// fallbacks have none.
uint32_t unreadable_without(const SetPlacement& placement, const std::string& zone) {
  uint32_t partitions = 0;
  for (uint32_t partition = 0; partition < placement.ring.partitions(); ++partition) {
    bool unreadable = false;
    for (uint8_t keyspace = 0; keyspace < kKeyspacesMax; ++keyspace) {
      const cluster::EffectiveQuorum quorum = placement.quorum(keyspace);
      const auto owners = placement.ring.primaries(partition, quorum.n);
      const auto left = std::count_if(owners.begin(), owners.end(), [&](MemberIndex owner) {
        return placement.members[owner].zone != zone;
      });
      unreadable |= left < quorum.r;
    }
    partitions += unreadable;
  }
  return partitions;
}

// Where nobody named zones, nobody counts on them.
void add_zone_losses(const SetPlacement& placement, std::vector<std::string>* found) {
  const std::set<std::string> zones = places_of(placement, &cluster::Member::zone);
  if (zones.size() < 2) return;
  for (const std::string& zone : zones) {
    const uint32_t partitions = unreadable_without(placement, zone);
    if (partitions == 0) continue;
    found->push_back(fmt::format("if zone {} were lost, {} partitions could not be read",
                                 zone.empty() ? "(none)" : zone, partitions));
  }
}

// What one node takes in a second while it is idle, measured on two cores with LevelDB
// (docs/BACKGROUND.md, "Anti-entropy").
constexpr double kKeysPerSecond = 240'000, kBytesPerSecond = 76e6;

double seconds_of(const ChangePlan& plan, const CopySize& size) {
  uint32_t most = 0;
  for (const ChangePlan::Row& row : plan.members) most = std::max(most, row.takes);
  return std::max(most * size.keys / kKeysPerSecond, most * size.bytes / kBytesPerSecond);
}

}  // namespace

std::string set_text(cluster::SetId set) { return fmt::format("{:016x}", set); }

std::vector<std::string> placement_violations(const SetPlacement& placement) {
  std::vector<std::string> found;
  for (uint8_t keyspace = 0; keyspace < kKeyspacesMax; ++keyspace) {
    const uint32_t wanted = placement.keyspaces[keyspace].n;
    if (placement.ring.placed_members() >= wanted) continue;
    found.push_back(fmt::format("n is {} and there would be {} members: fewer copies are kept",
                                wanted, placement.ring.placed_members()));
    break;
  }
  const uint32_t in_rack = crowded(placement, &cluster::Member::rack);
  const uint32_t in_zone = crowded(placement, &cluster::Member::zone);
  if (in_rack > 0) {
    found.push_back(fmt::format("{} partitions would have two copies in one rack", in_rack));
  }
  if (in_zone > 0) {
    found.push_back(fmt::format("{} partitions would have two copies in one zone", in_zone));
  }
  add_zone_losses(placement, &found);
  return found;
}

ChangePlan plan_changes(const cluster::History& history, std::span<const cluster::Change> changes,
                        const CopySize& size) {
  cluster::SetPlacements placements;
  const std::shared_ptr<const SetPlacement> before = placements.of(history, history.newest());
  std::vector<const cluster::Change*> wished;
  for (const cluster::Change& change : changes) wished.push_back(&change);
  const SetPlacement after = cluster::changed_placement(*before, wished);
  ChangePlan plan;
  plan.based_on = set_text(history.newest());
  plan.partitions = before->ring.partitions();
  std::vector<ChangePlan::Row> rows(after.members.size());
  for (size_t at = 0; at < rows.size(); ++at) rows[at].name = after.members[at].name;
  for (uint32_t partition = 0; partition < plan.partitions; ++partition) {
    const auto had = holders(*before, partition), has = holders(after, partition);
    uint32_t taken = 0;
    for (const MemberIndex owner : had) {
      ++rows[owner].copies_before;
      rows[owner].gives += !contains(has, owner);
    }
    for (const MemberIndex owner : has) {
      ++rows[owner].copies_after;
      const bool takes = !contains(had, owner);
      rows[owner].takes += takes;
      taken += takes;
    }
    plan.partitions_moving += taken > 0;
    plan.copies_moving += taken;
  }
  for (ChangePlan::Row& row : rows) {
    if (row.copies_before + row.copies_after > 0) plan.members.push_back(std::move(row));
  }
  plan.keys = static_cast<uint64_t>(size.keys * plan.copies_moving);
  plan.bytes = static_cast<uint64_t>(size.bytes * plan.copies_moving);
  plan.seconds = seconds_of(plan, size);
  plan.violations = placement_violations(after);
  return plan;
}

}  // namespace kvorum::server

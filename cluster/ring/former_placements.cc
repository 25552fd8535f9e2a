// SPDX-License-Identifier: Apache-2.0
#include "cluster/ring/former_placements.h"

#include <algorithm>

#include "base/contains.h"
#include "cluster/ring/founding.h"

namespace kvorum::cluster {
namespace {

// Indexes of members are the same in both: who joined since stands behind the others.
FormerPlacement place(const Configuration& configuration, const ClusterView& view) {
  FormerPlacement placement;
  placement.configuration = configuration;
  std::vector<Member> members;
  for (const MemberPlace& place : configuration.members) {
    Member& member = members.emplace_back();
    member.name = place.name;
    member.id = founder_id(configuration.id_seed, place.name);
    member.weight = place.weight;
    member.rack = place.rack;
    member.zone = place.zone;
  }
  placement.ring = Ring::found(
      members,
      {view.ring.partitions(), neighbours_apart(configuration.keyspaces), configuration.placement});
  for (size_t db = 0; db < kKeyspacesMax; ++db) {
    placement.quorums[db] = effective_quorum(configuration.keyspaces[db], members.size());
  }
  return placement;
}

}  // namespace

bool FormerPlacements::add(const Configuration& configuration, const ClusterView& view) {
  if (configuration == configuration_of(view)) return true;
  const auto same = std::mismatch(
      configuration.members.begin(), configuration.members.end(), view.members.begin(),
      view.members.end(),
      [](const MemberPlace& place, const Member& member) { return place.name == member.name; });
  // Who joined since stands behind the others (ClusterView::follows()).
  if (same.first != configuration.members.end()) return true;
  const MutexLock lock(mutex_);
  for (const FormerPlacement& known : *list_) {
    if (known.configuration == configuration) return true;
  }
  if (list_->size() >= kPlacementsMax) return false;
  FormerList grown = *list_;
  grown.push_back(place(configuration, view));
  list_ = std::make_shared<const FormerList>(std::move(grown));
  any_.store(true, std::memory_order_release);
  return true;
}

void FormerPlacements::clear() {
  const MutexLock lock(mutex_);
  list_ = std::make_shared<const FormerList>();
  any_.store(false, std::memory_order_release);
}

std::shared_ptr<const FormerList> FormerPlacements::list() const {
  const MutexLock lock(mutex_);
  return list_;
}

Holders holders_of(const ClusterView& view, const FormerList& former, uint8_t keyspace,
                   uint32_t partition) {
  Holders holders;
  const auto add = [&](std::span<const MemberIndex> members) {
    for (const MemberIndex member : members) {
      if (!contains(holders, member)) holders.push_back(member);
    }
  };
  add(view.readers(keyspace, partition));
  for (const FormerPlacement& placement : former) add(placement.primaries(keyspace, partition));
  return holders;
}

bool stays_whole(const ClusterView& view, const FormerPlacement& former, uint8_t keyspace,
                 uint32_t partition) {
  const auto was = former.primaries(keyspace, partition);
  const auto is = view.primaries(keyspace, partition);
  if (!contains(was, view.self)) return false;
  const EffectiveQuorum& before = former.quorums[keyspace];
  const EffectiveQuorum now = view.quorum(keyspace);
  if (now.r + before.w > before.n) return true;
  // No overlap was promised, and reads ask no fewer of the same nodes.
  const bool all_stay =
      std::all_of(was.begin(), was.end(), [&](MemberIndex member) { return contains(is, member); });
  return all_stay && before.r + before.w <= before.n && now.r >= before.r;
}

}  // namespace kvorum::cluster

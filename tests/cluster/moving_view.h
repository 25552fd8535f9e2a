// SPDX-License-Identifier: Apache-2.0
// A partition that moves, made by hand in a view: no history stands behind it.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <memory>
#include <utility>
#include <vector>

#include "cluster/ring/cluster_view.h"

namespace kvorum::cluster::fixtures {

inline OwnerSet owner_set(SetId id, std::initializer_list<MemberIndex> owners, uint8_t r = 2,
                          uint8_t w = 2) {
  OwnerSet set;
  set.set = id;
  set.n = 3;
  for (const MemberIndex owner : owners) set.owners.push_back(owner);
  set.r = std::min(r, static_cast<uint8_t>(owners.size()));
  set.w = std::min(w, static_cast<uint8_t>(owners.size()));
  return set;
}

inline void push_new(std::vector<MemberIndex>& members, const OwnerSet& set) {
  for (const MemberIndex owner : set.owners) {
    if (std::find(members.begin(), members.end(), owner) == members.end()) members.push_back(owner);
  }
}

// The sets are in play there, in all keyspaces; the last is the newest, of which the ring is not
// made. The first `readable_sets` are read.
inline void move_partition(ClusterView& view, uint32_t partition, const std::vector<OwnerSet>& sets,
                           size_t readable_sets) {
  SetsInPlay play;
  play.sets = sets;
  play.readable_sets = readable_sets;
  MovingPartition moving;
  moving.partition = partition;
  for (size_t at = 0; at < sets.size(); ++at) {
    push_new(play.owners, sets[at]);
    if (at < readable_sets) push_new(play.readable, sets[at]);
    moving.signature = moving.signature * 31 + sets[at].set + (at < readable_sets);
  }
  moving.classes =
      std::make_shared<const std::vector<SetsInPlay>>(std::vector<SetsInPlay>{std::move(play)});
  view.newest_set = sets.back().set;
  std::erase_if(view.moving,
                [&](const MovingPartition& other) { return other.partition == partition; });
  const auto place =
      std::find_if(view.moving.begin(), view.moving.end(),
                   [&](const MovingPartition& other) { return other.partition > partition; });
  view.moving.insert(place, std::move(moving));
}

}  // namespace kvorum::cluster::fixtures

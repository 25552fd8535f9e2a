// SPDX-License-Identifier: Apache-2.0
// A founded cluster for tests of wishes and plans: members a, b, c and so on.
#pragma once

#include <string>

#include "cluster/history/history.h"
#include "cluster/history/history_view.h"

namespace kvorum::server::testing {

inline cluster::Founding founding(size_t members, uint32_t partitions = 64) {
  cluster::Founding founding;
  founding.partitions = partitions;
  for (size_t at = 0; at < members; ++at) {
    cluster::Member member;
    member.name = std::string(1, static_cast<char>('a' + at));
    member.peer = {"10.0.0." + std::to_string(at + 1), 7379};
    founding.members.push_back(member);
  }
  return founding;
}

inline cluster::NodeId id_of(const cluster::History& history, std::string_view name) {
  return cluster::founder_id(history.cluster_id(), name);
}

inline cluster::ClusterView view_at(const cluster::History& history, std::string_view self) {
  cluster::SetPlacements placements;
  return cluster::view_of(history, placements, nullptr, id_of(history, self));
}

inline cluster::Change join_of(const std::string& name, cluster::NodeId id) {
  cluster::Change change;
  change.kind = cluster::ChangeKind::kJoin;
  change.id = {Hlc{uint64_t{1} << 30}, 1};
  change.described.id = id;
  change.described.name = name;
  change.described.peer = {"10.0.0.99", 7379};
  return change;
}

inline cluster::Change weight_change(const cluster::History& history, uint32_t weight) {
  cluster::Change change;
  change.kind = cluster::ChangeKind::kWeight;
  change.id = {Hlc{history.highest_hlc().value + 1}, 1};
  change.member = id_of(history, "a");
  change.described.weight = weight;
  return change;
}

}  // namespace kvorum::server::testing

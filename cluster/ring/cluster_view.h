// SPDX-License-Identifier: Apache-2.0
// A ClusterView is a snapshot of what a node knows of its cluster: members, ring, keyspaces. Pure
// machines and sessions read the published one; a change makes a new view, an old one is never
// touched. Built by found_view (founding.h); later also from the membership history.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/position.h"
#include "cluster/ring/keyspace_policy.h"
#include "cluster/ring/member.h"
#include "cluster/ring/ring.h"

namespace kvorum::cluster {

struct ClusterView {
  uint64_t cluster_id = 0;
  std::string cluster_name;
  Partitioner partitioner = Partitioner::kMd5;
  std::vector<Member> members;
  MemberIndex self = kNoMember;  // kNoMember: this node waits to be admitted
  Ring ring;
  std::array<KeyspacePolicy, kKeyspacesMax> keyspaces;

  bool is_member() const { return self != kNoMember; }
  EffectiveQuorum quorum(uint8_t keyspace) const {
    return effective_quorum(keyspaces[keyspace], members.size());
  }
  // The first n of the partition's preference list.
  std::span<const MemberIndex> primaries(uint8_t keyspace, uint32_t partition) const;
  bool is_primary(MemberIndex member, uint8_t keyspace, uint32_t partition) const;
  // kNoMember where there is none.
  MemberIndex find_name(std::string_view name) const;
  MemberIndex find_id(NodeId id) const;

  // Whether it can come after `earlier` in one life of a process: every member has kept its index.
  bool follows(const ClusterView& earlier) const;

  // Of everything on which two nodes must agree to serve the same keys: cluster, members with
  // weights and places, ring, policies. Not of addresses nor of which member this node is.
  uint64_t hash() const;
  // Of what they must agree on to exchange objects: cluster, partitions, and what becomes of
  // concurrent versions.
  uint64_t exchange_hash() const;
};

}  // namespace kvorum::cluster

// SPDX-License-Identifier: Apache-2.0
#include "cluster/ring/cluster_view.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/check.h"
#include "base/contains.h"
#include "base/hash.h"
#include "base/keys_that_differ.h"

namespace kvorum::cluster {

std::span<const MemberIndex> ClusterView::primaries(uint8_t keyspace, uint32_t partition) const {
  KVORUM_CHECK(keyspace < kKeyspacesMax);
  return ring.primaries(partition, quorum(keyspace).n);
}

bool ClusterView::is_primary(MemberIndex member, uint8_t keyspace, uint32_t partition) const {
  return contains(primaries(keyspace, partition), member);
}

const MovingPartition* ClusterView::find_moving(uint32_t partition) const {
  const auto found = std::lower_bound(
      moving.begin(), moving.end(), partition,
      [](const MovingPartition& entry, uint32_t wanted) { return entry.partition < wanted; });
  return found != moving.end() && found->partition == partition ? &*found : nullptr;
}

bool ClusterView::is_owner(MemberIndex member, uint8_t keyspace, uint32_t partition) const {
  return contains(owners(keyspace, partition), member);
}

bool ClusterView::is_reader(MemberIndex member, uint8_t keyspace, uint32_t partition) const {
  return contains(readers(keyspace, partition), member);
}

MemberIndex ClusterView::find_name(std::string_view name) const {
  for (size_t index = 0; index < members.size(); ++index) {
    if (members[index].name == name) return static_cast<MemberIndex>(index);
  }
  return kNoMember;
}

MemberIndex ClusterView::find_present(std::string_view name) const {
  const auto found = std::find_if(members.begin(), members.end(), [&](const Member& member) {
    return member.name == name && !member.has_departed();
  });
  return found == members.end() ? kNoMember : static_cast<MemberIndex>(found - members.begin());
}

MemberIndex ClusterView::find_id(NodeId id) const { return find_member(members, id); }

bool ClusterView::follows(const ClusterView& earlier) const {
  if (cluster_id != earlier.cluster_id || members.size() < earlier.members.size()) return false;
  if (earlier.is_member() && self != earlier.self) return false;
  return std::equal(earlier.members.begin(), earlier.members.end(), members.begin(),
                    [](const Member& a, const Member& b) { return a.id == b.id; });
}

uint64_t ClusterView::hash() const {
  std::string text;
  put_u64(text, cluster_id);
  if (is_changed()) {  // members' indexes are each node's own then, and the history says it all
    put_u64(text, history_digest);
    return xxh64(text);
  }
  put_u8(text, static_cast<uint8_t>(partitioner));
  for (const Member& member : members) {
    put_u64(text, member.id);
    put_u32(text, member.weight);
    put_bytes(text, member.rack);
    put_bytes(text, member.zone);
  }
  for (const MemberIndex owner : ring.owners()) put_u16(text, owner);
  const uint8_t placement = ring.shape().placement;
  if (placement > kPlacementUnmended) put_u8(text, placement);  // else as earlier releases have it
  for (const KeyspacePolicy& policy : keyspaces) {
    for (const uint8_t number : {policy.db, policy.n, policy.r, policy.w}) put_u8(text, number);
    put_u8(text, static_cast<uint8_t>(policy.conflicts));
    put_u8(text, policy.sloppy);
    put_u8(text, static_cast<uint8_t>(policy.writes_when_short));
    put_u8(text, static_cast<uint8_t>(policy.reads_when_short));
  }
  return xxh64(text);
}

uint64_t ClusterView::exchange_hash() const {
  std::string text;
  put_u64(text, cluster_id);
  put_u8(text, static_cast<uint8_t>(partitioner));
  put_u32(text, ring.partitions());
  for (const KeyspacePolicy& policy : keyspaces) {
    put_u8(text, static_cast<uint8_t>(policy.conflicts));
  }
  return xxh64(text);
}

std::optional<std::vector<uint32_t>> changed_partitions(const ClusterView& a,
                                                        const ClusterView& b) {
  const bool same_primaries = a.self == b.self && a.newest_set == b.newest_set &&
                              a.keyspaces == b.keyspaces && a.ring == b.ring;
  if (!same_primaries) return std::nullopt;
  return keys_that_differ(
      a.moving, b.moving, [](const MovingPartition& moving) { return moving.partition; },
      [](const MovingPartition& one, const MovingPartition& other) {
        return one.classes == other.classes && one.class_of == other.class_of;
      });
}

}  // namespace kvorum::cluster

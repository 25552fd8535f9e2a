// SPDX-License-Identifier: Apache-2.0
#include "cluster/ring/founding.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/check.h"
#include "base/md5.h"

namespace kvorum::cluster {
namespace {

// The first eight digest bytes; 0 means "none" everywhere, so it is never an id.
uint64_t digest_id(std::string_view text) {
  uint64_t id = 0;
  const auto digest = md5(text);
  for (size_t byte = 0; byte < sizeof(id); ++byte) id = (id << 8) | digest[byte];
  return id == 0 ? 1 : id;
}

std::vector<Member> sorted_by_name(std::vector<Member> members) {
  std::sort(members.begin(), members.end(),
            [](const Member& a, const Member& b) { return a.name < b.name; });
  return members;
}

}  // namespace

std::array<KeyspacePolicy, kKeyspacesMax> Founding::default_keyspaces() {
  std::array<KeyspacePolicy, kKeyspacesMax> keyspaces;
  for (uint8_t db = 0; db < kKeyspacesMax; ++db) {
    keyspaces[db].name = "default";
    keyspaces[db].db = db;
  }
  return keyspaces;
}

uint32_t neighbours_apart(const std::array<KeyspacePolicy, kKeyspacesMax>& keyspaces) {
  uint32_t copies_max = 1;
  for (const KeyspacePolicy& policy : keyspaces) {
    copies_max = std::max<uint32_t>(copies_max, policy.n);
  }
  return copies_max + 1;
}

uint64_t founding_cluster_id(const Founding& founding) {
  std::string text = "kvorum founding 2\n";
  put_bytes(text, founding.cluster_name);
  put_u32(text, founding.partitions);
  put_u8(text, static_cast<uint8_t>(founding.partitioner));
  for (const Member& member : sorted_by_name(founding.members)) put_bytes(text, member.name);
  return digest_id(text);
}

uint64_t addressed_cluster_id(const Founding& founding) {
  std::string text = "kvorum founding 1\n";
  put_bytes(text, founding.cluster_name);
  put_u32(text, founding.partitions);
  put_u8(text, static_cast<uint8_t>(founding.partitioner));
  for (const Member& member : sorted_by_name(founding.members)) {
    put_bytes(text, member.name);
    put_bytes(text, member.peer.to_text());
    put_u32(text, member.weight);
    put_bytes(text, member.rack);
    put_bytes(text, member.zone);
  }
  return digest_id(text);
}

NodeId founder_id(uint64_t cluster_id, std::string_view name) {
  std::string text = "kvorum founder 1\n";
  put_u64(text, cluster_id);
  put_bytes(text, name);
  return digest_id(text);
}

ClusterView found_view(const Founding& founding, std::string_view self_name) {
  ClusterView view;
  view.cluster_id = founding_cluster_id(founding);
  view.cluster_name = founding.cluster_name;
  view.partitioner = founding.partitioner;
  view.members = sorted_by_name(founding.members);
  const auto twin =
      std::adjacent_find(view.members.begin(), view.members.end(),
                         [](const Member& a, const Member& b) { return a.name == b.name; });
  KVORUM_CHECK(twin == view.members.end());
  for (Member& member : view.members) member.id = founder_id(view.cluster_id, member.name);
  view.keyspaces = founding.keyspaces;
  view.ring = Ring::found(view.members, {founding.partitions, neighbours_apart(founding.keyspaces),
                                         founding.placement});
  view.self = view.find_name(self_name);
  view.newest_set = view.cluster_id;
  return view;
}

}  // namespace kvorum::cluster

// SPDX-License-Identifier: Apache-2.0
// What of a cluster's description decides which nodes hold a key and how: the members with their
// weights and places, the policies of the keyspaces, the placement. Addresses are no part of it. A
// node keeps in its data directory the one that its copies follow (server/storage/node_identity.h)
// and tells its own to every other node (agreement.h). Pure values; names of keyspaces are for
// people and not compared.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "cluster/ring/cluster_view.h"

namespace kvorum::cluster {

struct MemberPlace {
  std::string name;
  uint32_t weight = 1;
  std::string rack, zone;

  bool operator==(const MemberPlace&) const = default;
};

struct Configuration {
  // The cluster id from which the ids of its members derive: who owns what depends on them.
  uint64_t id_seed = 0;
  std::vector<MemberPlace> members;  // by name
  std::array<KeyspacePolicy, kKeyspacesMax> keyspaces;
  uint8_t placement = kPlacementUnmended;  // its version

  bool operator==(const Configuration&) const = default;
};

Configuration configuration_of(const ClusterView& view);
void encode_configuration(const Configuration& configuration, std::string& out);
// False where the bytes are malformed.
bool decode_configuration(ByteReader& reader, Configuration* configuration);

// Keyspaces that the two serve differently: all of them where weights or places differ.
KeyspaceMask differing_keyspaces(const Configuration& a, const Configuration& b);
// Keyspaces whose concurrent versions the two treat differently: objects must not pass between
// nodes of which one keeps what the other drops.
KeyspaceMask differing_conflicts(const Configuration& a, const Configuration& b);

// What differs in a keyspace, as `of` has it and as `than` has it: `n 1, r 1` and `n 3, r 2`.
// Weights and places where no policy does.
std::string describe_difference(const Configuration& of, const Configuration& than,
                                uint8_t keyspace);

}  // namespace kvorum::cluster

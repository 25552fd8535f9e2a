// SPDX-License-Identifier: Apache-2.0
// What nodes state about a change that is under way (docs/MEMBERSHIP.md), partition by partition:
// who of the new owners has what the old ones had, who is for the new owners, when the old ones
// count no more. Plain values with a total order; a history is a set of them beside its changes.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "cluster/ring/sets_in_play.h"

namespace kvorum::cluster {

enum class FactKind : uint8_t {
  kConfirmed = 1,  // `node` has of the partition what the owners under each of `from` had
  kVote,           // `node`, an owner, is for `set`
  kSettled,        // `set` alone is in play: older facts of the partition are forgotten
  kLost,           // of what was acknowledged under `set`, every copy may have gone with `removed`
  kGone,           // `node` left, and holds nothing any more; of no partition
};

// What a kind does not name stays zero or empty.
struct Fact {
  FactKind kind = FactKind::kVote;
  uint32_t partition = 0;         // not of kGone
  NodeId node = 0;                // kConfirmed, kVote, kGone
  SetId set = 0;                  // not of kGone
  std::vector<SetId> from{};      // kConfirmed: ascending, at least one
  std::vector<NodeId> removed{};  // kLost: ascending, at least one

  static Fact confirmed(uint32_t partition, NodeId node, SetId set, std::vector<SetId> from);
  static Fact vote(uint32_t partition, NodeId node, SetId set);
  static Fact settled(uint32_t partition, SetId set);
  static Fact lost(uint32_t partition, SetId set, std::vector<NodeId> removed);
  static Fact gone(NodeId node);

  auto operator<=>(const Fact&) const = default;
  // The same on every node.
  uint64_t hash() const;
};

void encode_fact(const Fact& fact, std::string& out);
// False where the bytes are malformed. Reads no more than the fact.
bool decode_fact(ByteReader& reader, Fact* fact);

}  // namespace kvorum::cluster

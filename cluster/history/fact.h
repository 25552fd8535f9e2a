// SPDX-License-Identifier: Apache-2.0
// What nodes state of a change that is under way (docs/MEMBERSHIP.md), partition by partition:
// which of the new owners have what the old ones had, who is for the new ring, when the old one
// counts no more. Plain values; a history is a set of them beside its changes.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "cluster/ring/sets_in_play.h"

namespace kvorum::cluster {

enum class FactKind : uint8_t {
  kConfirmed = 1,  // `node` has of the partition what the owners under the sets `from` had
  kVote,           // `node`, an owner, is for `set`
  kSettled,        // `set` alone is in play: older facts of the partition are forgotten
  kLost,           // of what was acknowledged under `set`, all copies may have gone with `removed`
  kGone,           // `node` left, and holds nothing any more
};

struct Fact {
  FactKind kind = FactKind::kVote;
  uint32_t partition = 0;         // not of kGone
  NodeId node = 0;                // kConfirmed, kVote, kGone
  SetId set = 0;                  // but of kGone
  std::vector<SetId> from{};      // kConfirmed; ascending
  std::vector<NodeId> removed{};  // kLost; ascending

  auto operator<=>(const Fact&) const = default;
  // The same on every node.
  uint64_t hash() const;
};

void encode_fact(const Fact& fact, std::string& out);
// False where the bytes are malformed.
bool decode_fact(ByteReader& reader, Fact* fact);

}  // namespace kvorum::cluster

// SPDX-License-Identifier: Apache-2.0
// A change of the membership, as a person wished it (docs/MEMBERSHIP.md): who joined, left, was
// removed or replaced, what became of a member's weight, place or addresses, of a keyspace's
// policy, of the version of placement. Plain values, never changed once made; a history is a set of
// them. Their bytes are canonical: what the kind does not need is neither written nor hashed.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/time.h"
#include "cluster/ring/keyspace_policy.h"
#include "cluster/ring/member.h"

namespace kvorum::cluster {

// The clock of who made it exceeds that of every change in the history that it extends: a change
// comes after all that its author knew of.
struct ChangeId {
  Hlc hlc;
  NodeId origin = 0;

  auto operator<=>(const ChangeId&) const = default;
};

enum class ChangeKind : uint8_t {
  kJoin = 1,
  kLeave,
  kRemove,   // declared dead
  kReplace,  // declared dead, and another one takes its partitions
  kWeight,
  kPlace,  // rack and zone
  kAddress,
  kPolicy,
  kPlacement,  // a higher version of placement
};

struct Change {
  ChangeId id;
  ChangeKind kind = ChangeKind::kJoin;
  NodeId member = 0;  // whom it is about; kReplace: who goes; 0 with kJoin, kPolicy, kPlacement
  // kJoin, kReplace: who comes. Else what the kind is about: weight, rack and zone, or addresses.
  Member described;
  KeyspacePolicy policy;  // kPolicy: the new one of the keyspace policy.db
  uint8_t placement = 0;  // kPlacement: the version from now on (placement.h)

  // Somebody comes.
  bool admits() const { return kind == ChangeKind::kJoin || kind == ChangeKind::kReplace; }
  // Of everything in it; the same on every node.
  uint64_t hash() const;
};

void encode_change(const Change& change, std::string& out);
// False where the bytes are malformed. Reads no more than the change.
bool decode_change(ByteReader& reader, Change* change);

// Parts of a change that the founding has too (history_elements.h).
void encode_described(const Member& member, std::string& out);
bool decode_described(ByteReader& reader, Member* member);
void encode_policy(const KeyspacePolicy& policy, std::string& out);
bool decode_policy(ByteReader& reader, KeyspacePolicy* policy);

}  // namespace kvorum::cluster

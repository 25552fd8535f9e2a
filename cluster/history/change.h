// SPDX-License-Identifier: Apache-2.0
// A change of the membership, as a person wished it (paper 4.8.1; docs/MEMBERSHIP.md): who joined,
// left, was removed or replaced, what became of a member's weight, place or address, or of a
// keyspace's policy. Never changed itself; a history is a set of them. Plain values.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

#include "base/bytes.h"
#include "base/time.h"
#include "cluster/ring/keyspace_policy.h"
#include "cluster/ring/member.h"

namespace kvorum::cluster {

// The clock of who made it exceeds that of every change which its history held, so a change comes
// after all that its author knew of.
struct ChangeId {
  Hlc hlc;
  NodeId origin = 0;

  auto operator<=>(const ChangeId&) const = default;
};

enum class ChangeKind : uint8_t {
  kJoin = 1,
  kLeave,
  kRemove,   // declared dead
  kReplace,  // declared dead, and another one takes its place
  kWeight,
  kPlace,  // rack and zone
  kAddress,
  kPolicy,
};

struct Change {
  ChangeId id;
  ChangeKind kind = ChangeKind::kJoin;
  NodeId member = 0;  // whom it is about; kReplace: who goes; kPolicy: nobody
  // kJoin, kReplace: who comes. Else what of it the kind is about: weight, places or addresses.
  Member described;
  KeyspacePolicy policy;  // kPolicy: of the keyspace policy.db

  // Of everything in it; the same on every node.
  uint64_t hash() const;
};

// A member with its addresses, weight and place, and a policy: also of a founding.
void encode_member(const Member& member, std::string& out);
bool decode_member(ByteReader& reader, Member* member);
void encode_policy(const KeyspacePolicy& policy, std::string& out);
bool decode_policy(ByteReader& reader, KeyspacePolicy* policy);

void encode_change(const Change& change, std::string& out);
// False where the bytes are malformed.
bool decode_change(ByteReader& reader, Change* change);

}  // namespace kvorum::cluster

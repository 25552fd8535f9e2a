// SPDX-License-Identifier: Apache-2.0
#include "cluster/history/change.h"

#include "base/hash.h"

namespace kvorum::cluster {
namespace {

constexpr uint8_t kLwwBit = 1, kStrictBit = 2, kRejectBit = 4, kServeBit = 8;
constexpr size_t kTextMax = 512;  // of a name or an address

void put_endpoint(std::string& out, const Endpoint& endpoint) {
  put_bytes(out, endpoint.host);
  put_u16(out, endpoint.port);
}

bool get_text(ByteReader& reader, std::string* text) {
  *text = reader.bytes();
  return text->size() <= kTextMax;
}

bool get_endpoint(ByteReader& reader, Endpoint* endpoint) {
  const bool fits = get_text(reader, &endpoint->host);
  endpoint->port = reader.u16();
  return fits;
}

}  // namespace

void encode_member(const Member& member, std::string& out) {
  put_u64(out, member.id);
  put_bytes(out, member.name);
  for (const Endpoint* endpoint : {&member.peer, &member.redis, &member.memcached, &member.admin}) {
    put_endpoint(out, *endpoint);
  }
  put_u32(out, member.weight);
  put_bytes(out, member.rack);
  put_bytes(out, member.zone);
}

bool decode_member(ByteReader& reader, Member* member) {
  member->id = reader.u64();
  bool fits = get_text(reader, &member->name);
  for (Endpoint* endpoint : {&member->peer, &member->redis, &member->memcached, &member->admin}) {
    fits &= get_endpoint(reader, endpoint);
  }
  member->weight = reader.u32();
  fits &= get_text(reader, &member->rack);
  fits &= get_text(reader, &member->zone);
  return fits && reader.ok();
}

void encode_policy(const KeyspacePolicy& policy, std::string& out) {
  uint8_t flags = 0;
  if (policy.conflicts == ConflictPolicy::kLww) flags |= kLwwBit;
  if (!policy.sloppy) flags |= kStrictBit;
  if (policy.writes_when_short == WritesWhenShort::kReject) flags |= kRejectBit;
  if (policy.reads_when_short == ReadsWhenShort::kServe) flags |= kServeBit;
  put_bytes(out, policy.name);
  for (const uint8_t number : {policy.db, policy.n, policy.r, policy.w, flags}) put_u8(out, number);
}

bool decode_policy(ByteReader& reader, KeyspacePolicy* policy) {
  const bool fits = get_text(reader, &policy->name);
  policy->db = reader.u8();
  policy->n = reader.u8();
  policy->r = reader.u8();
  policy->w = reader.u8();
  const uint8_t flags = reader.u8();
  policy->conflicts = flags & kLwwBit ? ConflictPolicy::kLww : ConflictPolicy::kSiblings;
  policy->sloppy = !(flags & kStrictBit);
  policy->writes_when_short =
      flags & kRejectBit ? WritesWhenShort::kReject : WritesWhenShort::kHint;
  policy->reads_when_short = flags & kServeBit ? ReadsWhenShort::kServe : ReadsWhenShort::kFail;
  return fits && reader.ok() && policy->db < kKeyspacesMax && policy->n > 0 && policy->r > 0 &&
         policy->w > 0;
}

uint64_t Change::hash() const {
  std::string text;
  encode_change(*this, text);
  return xxh64(text);
}

void encode_change(const Change& change, std::string& out) {
  put_u64(out, change.id.hlc.value);
  put_u64(out, change.id.origin);
  put_u8(out, static_cast<uint8_t>(change.kind));
  put_u64(out, change.member);
  encode_member(change.described, out);
  encode_policy(change.policy, out);
}

bool decode_change(ByteReader& reader, Change* change) {
  *change = {};
  change->id.hlc.value = reader.u64();
  change->id.origin = reader.u64();
  const uint8_t kind = reader.u8();
  change->kind = static_cast<ChangeKind>(kind);
  change->member = reader.u64();
  bool fits = decode_member(reader, &change->described);
  fits &= decode_policy(reader, &change->policy);
  if (!reader.ok() || !fits || change->id.hlc == Hlc{} || change->id.origin == 0) return false;
  if (kind < static_cast<uint8_t>(ChangeKind::kJoin) ||
      kind > static_cast<uint8_t>(ChangeKind::kPolicy)) {
    return false;
  }
  const bool comes = change->kind == ChangeKind::kJoin || change->kind == ChangeKind::kReplace;
  if (comes && (change->described.id == 0 || change->described.name.empty())) return false;
  return change->kind == ChangeKind::kPolicy || change->kind == ChangeKind::kJoin ||
         change->member != 0;
}

}  // namespace kvorum::cluster

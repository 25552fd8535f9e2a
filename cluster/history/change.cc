// SPDX-License-Identifier: Apache-2.0
#include "cluster/history/change.h"

#include "base/check.h"
#include "base/hash.h"
#include "cluster/ring/keyspace_policy.h"
#include "cluster/ring/placement.h"

namespace kvorum::cluster {
namespace {

constexpr size_t kTextBytesMax = 512;  // of a name, a host, a rack

bool read_text(ByteReader& reader, std::string* text) {
  const std::string_view bytes = reader.bytes();
  if (!reader.ok() || bytes.size() > kTextBytesMax) return false;
  *text = bytes;
  return true;
}

void encode_addresses(const Member& member, std::string& out) {
  for (const Endpoint* endpoint : {&member.peer, &member.redis, &member.memcached, &member.admin}) {
    put_bytes(out, endpoint->host);
    put_u16(out, endpoint->port);
  }
}

bool decode_addresses(ByteReader& reader, Member* member) {
  for (Endpoint* endpoint : {&member->peer, &member->redis, &member->memcached, &member->admin}) {
    if (!read_text(reader, &endpoint->host)) return false;
    endpoint->port = reader.u16();
  }
  return reader.ok();
}

void encode_place(const Member& member, std::string& out) {
  put_bytes(out, member.rack);
  put_bytes(out, member.zone);
}

bool decode_place(ByteReader& reader, Member* member) {
  return read_text(reader, &member->rack) && read_text(reader, &member->zone);
}

bool decode_weight(ByteReader& reader, Member* member) {
  member->weight = reader.u32();
  return reader.ok() && member->weight > 0;
}

bool decode_newcomer(ByteReader& reader, Member* member) {
  member->id = reader.u64();
  return member->id != 0 && decode_described(reader, member);
}

bool decode_placement(ByteReader& reader, uint8_t* placement) {
  *placement = reader.u8();
  return reader.ok() && is_raised_placement(*placement);
}

// What the kind says beside whom it is about.
bool decode_body(ByteReader& reader, Change* change) {
  switch (change->kind) {
    case ChangeKind::kJoin:
    case ChangeKind::kReplace:
      return decode_newcomer(reader, &change->described);
    case ChangeKind::kLeave:
    case ChangeKind::kRemove:
      return true;
    case ChangeKind::kWeight:
      return decode_weight(reader, &change->described);
    case ChangeKind::kPlace:
      return decode_place(reader, &change->described);
    case ChangeKind::kAddress:
      return decode_addresses(reader, &change->described);
    case ChangeKind::kPolicy:
      return decode_policy(reader, &change->policy);
    case ChangeKind::kPlacement:
      return decode_placement(reader, &change->placement);
  }
  return false;  // a kind that a later version has
}

bool is_about_a_member(ChangeKind kind) {
  return kind != ChangeKind::kJoin && kind != ChangeKind::kPolicy && kind != ChangeKind::kPlacement;
}

}  // namespace

uint64_t Change::hash() const {
  std::string text = "change\n";
  encode_change(*this, text);
  return xxh64(text);
}

void encode_described(const Member& member, std::string& out) {
  put_bytes(out, member.name);
  encode_addresses(member, out);
  put_u32(out, member.weight);
  encode_place(member, out);
}

bool decode_described(ByteReader& reader, Member* member) {
  return read_text(reader, &member->name) && !member->name.empty() &&
         decode_addresses(reader, member) && decode_weight(reader, member) &&
         decode_place(reader, member);
}

void encode_policy(const KeyspacePolicy& policy, std::string& out) {
  put_bytes(out, policy.name);
  for (const uint8_t number : {policy.db, policy.n, policy.r, policy.w}) put_u8(out, number);
  put_u8(out, policy_flags(policy));
}

bool decode_policy(ByteReader& reader, KeyspacePolicy* policy) {
  if (!read_text(reader, &policy->name)) return false;
  for (uint8_t* number : {&policy->db, &policy->n, &policy->r, &policy->w}) *number = reader.u8();
  const uint8_t flags = reader.u8();
  set_policy_flags(flags, *policy);
  return reader.ok() && flags <= kPolicyFlags && policy->db < kKeyspacesMax && policy->n > 0 &&
         policy->r > 0 && policy->w > 0;
}

void encode_change(const Change& change, std::string& out) {
  KVORUM_CHECK(change.id.hlc != Hlc{} && change.id.origin != 0);
  put_u8(out, static_cast<uint8_t>(change.kind));
  put_u64(out, change.id.hlc.value);
  put_u64(out, change.id.origin);
  if (is_about_a_member(change.kind)) put_u64(out, change.member);
  switch (change.kind) {
    case ChangeKind::kJoin:
    case ChangeKind::kReplace:
      put_u64(out, change.described.id);
      return encode_described(change.described, out);
    case ChangeKind::kLeave:
    case ChangeKind::kRemove:
      return;
    case ChangeKind::kWeight:
      return put_u32(out, change.described.weight);
    case ChangeKind::kPlace:
      return encode_place(change.described, out);
    case ChangeKind::kAddress:
      return encode_addresses(change.described, out);
    case ChangeKind::kPolicy:
      return encode_policy(change.policy, out);
    case ChangeKind::kPlacement:
      return put_u8(out, change.placement);
  }
}

bool decode_change(ByteReader& reader, Change* change) {
  *change = {};
  change->kind = static_cast<ChangeKind>(reader.u8());
  change->id.hlc.value = reader.u64();
  change->id.origin = reader.u64();
  if (change->id.hlc == Hlc{} || change->id.origin == 0) return false;
  if (is_about_a_member(change->kind)) {
    change->member = reader.u64();
    if (change->member == 0) return false;
  }
  return decode_body(reader, change) && reader.ok();
}

}  // namespace kvorum::cluster

// SPDX-License-Identifier: Apache-2.0
#include "cluster/history/history_elements.h"

#include <algorithm>
#include <bit>

#include "base/check.h"
#include "base/hash.h"

namespace kvorum::cluster {
namespace {

enum class ElementKind : uint8_t { kFounding = 1, kChange, kSet, kFact, kPlacedFounding };

constexpr size_t kNameBytesMax = 512;

void encode_founding(const Founding& founding, std::string& out) {
  std::vector<const Member*> members;
  for (const Member& member : founding.members) members.push_back(&member);
  std::sort(members.begin(), members.end(),
            [](const Member* a, const Member* b) { return a->name < b->name; });
  put_bytes(out, founding.cluster_name);
  put_u32(out, founding.partitions);
  put_u8(out, static_cast<uint8_t>(founding.partitioner));
  put_varint(out, members.size());
  for (const Member* member : members) encode_described(*member, out);
  for (const KeyspacePolicy& policy : founding.keyspaces) encode_policy(policy, out);
}

// By name, as they are written: the names are distinct.
bool decode_founders(ByteReader& reader, std::vector<Member>* members) {
  const uint64_t count = reader.varint();
  if (count == 0 || count > kMembersMax) return false;
  for (uint64_t at = 0; at < count; ++at) {
    Member member;
    if (!decode_described(reader, &member)) return false;
    if (!members->empty() && member.name <= members->back().name) return false;
    members->push_back(std::move(member));
  }
  return true;
}

bool decode_founding(ByteReader& reader, Founding* founding) {
  founding->placement = kPlacementUnmended;
  founding->cluster_name = reader.bytes();
  founding->partitions = reader.u32();
  const uint8_t partitioner = reader.u8();
  founding->partitioner = static_cast<Partitioner>(partitioner);
  if (!reader.ok() || founding->cluster_name.size() > kNameBytesMax ||
      !std::has_single_bit(founding->partitions) || founding->partitions > kPartitionsMax ||
      partitioner > static_cast<uint8_t>(Partitioner::kSlots)) {
    return false;
  }
  if (!decode_founders(reader, &founding->members)) return false;
  for (uint8_t db = 0; db < kKeyspacesMax; ++db) {
    if (!decode_policy(reader, &founding->keyspaces[db])) return false;
    if (founding->keyspaces[db].db != db) return false;
  }
  return true;
}

bool decode_placed_founding(ByteReader& reader, Founding* founding) {
  const uint8_t placement = reader.u8();
  if (!is_raised_placement(placement) || !decode_founding(reader, founding)) return false;
  founding->placement = placement;
  return true;
}

void encode_ids(const ChangeList& changes, std::string& out) {
  for (const ChangeId& id : changes) {
    put_u64(out, id.hlc.value);
    put_u64(out, id.origin);
  }
}

bool decode_set(ByteReader& reader, ChangeList* changes) {
  const uint64_t count = reader.varint();
  if (count == 0 || count > kChangesMax) return false;
  for (uint64_t at = 0; at < count && reader.ok(); ++at) {
    ChangeId id;
    id.hlc.value = reader.u64();
    id.origin = reader.u64();
    if (!changes->empty() && id <= changes->back()) return false;
    changes->push_back(id);
  }
  return reader.ok();
}

bool decode_element(ByteReader& reader, HistoryElements* elements) {
  switch (static_cast<ElementKind>(reader.u8())) {
    case ElementKind::kFounding:
      return !elements->founding && decode_founding(reader, &elements->founding.emplace());
    case ElementKind::kPlacedFounding:
      return !elements->founding && decode_placed_founding(reader, &elements->founding.emplace());
    case ElementKind::kChange:
      return decode_change(reader, &elements->changes.emplace_back());
    case ElementKind::kSet:
      return decode_set(reader, &elements->sets.emplace_back());
    case ElementKind::kFact:
      return decode_fact(reader, &elements->facts.emplace_back());
  }
  return false;  // a kind that a later version has
}

void put_kind(ElementKind kind, std::string& out) { put_u8(out, static_cast<uint8_t>(kind)); }

}  // namespace

void encode_element(const Founding& founding, std::string& out) {
  const bool is_placed = founding.placement > kPlacementUnmended;
  put_kind(is_placed ? ElementKind::kPlacedFounding : ElementKind::kFounding, out);
  if (is_placed) put_u8(out, founding.placement);
  encode_founding(founding, out);
}

void encode_element(const Change& change, std::string& out) {
  put_kind(ElementKind::kChange, out);
  encode_change(change, out);
}

void encode_element(const ChangeList& set, std::string& out) {
  KVORUM_CHECK(!set.empty() && set.size() <= kChangesMax);
  put_kind(ElementKind::kSet, out);
  put_varint(out, set.size());
  encode_ids(set, out);
}

void encode_element(const Fact& fact, std::string& out) {
  put_kind(ElementKind::kFact, out);
  encode_fact(fact, out);
}

bool decode_elements(std::string_view bytes, HistoryElements* elements) {
  ByteReader reader(bytes);
  while (!reader.done()) {
    if (!decode_element(reader, elements)) return false;
  }
  return reader.ok();
}

uint64_t founding_hash(const Founding& founding) {
  std::string text = "founding\n";
  encode_founding(founding, text);
  if (founding.placement > kPlacementUnmended) put_u8(text, founding.placement);
  return xxh64(text);
}

SetId set_id(uint64_t cluster_id, const ChangeList& changes) {
  if (changes.empty()) return cluster_id;
  std::string text;
  encode_ids(changes, text);
  const uint64_t digest = xxh64(text, cluster_id);
  return digest == 0 ? 1 : digest;
}

}  // namespace kvorum::cluster

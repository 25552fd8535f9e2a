// SPDX-License-Identifier: Apache-2.0
#include "cluster/history/fact.h"

#include <algorithm>

#include "base/check.h"
#include "base/hash.h"
#include "cluster/ring/placement.h"

namespace kvorum::cluster {
namespace {

using Ids = std::vector<uint64_t>;

constexpr size_t kIdsMax = kMembersMax;  // that one fact names

void sort_ids(Ids& ids) {
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
}

void encode_ids(const Ids& ids, std::string& out) {
  KVORUM_CHECK(!ids.empty() && ids.size() <= kIdsMax);
  put_varint(out, ids.size());
  for (const uint64_t id : ids) put_u64(out, id);
}

// Ascending, and none twice.
bool decode_ids(ByteReader& reader, Ids* ids) {
  const uint64_t count = reader.varint();
  if (count == 0 || count > kIdsMax) return false;
  uint64_t before = 0;
  for (uint64_t at = 0; at < count && reader.ok(); ++at) {
    ids->push_back(reader.u64());
    if (ids->back() <= before) return false;
    before = ids->back();
  }
  return reader.ok();
}

bool has_node(FactKind kind) {
  return kind == FactKind::kConfirmed || kind == FactKind::kVote || kind == FactKind::kGone;
}

bool is_known(FactKind kind) { return kind >= FactKind::kConfirmed && kind <= FactKind::kGone; }

}  // namespace

Fact Fact::confirmed(uint32_t partition, NodeId node, SetId set, std::vector<SetId> from) {
  KVORUM_CHECK(node != 0 && !from.empty());
  sort_ids(from);
  return {FactKind::kConfirmed, partition, node, set, std::move(from), {}};
}

Fact Fact::vote(uint32_t partition, NodeId node, SetId set) {
  return {FactKind::kVote, partition, node, set, {}, {}};
}

Fact Fact::settled(uint32_t partition, SetId set) {
  return {FactKind::kSettled, partition, 0, set, {}, {}};
}

Fact Fact::lost(uint32_t partition, SetId set, std::vector<NodeId> removed) {
  KVORUM_CHECK(!removed.empty());
  sort_ids(removed);
  return {FactKind::kLost, partition, 0, set, {}, std::move(removed)};
}

Fact Fact::gone(NodeId node) { return {FactKind::kGone, 0, node, 0, {}, {}}; }

uint64_t Fact::hash() const {
  std::string text = "fact\n";
  encode_fact(*this, text);
  return xxh64(text);
}

void encode_fact(const Fact& fact, std::string& out) {
  KVORUM_CHECK(is_known(fact.kind));
  put_u8(out, static_cast<uint8_t>(fact.kind));
  if (has_node(fact.kind)) put_u64(out, fact.node);
  if (fact.kind == FactKind::kGone) return;
  put_varint(out, fact.partition);
  put_u64(out, fact.set);
  if (fact.kind == FactKind::kConfirmed) encode_ids(fact.from, out);
  if (fact.kind == FactKind::kLost) encode_ids(fact.removed, out);
}

bool decode_fact(ByteReader& reader, Fact* fact) {
  *fact = {};
  fact->kind = static_cast<FactKind>(reader.u8());
  if (!is_known(fact->kind)) return false;
  if (has_node(fact->kind)) {
    fact->node = reader.u64();
    if (fact->node == 0) return false;
  }
  if (fact->kind == FactKind::kGone) return reader.ok();
  const uint64_t partition = reader.varint();
  if (partition >= kPartitionsMax) return false;
  fact->partition = static_cast<uint32_t>(partition);
  fact->set = reader.u64();
  if (fact->set == 0) return false;
  if (fact->kind == FactKind::kConfirmed && !decode_ids(reader, &fact->from)) return false;
  if (fact->kind == FactKind::kLost && !decode_ids(reader, &fact->removed)) return false;
  return reader.ok();
}

}  // namespace kvorum::cluster

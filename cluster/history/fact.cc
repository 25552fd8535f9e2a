// SPDX-License-Identifier: Apache-2.0
#include "cluster/history/fact.h"

#include <algorithm>

#include "base/hash.h"
#include "cluster/ring/placement.h"

namespace kvorum::cluster {
namespace {

void put_ids(std::string& out, const std::vector<uint64_t>& ids) {
  put_varint(out, ids.size());
  for (const uint64_t id : ids) put_u64(out, id);
}

bool get_ids(ByteReader& reader, std::vector<uint64_t>* ids) {
  for (uint64_t left = reader.varint(); left > 0; --left) {
    ids->push_back(reader.u64());
    if (!reader.ok()) return false;
  }
  return reader.ok() && std::is_sorted(ids->begin(), ids->end());
}

}  // namespace

uint64_t Fact::hash() const {
  std::string text = "fact\n";
  encode_fact(*this, text);
  return xxh64(text);
}

void encode_fact(const Fact& fact, std::string& out) {
  put_u8(out, static_cast<uint8_t>(fact.kind));
  put_varint(out, fact.partition);
  put_u64(out, fact.node);
  put_u64(out, fact.set);
  put_ids(out, fact.from);
  put_ids(out, fact.removed);
}

bool decode_fact(ByteReader& reader, Fact* fact) {
  *fact = {};
  const uint8_t kind = reader.u8();
  fact->kind = static_cast<FactKind>(kind);
  const uint64_t partition = reader.varint();
  fact->partition = static_cast<uint32_t>(partition);
  fact->node = reader.u64();
  fact->set = reader.u64();
  if (!get_ids(reader, &fact->from) || !get_ids(reader, &fact->removed)) return false;
  return kind >= static_cast<uint8_t>(FactKind::kConfirmed) &&
         kind <= static_cast<uint8_t>(FactKind::kGone) && partition < kPartitionsMax;
}

}  // namespace kvorum::cluster

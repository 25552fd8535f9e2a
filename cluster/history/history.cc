// SPDX-License-Identifier: Apache-2.0
#include "cluster/history/history.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/check.h"
#include "base/hash.h"

namespace kvorum::cluster {
namespace {

constexpr uint32_t kMagic = 0x3148564b;  // "KVH1"
const ChangeList kNoChanges;

void put_founding(std::string& out, const Founding& founding) {
  put_bytes(out, founding.cluster_name);
  put_u32(out, founding.partitions);
  put_u8(out, static_cast<uint8_t>(founding.partitioner));
  put_varint(out, founding.members.size());
  for (const Member& member : founding.members) encode_member(member, out);
  for (const KeyspacePolicy& policy : founding.keyspaces) encode_policy(policy, out);
}

bool get_founding(ByteReader& reader, Founding* founding) {
  founding->cluster_name = reader.bytes();
  founding->partitions = reader.u32();
  const uint8_t partitioner = reader.u8();
  founding->partitioner = static_cast<Partitioner>(partitioner);
  const uint64_t members = reader.varint();
  if (!reader.ok() || members == 0 || members > kMembersMax) return false;
  founding->members.resize(members);
  for (Member& member : founding->members) {
    if (!decode_member(reader, &member)) return false;
  }
  for (KeyspacePolicy& policy : founding->keyspaces) {
    if (!decode_policy(reader, &policy)) return false;
  }
  const uint32_t partitions = founding->partitions;
  return partitions > 0 && partitions <= kPartitionsMax && (partitions & (partitions - 1)) == 0 &&
         partitioner <= static_cast<uint8_t>(Partitioner::kSlots);
}

// Of what decides who owns what and how: not of addresses, nor of what people call a keyspace.
uint64_t digest_of(const Founding& founding) {
  std::string text;
  put_u64(text, founding_cluster_id(founding));
  std::map<std::string, const Member*> by_name;
  for (const Member& member : founding.members) by_name[member.name] = &member;
  for (const auto& [name, member] : by_name) {
    put_u32(text, member->weight);
    put_bytes(text, member->rack);
    put_bytes(text, member->zone);
  }
  for (KeyspacePolicy policy : founding.keyspaces) {
    policy.name.clear();
    encode_policy(policy, text);
  }
  return xxh64(text);
}

}  // namespace

History::History(Founding founding)
    : founding_(std::move(founding)),
      cluster_id_(founding_cluster_id(founding_)),
      founding_digest_(digest_of(founding_)),
      newest_(cluster_id_) {}

SetId History::id_of(uint64_t cluster_id, const ChangeList& list) {
  if (list.empty()) return cluster_id;
  std::string text;
  put_u64(text, cluster_id);
  for (const ChangeId& id : list) {
    put_u64(text, id.hlc.value);
    put_u64(text, id.origin);
  }
  const uint64_t digest = xxh64(text);
  return digest == 0 ? 1 : digest;
}

const std::set<Fact>& History::facts_of(uint32_t partition) const {
  static const std::set<Fact> kNone;
  const auto found = facts_.find(partition);
  return found == facts_.end() ? kNone : found->second;
}

bool History::add(const Change& change) {
  KVORUM_CHECK(change.id.origin != 0);
  if (!changes_.emplace(change.id, change).second) return false;
  digest_ ^= change.hash();
  newest_list_.insert(std::lower_bound(newest_list_.begin(), newest_list_.end(), change.id),
                      change.id);
  newest_ = id_of(cluster_id_, newest_list_);
  return true;
}

SetId History::name(ChangeList list) {
  KVORUM_CHECK(std::is_sorted(list.begin(), list.end()));
  const SetId id = id_of(cluster_id_, list);
  if (!list.empty()) named_.emplace(id, std::move(list));
  return id;
}

const ChangeList* History::find_set(SetId id) const {
  if (id == cluster_id_) return &kNoChanges;
  if (id == newest_) return &newest_list_;
  const auto found = named_.find(id);
  return found == named_.end() ? nullptr : &found->second;
}

bool History::is_within(SetId a, SetId b) const {
  const ChangeList* const inner = find_set(a);
  const ChangeList* const outer = find_set(b);
  KVORUM_CHECK(inner != nullptr && outer != nullptr);
  return inner->size() < outer->size() &&
         std::includes(outer->begin(), outer->end(), inner->begin(), inner->end());
}

bool History::add(const Fact& fact) {
  if (!add_named(fact)) return false;
  drop_unnamed();
  return true;
}

bool History::add_named(const Fact& fact) {
  if (fact.kind == FactKind::kGone) {
    if (!gone_.insert(fact.node).second) return false;
    digest_ ^= fact.hash();
    return true;
  }
  const bool known = knows(fact.set) && std::all_of(fact.from.begin(), fact.from.end(),
                                                    [&](SetId set) { return knows(set); });
  return known && add_kept(fact);
}

bool History::add_kept(const Fact& fact) {
  if (is_pointless(fact) || !facts_[fact.partition].insert(fact).second) return false;
  digest_ ^= fact.hash();
  // The newest set is another one after the next change: what is said of this one must last.
  if (fact.set == newest_) name(newest_list_);
  for (const SetId set : fact.from) {
    if (set == newest_) name(newest_list_);
  }
  if (fact.kind == FactKind::kSettled) forget_below(fact);
  return true;
}

// A settled set says more than this fact.
bool History::is_pointless(const Fact& fact) const {
  if (fact.kind == FactKind::kLost) return false;
  const std::set<Fact>& known = facts_of(fact.partition);
  return std::any_of(known.begin(), known.end(), [&](const Fact& settled) {
    if (settled.kind != FactKind::kSettled) return false;
    const bool same = fact.set == settled.set && fact.kind != FactKind::kSettled;
    return same || is_within(fact.set, settled.set);
  });
}

void History::forget_below(const Fact& settled) {
  std::set<Fact>& known = facts_[settled.partition];
  for (auto at = known.begin(); at != known.end();) {
    const bool same = at->set == settled.set && at->kind != FactKind::kSettled;
    const bool pointless = at->kind != FactKind::kLost && (same || is_within(at->set, settled.set));
    if (!pointless) {
      ++at;
      continue;
    }
    digest_ ^= at->hash();
    at = known.erase(at);
  }
}

// The names of sets that no fact names any more. The newest has no need of one.
void History::drop_unnamed() {
  std::set<SetId> used;
  for (const auto& [partition, facts] : facts_) {
    for (const Fact& fact : facts) {
      used.insert(fact.set);
      used.insert(fact.from.begin(), fact.from.end());
    }
  }
  std::erase_if(named_, [&](const auto& item) { return !used.contains(item.first); });
}

bool History::merge(const History& other) {
  KVORUM_CHECK(other.cluster_id_ == cluster_id_);
  bool any = false;
  for (const auto& [id, change] : other.changes_) any |= add(change);
  // Of a set whose changes are not all here nothing can be said.
  for (const auto& [id, list] : other.named_) {
    const bool whole = std::all_of(list.begin(), list.end(), [&](const ChangeId& change) {
      return changes_.contains(change);
    });
    if (whole) named_.emplace(id, list);
  }
  if (!other.newest_list_.empty()) named_.emplace(other.newest_, other.newest_list_);
  for (const auto& [partition, facts] : other.facts_) {
    for (const Fact& fact : facts) any |= add_kept(fact);
  }
  for (const Fact& fact : other.told_) any |= add_named(fact);
  for (const NodeId node : other.gone_) any |= add(Fact{.kind = FactKind::kGone, .node = node});
  drop_unnamed();
  return any;
}

void History::encode(std::string& out) const {
  std::string body;
  put_founding(body, founding_);
  put_varint(body, changes_.size());
  for (const auto& [id, change] : changes_) encode_change(change, body);
  put_varint(body, named_.size());
  for (const auto& [id, list] : named_) {
    put_varint(body, list.size());
    for (const ChangeId& change : list) {
      put_u64(body, change.hlc.value);
      put_u64(body, change.origin);
    }
  }
  for (const NodeId node : gone_) encode_fact(Fact{.kind = FactKind::kGone, .node = node}, body);
  for (const auto& [partition, facts] : facts_) {
    for (const Fact& fact : facts) encode_fact(fact, body);
  }
  put_u32(out, kMagic);
  put_u64(out, xxh64(body));
  out.append(body);
}

std::optional<History> History::decode(std::string_view bytes) {
  ByteReader reader(bytes);
  if (reader.u32() != kMagic) return std::nullopt;
  const uint64_t checksum = reader.u64();
  if (!reader.ok() || checksum != xxh64(reader.rest())) return std::nullopt;
  ByteReader body(bytes.substr(sizeof(uint32_t) + sizeof(uint64_t)));
  Founding founding;
  if (!get_founding(body, &founding)) return std::nullopt;
  History history(std::move(founding));
  if (!history.decode_rest(body)) return std::nullopt;
  return history;
}

bool History::decode_rest(ByteReader& reader) {
  for (uint64_t left = reader.varint(); left > 0; --left) {
    Change change;
    if (!decode_change(reader, &change)) return false;
    add(change);
  }
  for (uint64_t left = reader.varint(); left > 0; --left) {
    ChangeList list;
    for (uint64_t changes = reader.varint(); changes > 0; --changes) {
      const Hlc hlc{reader.u64()};
      list.push_back({hlc, reader.u64()});
      if (!reader.ok() || !changes_.contains(list.back())) return false;
    }
    if (!std::is_sorted(list.begin(), list.end())) return false;
    name(std::move(list));
  }
  while (reader.ok() && !reader.done()) {
    Fact fact;
    if (!decode_fact(reader, &fact)) return false;
    add_named(fact);
  }
  return reader.ok();
}

}  // namespace kvorum::cluster

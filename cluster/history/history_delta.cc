// SPDX-License-Identifier: Apache-2.0
#include "cluster/history/history_delta.h"

#include <algorithm>
#include <array>
#include <set>

#include "base/bytes.h"

namespace kvorum::cluster {
namespace {

using Buckets = std::array<uint64_t, kDeltaBuckets>;

constexpr uint8_t kChange = 1, kSet = 2, kFact = 3;

size_t bucket_of(uint64_t hash) { return hash % kDeltaBuckets; }

// Calls fn(hash, change or fact) for each element.
template <class Fn>
void each_element(const History& history, Fn fn) {
  for (const auto& [id, change] : history.changes()) fn(change.hash(), change);
  for (const NodeId node : history.gone()) {
    const Fact gone{.kind = FactKind::kGone, .node = node};
    fn(gone.hash(), gone);
  }
  for (const auto& [partition, facts] : history.facts()) {
    for (const Fact& fact : facts) fn(fact.hash(), fact);
  }
}

Buckets buckets_of(const History& history) {
  Buckets buckets{};
  each_element(history, [&](uint64_t hash, const auto&) { buckets[bucket_of(hash)] ^= hash; });
  return buckets;
}

void put_list(std::string& out, const ChangeList& list) {
  put_u8(out, kSet);
  put_varint(out, list.size());
  for (const ChangeId& id : list) {
    put_u64(out, id.hlc.value);
    put_u64(out, id.origin);
  }
}

bool get_list(ByteReader& reader, ChangeList* list) {
  for (uint64_t left = reader.varint(); left > 0; --left) {
    const Hlc hlc{reader.u64()};
    list->push_back({hlc, reader.u64()});
    if (!reader.ok()) return false;
  }
  return std::is_sorted(list->begin(), list->end());
}

// Writes elements, and before each fact the sets that it names.
class Writer {
 public:
  Writer(const History& history, std::string& out) : history_(history), out_(out) {}

  void put(const Change& change) {
    put_u8(out_, kChange);
    encode_change(change, out_);
  }
  void put(const Fact& fact) {
    if (fact.kind != FactKind::kGone) put_set(fact.set);
    for (const SetId set : fact.from) put_set(set);
    put_u8(out_, kFact);
    encode_fact(fact, out_);
  }

 private:
  void put_set(SetId id) {
    if (id == history_.cluster_id() || !named_.insert(id).second) return;
    if (const ChangeList* const list = history_.find_set(id)) put_list(out_, *list);
  }

  const History& history_;
  std::string& out_;
  std::set<SetId> named_;
};

}  // namespace

void encode_buckets(const History& history, std::string& out) {
  put_u64(out, history.founding_digest());
  for (const uint64_t bucket : buckets_of(history)) put_u64(out, bucket);
}

bool encode_difference(const History& history, std::string_view other_buckets, std::string& out) {
  ByteReader reader(other_buckets);
  const bool same_founding = reader.u64() == history.founding_digest();
  const Buckets own = buckets_of(history);
  std::array<bool, kDeltaBuckets> differs{};
  bool any = false;
  for (size_t at = 0; at < kDeltaBuckets; ++at) {
    differs[at] = reader.u64() != own[at];
    any |= differs[at];
  }
  if (!reader.ok() || !reader.done()) return false;
  if (!any || !same_founding) return true;
  put_u64(out, history.cluster_id());
  Writer writer(history, out);
  each_element(history, [&](uint64_t hash, const auto& element) {
    if (differs[bucket_of(hash)]) writer.put(element);
  });
  return true;
}

std::optional<bool> merge_difference(History& history, std::string_view difference) {
  ByteReader reader(difference);
  if (reader.u64() != history.cluster_id()) return std::nullopt;
  History other(history.founding());
  while (!reader.done()) {
    const uint8_t kind = reader.u8();
    Change change;
    ChangeList list;
    Fact fact;
    if (kind == kChange) {
      if (!decode_change(reader, &change)) return std::nullopt;
      other.add(change);
    } else if (kind == kSet) {
      if (!get_list(reader, &list)) return std::nullopt;
      other.name(std::move(list));
    } else if (kind == kFact) {
      if (!decode_fact(reader, &fact)) return std::nullopt;
      other.add_told(fact);
    } else {
      return std::nullopt;
    }
  }
  if (!reader.ok()) return std::nullopt;
  return history.merge(other);
}

}  // namespace kvorum::cluster

// SPDX-License-Identifier: Apache-2.0
#include "cluster/history/history_delta.h"

#include <algorithm>
#include <array>

#include "base/bytes.h"

namespace kvorum::cluster {

void encode_buckets(const History& history, std::string& out) {
  put_u64(out, history.cluster_id());
  for (const uint64_t hash : history.buckets()) put_u64(out, hash);
}

bool encode_difference(const History& history, std::string_view other_buckets, std::string& out) {
  ByteReader reader(other_buckets);
  const uint64_t cluster_id = reader.u64();
  std::array<bool, History::kBuckets> differs{};
  for (size_t bucket = 0; bucket < History::kBuckets; ++bucket) {
    differs[bucket] = reader.u64() != history.buckets()[bucket];
  }
  if (!reader.ok() || !reader.done() || cluster_id != history.cluster_id()) return false;
  if (std::find(differs.begin(), differs.end(), true) == differs.end()) return true;
  put_u64(out, cluster_id);
  out += history.encode_chosen(differs);
  return true;
}

void encode_additions(const History& before, const History& history, std::string& out) {
  put_u64(out, history.cluster_id());
  out += history.encode_since(before);
}

std::optional<bool> merge_difference(History& history, std::string_view difference) {
  if (difference.empty()) return false;
  ByteReader reader(difference);
  const uint64_t cluster_id = reader.u64();
  HistoryElements elements;
  if (!reader.ok() || cluster_id != history.cluster_id()) return std::nullopt;
  if (!decode_elements(reader.rest(), &elements)) return std::nullopt;
  return history.take_in(elements);
}

}  // namespace kvorum::cluster

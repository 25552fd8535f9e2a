// SPDX-License-Identifier: Apache-2.0
#include "cluster/repair/differing_keys.h"

#include <algorithm>

#include "cluster/wire/keyspace_messages.h"

namespace kvorum::cluster {
namespace {

// The digests of a range with the objects they belong to, in the order of the message.
std::vector<std::pair<uint64_t, const RangeObject*>> by_digest(const RangeObjects& range) {
  std::vector<std::pair<uint64_t, const RangeObject*>> order;
  order.reserve(range.objects.size());
  for (const RangeObject& object : range.objects) {
    if (object.digest != 0) order.emplace_back(object.digest, &object);
  }
  std::sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first < b.first : a.second->key < b.second->key;
  });
  return order;
}

const RangeObject* find_object(const RangeObjects& range, const PageItem& item) {
  const auto& objects = range.objects;
  auto found =
      std::lower_bound(objects.begin(), objects.end(), item.high,
                       [](const RangeObject& object, uint64_t high) { return object.high < high; });
  for (; found != objects.end() && found->high == item.high; ++found) {
    if (found->key == item.key) return &*found;
  }
  return nullptr;
}

uint64_t newest_of(const Object& object) {
  uint64_t newest_ms = 0;
  for (const Version& version : object.versions) {
    newest_ms = std::max(newest_ms, version.dot.hlc.ms());
  }
  return newest_ms;
}

// A pull writes back what the peer turns out to lack; so a key is pulled, or pushed.
void add_key(const RangeObject* own, const PageItem* theirs, const DifferingRules& rules,
             std::vector<DifferingKey>& keys) {
  if (own == nullptr && rules.gives) return;
  Object ours, other;
  if (own != nullptr && !decode_object(own->stripped, ours)) return;
  if (theirs != nullptr && !decode_object(theirs->object, other)) return;
  Object merged = merge(ours, other);
  if (rules.lww) keep_newest(merged);
  const uint64_t digest = versions_digest(merged);
  const bool pull = !rules.gives && digest != versions_digest(ours);
  if (!pull && digest == versions_digest(other)) return;
  std::string key(own != nullptr ? std::string_view(own->key) : theirs->key);
  keys.push_back({std::move(key), pull, newest_of(merged)});
}

}  // namespace

std::vector<uint64_t> digests_of(const RangeObjects& own) {
  std::vector<uint64_t> digests;
  for (const auto& [digest, object] : by_digest(own)) digests.push_back(digest);
  return digests;
}

std::optional<std::vector<DifferingKey>> differing_keys(const RangeObjects& own,
                                                        const RangeDifferences& found,
                                                        const DifferingRules& rules) {
  std::vector<PageItem> items;
  if (!parse_page_items(found.items, &items)) return std::nullopt;
  std::vector<DifferingKey> keys;
  std::vector<const RangeObject*> seen;
  for (const PageItem& item : items) {
    const RangeObject* object = find_object(own, item);
    if (object != nullptr) seen.push_back(object);
    add_key(object, &item, rules, keys);
  }
  std::sort(seen.begin(), seen.end());
  const auto order = by_digest(own);
  for (const uint32_t index : found.lacked) {
    if (index >= order.size()) return std::nullopt;
    const RangeObject* object = order[index].second;
    if (found.end != 0 && object->high >= found.end) continue;  // not looked at yet
    if (std::binary_search(seen.begin(), seen.end(), object)) continue;
    add_key(object, nullptr, rules, keys);
  }
  return keys;
}

}  // namespace kvorum::cluster

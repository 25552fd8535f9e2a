// SPDX-License-Identifier: Apache-2.0
// The bottom of an exchange: the objects of a stretch that differs, and which of them to repair.
#include <algorithm>

#include "cluster/repair/anti_entropy.h"

namespace kvorum::cluster {
namespace {

constexpr size_t kObjectsMax = 1024;  // compared with one message

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

const RangeObject* find_object(const RangeObjects& range, const ScanItem& item) {
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

}  // namespace

void AntiEntropy::begin_ranges(SlotId id, Exchange& exchange, Now now) {
  while (!exchange.stretches.empty() && exchange.ranges_open < kRangesInFlightMax &&
         exchange.keys.size() < kKeysQueuedMax) {
    if (!may_begin(kObjectsMax * sizeof(uint64_t), now)) return;
    const Stretch stretch = exchange.stretches.front();
    exchange.stretches.pop_front();
    begin_range(id, stretch, now);
    if (exchange.failed) return;
  }
}

void AntiEntropy::begin_range(SlotId exchange_id, const Stretch& stretch, Now now) {
  Exchange& exchange = *exchanges_.find(exchange_id);
  SlotId id;
  Range& range = ranges_.acquire(&id);
  range.exchange = exchange_id;
  range.stretch = stretch;
  range.deadline_us = 0;
  ++exchange.ranges_open;
  const RangeLoad load{id,
                       exchange.keyspace,
                       exchange.partition,
                       Position{stretch.from, 0},
                       kObjectsMax,
                       stretch.end,
                       RangeLoad::Reader::kExchangeAsker};
  std::optional<RangeObjects> own = read_range(core_, load);
  range.reading = !own;
  if (!own) return core_.outbox.range_loads.push_back(load);
  range.own = std::move(*own);
  ask_range(id, range, now);
}

void AntiEntropy::on_scanned(SlotId id, const ScanPage& page, Now now) {
  Range* range = ranges_.find(id);
  if (range == nullptr) return;
  range->reading = false;
  const SlotId exchange_id = range->exchange;
  range->own = range_objects_of(core_, exchanges_.find(exchange_id)->keyspace, page);
  ask_range(id, *range, now);
  advance(exchange_id, now);
}

void AntiEntropy::ask_range(SlotId id, Range& range, Now now) {
  Exchange& exchange = *exchanges_.find(range.exchange);
  if (range.own.refused) fail(exchange);
  if (exchange.failed) return end_range(id);
  if (range.own.end != 0) {
    exchange.stretches.push_front({range.own.end, range.stretch.end});
    range.stretch.end = range.own.end;
  }
  RangeDigests message;
  message.partition = exchange.partition;
  message.from = range.stretch.from;
  message.end = range.stretch.end;
  for (const auto& [digest, object] : by_digest(range.own)) message.digests.push_back(digest);
  if (message.digests.size() > kRangeDigestsMax) {  // so many keys at one position
    fail(exchange);
    return end_range(id);
  }
  core_.counters.keys_compared += range.own.objects.size();
  range.deadline_us = now.steady_us + kAnswerUs;
  const FrameHead head{MessageType::kRangeDigests, exchange.keyspace, 0, id};
  ask(exchange.peer, [&](std::string& batch) { put_range_digests(batch, head, message); });
}

bool AntiEntropy::on_differences(MemberIndex from, const Frame& frame, Now now) {
  RangeDifferences found;
  if (!parse_range_differences(frame, &found)) return false;
  const SlotId id = frame.head.operation;
  Range* range = ranges_.find(id);
  if (range == nullptr || range->reading) return true;
  const SlotId exchange_id = range->exchange;
  Exchange& exchange = *exchanges_.find(exchange_id);
  if (exchange.peer != from) return true;
  const uint64_t end = range->stretch.end;
  if (found.end == end) found.end = 0;  // all of it was looked at
  const bool within = found.end > range->stretch.from && (end == 0 || found.end < end);
  const bool sensible = found.end == 0 || within;
  if (found.refused || !sensible || !plan_keys(exchange, *range, found)) {
    fail(exchange);
  } else if (found.end != 0 && !exchange.failed) {
    exchange.stretches.push_front({found.end, range->stretch.end});
  }
  end_range(id);
  advance(exchange_id, now);
  return true;
}

bool AntiEntropy::plan_keys(Exchange& exchange, const Range& range, const RangeDifferences& found) {
  std::vector<ScanItem> items;
  if (!parse_scan_items(found.items, &items)) return false;
  if (exchange.failed) return true;
  std::vector<const RangeObject*> seen;
  for (const ScanItem& item : items) {
    const RangeObject* own = find_object(range.own, item);
    if (own != nullptr) seen.push_back(own);
    plan_key(exchange, own, &item);
  }
  std::sort(seen.begin(), seen.end());
  const auto order = by_digest(range.own);
  for (const uint32_t index : found.lacked) {
    if (index >= order.size()) return false;
    const RangeObject* own = order[index].second;
    if (found.end != 0 && own->high >= found.end) continue;  // not looked at yet
    if (!std::binary_search(seen.begin(), seen.end(), own)) plan_key(exchange, own, nullptr);
  }
  return true;
}

// A pull writes back what the peer turns out to lack; so a key is pulled, or pushed.
void AntiEntropy::plan_key(Exchange& exchange, const RangeObject* own, const ScanItem* theirs) {
  Object ours, other;
  if (own != nullptr && !decode_object(own->stripped, ours)) return;
  if (theirs != nullptr && !decode_object(theirs->object, other)) return;
  Object merged = merge(ours, other);
  if (core_.lww(exchange.keyspace)) keep_newest(merged);
  const uint64_t digest = versions_digest(merged);
  const bool pull = digest != versions_digest(ours);
  if (!pull && digest == versions_digest(other)) return;
  std::string key(own != nullptr ? std::string_view(own->key) : theirs->key);
  exchange.keys.push_back({std::move(key), pull, newest_of(merged)});
}

void AntiEntropy::begin_keys(SlotId id, Exchange& first, Now now) {
  Exchange* exchange = &first;
  while (exchange != nullptr && !exchange->keys.empty() && keys_in_flight_ < keys_in_flight_max()) {
    if (!may_begin(keys_.average_bytes(), now)) return;
    const DifferingKey next = std::move(exchange->keys.front());
    exchange->keys.pop_front();
    ++exchange->keys_open;
    ++keys_in_flight_;
    const bool young = next.newest_ms + kYoungMs > core_.clock_ms(now);
    keys_.begin({id, exchange->peer, exchange->keyspace}, {next.key, next.pull, young}, now);
    exchange = exchanges_.find(id);  // it may have failed within
  }
  keys_held_back_ |= exchange != nullptr && !exchange->keys.empty();
}

void AntiEntropy::begin_held_back_keys(Now now) {
  if (keys_in_flight_ >= keys_in_flight_max() || now.steady_us < budget_at_us_) return;
  keys_held_back_ = false;
  std::vector<SlotId> waiting;
  exchanges_.for_each([&](SlotId id, const Exchange& exchange) {
    if (!exchange.keys.empty()) waiting.push_back(id);
  });
  for (const SlotId id : waiting) {
    Exchange* exchange = exchanges_.find(id);
    if (exchange != nullptr) begin_keys(id, *exchange, now);
  }
}

void AntiEntropy::end_range(SlotId id) {
  --exchanges_.find(ranges_.find(id)->exchange)->ranges_open;
  ranges_.release(id);
}

}  // namespace kvorum::cluster

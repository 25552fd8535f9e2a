// SPDX-License-Identifier: Apache-2.0
#include "engine/partition/partition_deadlines.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace kvorum::engine {

void PartitionDeadlines::push(uint64_t deadline_ms, uint32_t place) {
  const bool lowers = heap_.empty() || deadline_ms < heap_.earliest_ms();
  heap_.push({deadline_ms, place});
  if (heap_.size() > 2 * count_ + kStaleMin) compact();
  if (!lowers) return;
  earliest_.store(heap_.earliest_ms(), std::memory_order_release);
  of_all_->lower(deadline_ms);
}

// Items of overwritten and erased objects wait for their time otherwise.
void PartitionDeadlines::compact() {
  std::vector<ExpiryHeap::Item> items = heap_.take();
  std::sort(items.begin(), items.end(),
            [](const auto& a, const auto& b) { return a.place < b.place; });
  std::vector<ExpiryHeap::Item> kept;
  kept.reserve(count_);
  std::vector<Entry*> at_place;
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0 && items[i].place == items[i - 1].place) continue;
    at_place.clear();
    index_->collect_place(items[i].place, at_place);
    for (const Entry* entry : at_place) {
      if (entry->has(Entry::kDeadline)) kept.push_back({entry->deadline_ms(), entry->place()});
    }
  }
  KVORUM_CHECK(kept.size() == count_);  // each entry with a deadline had an item
  heap_.put_back(std::move(kept));
}

bool PartitionDeadlines::take_due(uint64_t now_ms, std::vector<Entry*>& due) {
  due.clear();
  while (due.empty() && !heap_.empty() && heap_.earliest_ms() <= now_ms) {
    const uint32_t place = heap_.top().place;
    heap_.pop();
    found_.clear();
    index_->collect_place(place, found_);
    for (Entry* entry : found_) {
      if (!entry->has(Entry::kDeadline)) continue;
      KVORUM_DEBUG_CHECK(entry->place() == place);
      if (entry->deadline_ms() > now_ms) {
        heap_.push({entry->deadline_ms(), place});
      } else {
        due.push_back(entry);
      }
    }
  }
  earliest_.store(heap_.earliest_ms(), std::memory_order_release);
  return !due.empty();
}

// An entry may have several items.
void PartitionDeadlines::each_due(uint64_t now_ms, FunctionRef<void(const Entry& entry)> fn) const {
  if (earliest_ms() == 0 || earliest_ms() > now_ms) return;
  std::vector<uint32_t> places;
  heap_.each_due(now_ms, [&](const ExpiryHeap::Item& item) { places.push_back(item.place); });
  std::sort(places.begin(), places.end());
  places.erase(std::unique(places.begin(), places.end()), places.end());
  std::vector<Entry*> at_place;
  for (const uint32_t place : places) {
    at_place.clear();
    index_->collect_place(place, at_place);
    for (const Entry* entry : at_place) {
      if (entry->has(Entry::kDeadline) && entry->deadline_ms() <= now_ms) fn(*entry);
    }
  }
}

void PartitionDeadlines::settle_first() {
  for (int i = 0; i < kSettledMax && !heap_.empty(); ++i) {
    const ExpiryHeap::Item first = heap_.top();
    found_.clear();
    index_->collect_place(first.place, found_);
    const auto is_true = [&](const Entry* entry) {
      return entry->has(Entry::kDeadline) && entry->deadline_ms() <= first.deadline_ms;
    };
    if (std::any_of(found_.begin(), found_.end(), is_true)) break;
    heap_.pop();
    for (const Entry* entry : found_) {
      if (entry->has(Entry::kDeadline)) heap_.push({entry->deadline_ms(), entry->place()});
    }
  }
  earliest_.store(heap_.earliest_ms(), std::memory_order_release);
}

}  // namespace kvorum::engine

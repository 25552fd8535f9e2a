// SPDX-License-Identifier: Apache-2.0
#include "engine/index/use_counters.h"

#include <algorithm>

namespace kvorum::engine {

UseCounters::UseCounters(const BucketIndex* index, uint64_t seed, uint32_t minute)
    : index_(index), rng_(seed) {
  decayed_until_.fill(minute);
}

void UseCounters::start(Entry* entry, uint32_t minute) {
  const uint32_t lag = settle(entry->place(), minute);
  entry->set_use_count(static_cast<uint8_t>(kFirst + lag));
}

void UseCounters::note_use(Entry* entry, uint32_t minute) {
  const uint32_t lag = settle(entry->place(), minute);
  const uint32_t shown = entry->use_count();
  if (shown == kMost) return;
  const uint32_t count = shown > lag ? shown - lag : 0;
  const uint64_t above_first = count > kFirst ? count - kFirst : 0;
  const bool grows = rng_.below(above_first * kLogFactor + 1) == 0;
  if (grows || count + lag != shown) {
    entry->set_use_count(static_cast<uint8_t>(std::min<uint32_t>(kMost, count + grows + lag)));
  }
}

uint8_t UseCounters::count_of(const Entry& entry, uint32_t minute) const {
  const uint32_t lag = lag_of(entry.place(), minute);
  return static_cast<uint8_t>(entry.use_count() > lag ? entry.use_count() - lag : 0);
}

// How far the stretch of the place lies behind then.
uint32_t UseCounters::settle(uint32_t place, uint32_t minute) {
  const uint32_t lag = lag_of(place, minute);
  if (lag <= kLagMax) [[likely]]
    return lag;
  const size_t stretch = place >> kStretchShift;
  decay(stretch, lag);
  decayed_until_[stretch] = minute;
  return 0;
}

void UseCounters::decay(size_t stretch, uint32_t lag) {
  const uint64_t end = uint64_t{stretch + 1} << kStretchShift;
  for (uint64_t place = uint64_t{stretch} << kStretchShift; place < end;) {
    found_.clear();
    place = index_->collect_bucket(static_cast<uint32_t>(place), 1, found_);
    for (const Entry* entry : found_) __builtin_prefetch(entry, 1);
    for (Entry* entry : found_) {
      if (entry->place() >> kStretchShift != stretch) continue;  // a bucket may be wider
      const uint32_t count = entry->use_count();
      entry->set_use_count(static_cast<uint8_t>(count > lag ? count - lag : 0));
    }
  }
}

}  // namespace kvorum::engine

// SPDX-License-Identifier: Apache-2.0
// The entries of one or more neighbouring buckets that got too long for lines: a tree ordered by
// (place, seeded hash of the key), so that keys aimed at one place cost no more than others, and a
// scan sees them in place order. Belongs to BucketIndex; lives while a bucket leads to it.
#pragma once

#include <cstdint>
#include <map>
#include <string_view>

#include "base/hash.h"
#include "engine/index/entry.h"
#include "engine/index/slot_word.h"

namespace kvorum::engine {

struct LongBucket {
  using Words = std::multimap<uint64_t, uint64_t>;  // order -> slot word
  static constexpr size_t kNodeBytes = 64;          // what the allocator takes for one

  Words words;
  uint32_t buckets = 1;  // how many lead here

  static uint64_t first_of(uint64_t place) { return place << 32; }
  static uint64_t order_of(uint32_t place, std::string_view key, uint64_t hash_seed) {
    return first_of(place) | (hash_seeded(key, hash_seed) >> 32);
  }

  Entry* find(uint32_t place, std::string_view key, uint64_t hash_seed) const {
    const auto [first, last] = words.equal_range(order_of(place, key, hash_seed));
    for (auto it = first; it != last; ++it) {
      if (to_entry(it->second)->key() == key) return to_entry(it->second);
    }
    return nullptr;
  }
  Words::iterator find_entry(const Entry* entry, uint64_t order) {
    const auto [first, last] = words.equal_range(order);
    for (auto it = first; it != last; ++it) {
      if (to_entry(it->second) == entry) return it;
    }
    return words.end();
  }
};

}  // namespace kvorum::engine

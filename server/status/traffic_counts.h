// SPDX-License-Identifier: Apache-2.0
// What one dispatcher counts for INFO commandstats and memcached's `stats`. Its own thread adds,
// any thread reads; the node sums over its reactors when somebody asks. Time is taken of the first
// calls of a command, and of one in kTimedEvery later: looking at the clock costs as much as a
// tenth of a GET. The microseconds shown are calls times the mean of those.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/counter.h"

namespace kvorum::server {

// In the order in which memcached shows them.
enum class CacheCount : uint8_t {
  kGet,
  kSet,
  kFlush,
  kTouch,
  kMeta,
  kGetHits,
  kGetMisses,
  kGetExpired,
  kGetFlushed,
  kDeleteMisses,
  kDeleteHits,
  kIncrMisses,
  kIncrHits,
  kDecrMisses,
  kDecrHits,
  kCasMisses,
  kCasHits,
  kCasBadValue,
  kTouchHits,
  kTouchMisses,
  kStoreTooLarge,
  kStoreNoMemory,
  kAuthCommands,
  kAuthErrors,
  kTotalItems,
};
inline constexpr size_t kCacheCounts = static_cast<size_t>(CacheCount::kTotalItems) + 1;
inline constexpr std::array<std::string_view, kCacheCounts> kCacheCountNames = {
    "cmd_get",         "cmd_set",         "cmd_flush",   "cmd_touch",   "cmd_meta",
    "get_hits",        "get_misses",      "get_expired", "get_flushed", "delete_misses",
    "delete_hits",     "incr_misses",     "incr_hits",   "decr_misses", "decr_hits",
    "cas_misses",      "cas_hits",        "cas_badval",  "touch_hits",  "touch_misses",
    "store_too_large", "store_no_memory", "auth_cmds",   "auth_errors", "total_items",
};

// A line of the cache each: what a command counts is one.
struct alignas(64) CommandCounts {
  Counter calls, rejected, failed;
  Counter timed, timed_ns;
};

struct TrafficCounts {
  static constexpr size_t kCommandsMax = 256;  // rows of the command table, by their number
  static constexpr uint64_t kAlwaysTimed = 16;
  static constexpr uint32_t kTimedEvery = 127;  // no divisor of a batch: each place has its turn

  void note(CacheCount what) { cache[static_cast<size_t>(what)].add(); }

  std::array<Counter, kCacheCounts> cache;
  std::array<CommandCounts, kCommandsMax> commands;
};

// The same of a node, as of one moment.
struct CommandTotals {
  uint64_t calls = 0, rejected = 0, failed = 0;
  uint64_t timed = 0, timed_ns = 0;

  uint64_t usec() const {
    const double mean_ns =
        timed == 0 ? 0 : static_cast<double>(timed_ns) / static_cast<double>(timed);
    return static_cast<uint64_t>(mean_ns * static_cast<double>(calls) / 1000);
  }
};
struct TrafficTotals {
  std::array<uint64_t, kCacheCounts> cache{};
  std::array<CommandTotals, TrafficCounts::kCommandsMax> commands{};

  void add(const TrafficCounts& counts);
  void subtract(const TrafficTotals& earlier);
};

}  // namespace kvorum::server

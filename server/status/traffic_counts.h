// SPDX-License-Identifier: Apache-2.0
// What one dispatcher counts for INFO commandstats and memcached's `stats`. Its own thread adds,
// any thread reads; the node sums over its reactors when somebody asks. Time is taken of the first
// calls of a command, and of one in kTimedEvery later: looking at the clock costs as much as a
// tenth of a GET. The microseconds shown are calls times the mean of those.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

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

// Of calls that were timed: place n counts those of less than 2^n microseconds, and of at least
// half of that.
inline constexpr size_t kTimeBuckets = 32;
using TimeBuckets = std::array<Counter, kTimeBuckets>;

struct TrafficCounts {
  static constexpr size_t kCommandsMax = 384;  // rows of the command table, by their number
  static constexpr uint64_t kAlwaysTimed = 16;
  static constexpr uint32_t kTimedEvery = 127;  // no divisor of a batch: each place has its turn

  void note_time(size_t command, uint64_t took_ns) {
    commands[command].timed.add();
    commands[command].timed_ns.add(took_ns);
    const auto bucket = static_cast<size_t>(std::bit_width(took_ns / 1000));
    times[command][std::min(bucket, kTimeBuckets - 1)].add();
  }

  void note(CacheCount what) { cache[static_cast<size_t>(what)].add(); }

  std::array<Counter, kCacheCounts> cache;
  std::array<CommandCounts, kCommandsMax> commands;
  std::array<TimeBuckets, kCommandsMax> times;
};

// Which calls are timed beside those of CommandRunner: the first ones of a command, then a sample.
class CallSampler {
 public:
  bool wants(const CommandCounts& counts) {
    if (counts.calls.get() >= TrafficCounts::kAlwaysTimed && --until_timed_ != 0) return false;
    until_timed_ = TrafficCounts::kTimedEvery;
    return true;
  }

 private:
  uint32_t until_timed_ = TrafficCounts::kTimedEvery;
};

// How long the calls of a command took, for LATENCY HISTOGRAM and INFO latencystats.
struct CallTimes {
  uint64_t calls = 0;
  std::array<uint64_t, kTimeBuckets> times{};

  // So many of a hundred calls took no longer than that, in microseconds; within a bucket calls are
  // taken to be spread evenly. 0 where none was timed.
  double percentile_us(double percent) const;
};

// By the number of the command.
void add_times(const TrafficCounts& counts, std::vector<CallTimes>* times);
void subtract_times(const std::vector<CallTimes>& earlier, std::vector<CallTimes>* times);

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

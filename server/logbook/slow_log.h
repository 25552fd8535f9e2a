// SPDX-License-Identifier: Apache-2.0
// The commands that held a reactor for long, newest first, as SLOWLOG shows them: how long a
// command waits for other nodes or for a disk is not counted, as in Redis. Of bounded length, and
// of bounded size for each command. In memory alone, one of a node. Any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"

namespace kvorum::server {

struct SlowCommand {
  uint64_t id = 0;
  uint64_t at_s = 0;  // Unix time
  uint64_t took_us = 0;
  std::vector<std::string> words;  // the first of them, each cut
  std::string peer_address, client_name;
};

class SlowLog {
 public:
  static constexpr size_t kWordsMax = 32, kWordBytesMax = 128;
  static constexpr int64_t kSlowerThanUsual = 10'000;
  static constexpr uint64_t kLengthUsual = 128, kLengthMax = 100'000;

  // Microseconds; a negative number: nothing is slow; 0: everything is.
  int64_t slower_than_us() const { return slower_than_us_.load(std::memory_order_relaxed); }
  void set_slower_than_us(int64_t us) { slower_than_us_.store(us, std::memory_order_relaxed); }
  uint64_t length_max() const { return length_max_.load(std::memory_order_relaxed); }
  // What is kept beyond it goes. At most kLengthMax.
  void set_length_max(uint64_t length);

  bool is_slow(uint64_t took_us) const {
    const int64_t bound = slower_than_us();
    return bound >= 0 && took_us >= static_cast<uint64_t>(bound);
  }
  // Its id is given here. The words are cut as Redis cuts them.
  void add(std::span<const std::string_view> words, SlowCommand command);
  std::vector<SlowCommand> newest(size_t count) const;
  size_t length() const;
  void reset();

 private:
  std::atomic<int64_t> slower_than_us_{kSlowerThanUsual};
  std::atomic<uint64_t> length_max_{kLengthUsual};
  mutable Mutex mutex_;
  std::deque<SlowCommand> commands_ KVORUM_GUARDED_BY(mutex_);  // the newest first
  uint64_t next_id_ KVORUM_GUARDED_BY(mutex_) = 0;
};

}  // namespace kvorum::server

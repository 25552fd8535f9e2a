// SPDX-License-Identifier: Apache-2.0
// How fast the bytes of large values may move while a node serves other requests: in small pieces,
// with room for the others between them, at a rate that leaves them most of the processors. A node
// that is asked for nothing else moves them as fast as it can. One LargePace per node, any thread;
// one Pacer per reactor, which wakes who has to wait.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "server/flow/turn_clock.h"

namespace kvorum::server {

class LargePace {
 public:
  static constexpr size_t kPieceBytes = 64 * 1024;
  // In and out together.
  static constexpr uint64_t kBytesPerSecondPerCpu = 32 * 1024 * 1024;
  static constexpr uint64_t kWindowUs = 100'000;
  static constexpr uint64_t kLateUs = 2'000;       // who was woken so late makes up for it
  static constexpr uint64_t kBusyOperations = 20;  // in a window: others are served

  explicit LargePace(uint32_t cpus) : bytes_per_second_(kBytesPerSecondPerCpu * cpus) {}

  // So many operations of any kind.
  void served(uint64_t operations, uint64_t now_us);
  // Microseconds until so many bytes may move; 0: now, and they are counted.
  uint64_t wait_us(size_t bytes, uint64_t now_us);
  uint64_t free_at_us() const { return paid_until_us_.load(std::memory_order_relaxed); }
  bool is_busy(uint64_t now_us) const {
    return now_us < busy_until_us_.load(std::memory_order_relaxed);
  }

 private:
  const uint64_t bytes_per_second_;
  std::atomic<uint64_t> window_began_us_{0}, in_window_{0}, busy_until_us_{0};
  std::atomic<uint64_t> paid_until_us_{0};
};

// What moves bytes of a large value in one direction.
class Paced {
 public:
  // They may move now, or it may be asked again.
  virtual void on_pace() = 0;

 protected:
  ~Paced() = default;
};

class Pacer {
 public:
  Pacer(LargePace& pace, TurnClock& clock) : pace_(pace), clock_(clock) {}

  // False: it is told once they may. Who asks again before waits for its turn.
  bool may_move(Paced& who, size_t bytes);
  // It is told once a piece may move that others did not take.
  void wait_for_turn(Paced& who);
  void forget(const Paced& who);
  bool is_busy() const { return pace_.is_busy(clock_.now().steady_us); }
  uint64_t next_due_us() const { return waiting_.empty() ? 0 : due_us_; }
  void on_time(uint64_t now_us);

 private:
  void add(Paced& who, uint64_t due_us);

  LargePace& pace_;
  TurnClock& clock_;
  std::vector<Paced*> waiting_, told_;
  uint64_t due_us_ = 0;
};

}  // namespace kvorum::server

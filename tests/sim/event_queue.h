// SPDX-License-Identifier: Apache-2.0
// Virtual time: events in the order of (time, sequence of their making). Nothing else in the
// simulator knows what time it is. Owned by a Cluster; one thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

namespace kvorum::sim {

class EventQueue {
 public:
  using Action = std::function<void()>;

  uint64_t now_us() const { return now_us_; }
  uint64_t events_run() const { return events_run_; }

  void at(uint64_t time_us, Action action) {
    events_.push_back({std::max(time_us, now_us_), next_sequence_++, std::move(action)});
    std::push_heap(events_.begin(), events_.end(), later);
  }
  void after(uint64_t delay_us, Action action) { at(now_us_ + delay_us, std::move(action)); }

  // Runs the events up to a time, and leaves the clock there.
  void run_until(uint64_t time_us) {
    while (!events_.empty() && events_.front().time_us <= time_us) run_next();
    now_us_ = std::max(now_us_, time_us);
  }
  void run_for(uint64_t duration_us) { run_until(now_us_ + duration_us); }

 private:
  struct Event {
    uint64_t time_us;
    uint64_t sequence;
    Action action;
  };
  static bool later(const Event& a, const Event& b) {
    return a.time_us != b.time_us ? a.time_us > b.time_us : a.sequence > b.sequence;
  }
  void run_next() {
    std::pop_heap(events_.begin(), events_.end(), later);
    Event event = std::move(events_.back());
    events_.pop_back();
    now_us_ = event.time_us;
    ++events_run_;
    event.action();
  }

  std::vector<Event> events_;
  uint64_t now_us_ = 0;
  uint64_t next_sequence_ = 0;
  uint64_t events_run_ = 0;
};

}  // namespace kvorum::sim

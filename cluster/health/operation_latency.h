// SPDX-License-Identifier: Apache-2.0
// How long operations took: what admission of background work and the status look at.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/latency_histogram.h"
#include "cluster/wire/request.h"

namespace kvorum::cluster {

// How long the operations of this node's own clients took, failed ones included; what is answered
// within submit() counts as no time at all. Any thread may read it.
struct OperationLatency {
  LatencyHistogram gets, puts;

  // A replica's read or write for the client of another node.
  void count_served() {
    served_.store(served_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  uint64_t served() const { return served_.load(std::memory_order_relaxed); }

  LatencyHistogram& of(Request::Kind kind) { return kind == Request::Kind::kEdit ? puts : gets; }
  void add_recent(uint64_t now_us, LatencyCounts* sum) const {
    gets.add_recent(now_us, sum);
    puts.add_recent(now_us, sum);
  }

 private:
  std::atomic<uint64_t> served_{0};  // one thread counts
};

}  // namespace kvorum::cluster

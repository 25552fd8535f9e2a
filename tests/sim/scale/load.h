// SPDX-License-Identifier: Apache-2.0
// A large cluster under the load of the paper (section 6): uniform keys, requests that come by
// themselves and wait for nobody, their rate a day's: from an eighth of the peak to the peak and
// back. Some nodes are killed, cut off or stand still meanwhile, and come back. Each request is
// measured from the moment at which it was to be sent; whoever loses a connection asks again
// elsewhere, once. Owned by nobody: a run makes its cluster and is over when it returns.
#pragma once

#include <cstdint>
#include <vector>

#include "tests/sim/scale/gossip.h"

namespace kvorum::sim {

// How evenly something is spread over the nodes.
struct Spread {
  double least = 0, mean = 0, most = 0;
  // The largest distance from the mean, in parts of it; and how many nodes are over `limit`.
  double deviation() const;
};
Spread spread_of(const std::vector<uint64_t>& counts);
// Copies that each node owns under the first ring of a cluster, of n for each partition.
Spread copies_per_node(const ScaleShape& shape, size_t n);

struct LoadPlan {
  ScaleShape shape{100, 1024, 0};
  uint64_t seed = 1;
  double peak_per_second = 2000;
  uint64_t duration_us = 120'000'000;
  size_t keys = 100'000;
  size_t value_bytes = 100;
  double writes = 0.5;  // of all requests
  bool failures = true;
};
// Network and disks of that run.
NetworkWeather load_weather();
DiskWeather load_disks();

struct LoadFigures {
  uint64_t requests = 0, failed = 0, asked_again = 0;
  uint64_t deaths = 0, pauses = 0;
  Spread copies;  // of partitions, per node
  Spread served;  // requests whose key the node owns
  double p50_ms = 0, p99_ms = 0, p999_ms = 0, most_ms = 0;
  double success() const;
};
LoadFigures run_load(const LoadPlan& plan);

}  // namespace kvorum::sim

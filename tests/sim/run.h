// SPDX-License-Identifier: Apache-2.0
// One run of one seed: the cluster it draws under its faults and workloads (the safety phase), then
// everything healed (the liveness phase) and judged. What the liveness phase demands, in bounded
// virtual time: links up, no operation left in any pool, no hint left, and once every key was read
// once (read repair; there is no anti-entropy yet) equal digests at all primaries. Then deadlines
// pass, the final state is read, and the workloads check it.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

namespace kvorum::sim {

struct RunResult {
  std::vector<std::string> violations;
  uint64_t trace_hash = 0;
  uint64_t virtual_us = 0;
  uint64_t operations = 0;
  uint64_t evicted = 0;  // objects, by the nodes alive at the end
  std::string swarm;     // described
};

RunResult run_seed(uint64_t seed, std::FILE* trace_out = nullptr);

// Of draw_peaceful_swarm(), and of draw_moving_swarm().
RunResult run_peaceful_seed(uint64_t seed, std::FILE* trace_out = nullptr);
RunResult run_moving_seed(uint64_t seed, std::FILE* trace_out = nullptr);

// Twice; a difference between the two is a violation.
RunResult run_seed_twice(uint64_t seed);

}  // namespace kvorum::sim

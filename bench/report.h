// SPDX-License-Identifier: Apache-2.0
// What a phase measured, as a table for people or as JSON for programs. Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/load.h"
#include "bench/process_usage.h"

namespace kvorum::bench {

struct PhaseReport {
  std::string name;  // "fill", "load"
  LoadResult load;
  uint64_t client_cpu_ns = 0;
  std::optional<ProcessUsage> before;  // of the servers; absent without --server-pids
  std::optional<ProcessUsage> after;
};

std::string to_table(const std::vector<PhaseReport>& phases);
std::string to_json(const std::vector<PhaseReport>& phases);

// A JSON string with its quotes; bytes that are not printable ASCII become \u00xx.
std::string quote_json(std::string_view text);

}  // namespace kvorum::bench

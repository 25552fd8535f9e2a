// SPDX-License-Identifier: Apache-2.0
// The command line of kvorum-bench, checked as a whole before anything is connected.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "bench/codec.h"
#include "bench/key_chooser.h"
#include "bench/load.h"

namespace kvorum::bench {

struct Options {
  std::vector<std::string> addresses;
  Protocol protocol = Protocol::kResp;
  uint32_t connections = 50;
  uint32_t value_bytes = 100;
  KeySpace key_space;
  LoadPlan plan;
  bool fill = false;    // load every key first
  bool measure = true;  // false: fill only
  double warmup_seconds = 0;
  std::vector<pid_t> server_pids;
  bool json = false;
};

// "get=90,set=10" or a single word; shares are scaled to add up to 1.
Result<Mix> parse_mix(const std::string& text);

// The options, or the exit status (after --help, or after a message about what is wrong).
struct ParsedOptions {
  std::optional<Options> options;
  int exit_status = 0;
};
ParsedOptions parse_options(int count, const char* const* arguments);

}  // namespace kvorum::bench

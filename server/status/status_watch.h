// SPDX-License-Identifier: Apache-2.0
// What of a node's changing status is worth a line in its log: settled and degraded with the
// reason, problems that come and go, hints delivered, repairs ended, the store failing and working
// again, connections refused. Pure: looks at one status a second and answers lines; what flaps or
// repeats is held back and counted. One thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "server/process/logging.h"
#include "server/status/node_status.h"

namespace kvorum::server {

struct StatusLine {
  LogLevel level = LogLevel::kInfo;
  std::string text;

  bool operator==(const StatusLine&) const = default;
};

class StatusWatch {
 public:
  static constexpr uint32_t kSteadyLooks = 3;      // before a change counts as one
  static constexpr uint64_t kIntervalMs = 10'000;  // between two lines of hints, of refusals
  static constexpr uint64_t kProblemAgainMs = 5 * 60'000;  // the same one, while it comes and goes

  // A repair was asked for: its end is told whatever it did.
  void expect_repair() { repair_expected_ = true; }

  std::vector<StatusLine> look(const NodeStatus& status, uint64_t now_ms);

 private:
  struct SeenProblem {
    uint32_t looks = 0;
    uint64_t since_ms = 0, told_ms = 0;
    bool told = false, present = false;
  };
  struct Delivery {
    uint64_t delivered = 0;  // since the node's start, as last seen
    uint64_t count = 0;      // since the last line
    uint64_t began_ms = 0, told_ms = 0;
  };
  struct Refusals {
    uint64_t seen = 0, untold = 0, told_ms = 0;
  };

  void watch_state(const NodeStatus& status, uint64_t now_ms);
  void watch_problems(const NodeStatus& status, uint64_t now_ms);
  void watch_hints(const NodeStatus& status, uint64_t now_ms);
  void watch_repair(const NodeStatus& status);
  void watch_store(const NodeStatus& status, uint64_t now_ms);
  void watch_refusals(const NodeStatus& status, uint64_t now_ms);
  uint64_t due(Refusals* refusals, uint64_t total, uint64_t now_ms);
  void say(LogLevel level, std::string text) { lines_.push_back({level, std::move(text)}); }

  std::vector<StatusLine> lines_;
  std::string state_, next_state_;
  uint32_t next_looks_ = 0;
  uint64_t state_since_ms_ = 0;
  std::map<std::pair<std::string, std::string>, SeenProblem> problems_;
  std::map<std::string, Delivery> deliveries_;  // by target
  bool repair_expected_ = false, repair_active_ = false;
  bool store_failed_ = false;
  uint64_t store_since_ms_ = 0;
  Refusals clients_, accepts_;
};

}  // namespace kvorum::server

// SPDX-License-Identifier: Apache-2.0
#include "server/commands/command.h"
#include "server/commands/node_report.h"
#include "server/logbook/logbook.h"

namespace kvorum::server {
namespace {

using protocol::Reply;

// INFO
void node_information(const CommandCall& call, Plan& plan) {
  const Words names = call.words.subspan(1);
  const std::vector<std::string_view> sections(names.begin(), names.end());
  const Logbook& logbook = call.facts.logbook();
  CallReport calls;
  calls.errors = logbook.errors.all();
  if (logbook.percentiles.is_shown() && wants_latency(sections)) {
    calls.calls = call.facts.call_times();
    calls.percents = logbook.percentiles.get();
  }
  plan.answer(
      Reply::verbatim_owned(node_report(since_reset(call.facts.status()), sections, calls)));
}

void time(const CommandCall& call, Plan& plan) {
  std::vector<Reply> items;
  const uint64_t wall_us = call.facts.wall_us();
  items.push_back(Reply::bulk_owned(std::to_string(wall_us / 1'000'000)));
  items.push_back(Reply::bulk_owned(std::to_string(wall_us % 1'000'000)));
  plan.answer(Reply::array(std::move(items)));
}

constexpr uint32_t kPlain = kLoading | kStale;

constexpr CommandRow kRows[] = {
    {"info", -1, kPlain, 0, 0, 0, Group::kServer, "1.0.0", "[section [section ...]]",
     "Facts and counters of this node.", "O(1)", node_information, &hint::kAsksShards},
    {"time", 1, kPlain | kFast, 0, 0, 0, Group::kServer, "2.6.0", "",
     "The node's Unix time in seconds, and microseconds.", "O(1)", time, &hint::kUncertain},
};

}  // namespace

std::span<const CommandRow> server_commands() { return kRows; }

}  // namespace kvorum::server

// SPDX-License-Identifier: Apache-2.0
#include "server/commands/command.h"
#include "server/commands/node_report.h"
#include "server/logbook/logbook.h"

namespace kvorum::server {
namespace {

using protocol::Reply;

constexpr uint64_t kSecondUs = 1'000'000;

// With a disk each write is on its way there at once; without one nothing was saved since the
// beginning, as in a Redis that just began.
uint64_t saved_at_s(const NodeStatus& status, NodeFacts& facts) {
  const uint64_t now_s = facts.wall_us() / kSecondUs;
  return status.engine == "memory" ? now_s - status.uptime_seconds : now_s;
}

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
  NodeStatus status = since_reset(call.facts.status());
  status.saved_at_s = saved_at_s(status, call.facts);
  plan.answer(Reply::verbatim_owned(node_report(status, sections, calls)));
}

// ---- saving

void lastsave(const CommandCall& call, Plan& plan) {
  plan.answer(Reply::integer(static_cast<int64_t>(saved_at_s(call.facts.status(), call.facts))));
}

// False with the error planned: nothing of this node is on a disk, or not all of it.
bool is_saved(const CommandCall& call, Plan& plan) {
  const NodeStatus status = call.facts.status();
  if (status.engine == "memory") {
    plan.fail("ERR engine.type is memory: there is no disk to save to");
  } else if (status.store_failed) {
    plan.fail("ERR the disk fails: see store_error in INFO persistence");
  } else {
    return true;
  }
  return false;
}

void save(const CommandCall& call, Plan& plan) {
  if (is_saved(call, plan)) plan.answer(Reply::ok());
}

void bgsave(const CommandCall& call, Plan& plan) {
  const bool schedules = call.words.size() == 2 && equals_ignoring_case(call.words[1], "schedule");
  if (call.words.size() > 1 && !schedules) return plan.fail(protocol::kSyntaxError);
  if (is_saved(call, plan)) plan.answer(Reply::simple("Background saving started"));
}

void bgrewriteaof(const CommandCall& call, Plan& plan) {
  if (!is_saved(call, plan)) return;
  plan.answer(Reply::simple("Background append only file rewriting started"));
}

void time(const CommandCall& call, Plan& plan) {
  std::vector<Reply> items;
  const uint64_t wall_us = call.facts.wall_us();
  items.push_back(Reply::bulk_owned(std::to_string(wall_us / 1'000'000)));
  items.push_back(Reply::bulk_owned(std::to_string(wall_us % 1'000'000)));
  plan.answer(Reply::array(std::move(items)));
}

constexpr uint32_t kPlain = kLoading | kStale;

constexpr uint32_t kSaves = kAdmin | kNoScript;

constexpr CommandRow kRows[] = {
    {"bgrewriteaof", 1, kSaves, 0, 0, 0, Group::kServer, "1.0.0", "",
     "As BGSAVE: logs are rewritten without being asked.", "O(1)", bgrewriteaof},
    {"bgsave", -1, kSaves, 0, 0, 0, Group::kServer, "1.0.0", "[SCHEDULE]",
     "Nothing is left to do: each write is on its way to the disk at once. Refused where there is "
     "none, or where it fails.",
     "O(1)", bgsave},
    {"info", -1, kPlain, 0, 0, 0, Group::kServer, "1.0.0", "[section [section ...]]",
     "Facts and counters of this node.", "O(1)", node_information, &hint::kAsksShards},
    {"lastsave", 1, kPlain | kFast, 0, 0, 0, Group::kServer, "1.0.0", "",
     "Now, where writes go to a disk; else when the node began.", "O(1)", lastsave,
     &hint::kUncertain},
    {"save", 1, kSaves | kNoMulti, 0, 0, 0, Group::kServer, "1.0.0", "", "As BGSAVE, with OK.",
     "O(1)", save},
    {"time", 1, kPlain | kFast, 0, 0, 0, Group::kServer, "2.6.0", "",
     "The node's Unix time in seconds, and microseconds.", "O(1)", time, &hint::kUncertain},
};

}  // namespace

std::span<const CommandRow> server_commands() { return kRows; }

}  // namespace kvorum::server

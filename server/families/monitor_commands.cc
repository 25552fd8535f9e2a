// SPDX-License-Identifier: Apache-2.0
// What dashboards and tools ask beside INFO: MEMORY, MODULE, ROLE, LOLWUT. Where Redis would tell
// of something that is not here (modules), they say that there is none. WAIT tells how many copies
// the connection's last write has.
#include <fmt/format.h>

#include <algorithm>

#include "server/commands/help.h"
#include "server/commands/versions.h"
#include "server/commands/words.h"

namespace kvorum::server {
namespace {

using protocol::Reply;

constexpr size_t kRecordBytes = 64;  // of a record beside key and value, about

void empty_array(const CommandCall&, Plan& plan) { plan.answer(Reply::array({})); }
void ok(const CommandCall&, Plan& plan) { plan.answer(Reply::ok()); }

// ---- MEMORY

Reply finish_usage(const FinishInput& input) {
  const Versions versions = seen(input);
  if (versions.empty()) return Reply::nil();
  size_t bytes = kRecordBytes + input.key.size();
  for (const cluster::Version& version : versions) bytes += version.bytes.size();
  return Reply::integer(static_cast<int64_t>(bytes));
}

void memory_usage(const CommandCall& call, Plan& plan) {
  for (size_t at = 3; at < call.words.size(); at += 2) {
    const bool known = equals_ignoring_case(call.words[at], "samples");
    if (!known || at + 1 == call.words.size()) return plan.fail(protocol::kSyntaxError);
    int64_t samples = 0;
    if (!read_integer(call.words[at + 1], plan, &samples)) return;
    if (samples < 0) return plan.fail(protocol::kSyntaxError);
  }
  plan.read(call.words[2], finish_usage);
  plan.keeps_key = true;
}

void memory_stats(const CommandCall& call, Plan& plan) {
  const NodeStatus status = call.facts.status();
  uint64_t keys = 0;
  for (const uint64_t of_keyspace : status.keys) keys += of_keyspace;
  std::vector<Reply> fields;
  const auto add = [&](std::string_view name, uint64_t value) {
    add_field(fields, name, Reply::integer(static_cast<int64_t>(value)));
  };
  add("peak.allocated", status.memory_used_bytes);
  add("total.allocated", status.memory_used_bytes);
  add("startup.allocated", 0);
  add("replication.backlog", 0);
  add("clients.slaves", 0);
  add("clients.normal", status.in_flight.clients.held_bytes);
  add("aof.buffer", 0);
  add("lua.caches", status.script_bytes);
  add("keys.count", keys);
  add("keys.bytes-per-key", keys == 0 ? 0 : status.memory_used_bytes / keys);
  add("dataset.bytes", status.memory_used_bytes);
  add("allocator.resident", status.memory_resident_bytes);
  plan.answer(Reply::map(std::move(fields)));
}

void memory_doctor(const CommandCall& call, Plan& plan) {
  const NodeStatus status = call.facts.status();
  const bool full =
      status.memory_max_bytes > 0 && status.memory_used_bytes > status.memory_max_bytes / 10 * 9;
  plan.answer(Reply::verbatim_owned(fmt::format(
      "{} of {} bytes of engine.memory are in use, {} are resident.{}\n", status.memory_used_bytes,
      status.memory_max_bytes, status.memory_resident_bytes, full ? " It is nearly full." : "")));
}

void memory_malloc_stats(const CommandCall& call, Plan& plan) {
  const NodeStatus status = call.facts.status();
  plan.answer(Reply::verbatim_owned(fmt::format(
      "allocated: {}, resident: {}\n", status.memory_used_bytes, status.memory_resident_bytes)));
}

// ---- the others

void module_refused(const CommandCall&, Plan& plan) { plan.fail("ERR there are no modules here"); }

void role(const CommandCall&, Plan& plan) {
  std::vector<Reply> items;
  items.push_back(Reply::bulk("master"));
  items.push_back(Reply::integer(0));
  items.push_back(Reply::array({}));
  plan.answer(Reply::array(std::move(items)));
}

void lolwut(const CommandCall& call, Plan& plan) {
  int64_t version = 0;
  const bool has_version = call.words.size() > 2 && equals_ignoring_case(call.words[1], "version");
  if (has_version && !read_integer(call.words[2], plan, &version)) return;
  plan.answer(Reply::verbatim_owned(
      fmt::format("Kvorum ver. {} (Redis ver. {})\n", kKvorumVersion, kRedisVersion)));
}

// Of the last write: its coordinator stands for the master, the other copies for replicas. Those
// that it needed have answered by then, so there is nothing to wait for.
int64_t replicas_of_last_write(const SessionState& session) {
  return std::max<int64_t>(int64_t{session.written_copies} - 1, 0);
}

bool check_timeout(std::string_view word, Plan& plan) {
  const auto timeout = protocol::parse_int64(word);
  if (!timeout) return plan.fail("ERR timeout is not an integer or out of range"), false;
  if (*timeout < 0) return plan.fail("ERR timeout is negative"), false;
  return true;
}

void wait(const CommandCall& call, Plan& plan) {
  int64_t replicas = 0;
  if (!read_integer(call.words[1], plan, &replicas)) return;
  if (!check_timeout(call.words[2], plan)) return;
  plan.answer(Reply::integer(replicas_of_last_write(call.session)));
}

// What is on disk before it is acknowledged: with `engine.sync: always` the copies that answered.
void waitaof(const CommandCall& call, Plan& plan) {
  int64_t local = 0, replicas = 0;
  if (!read_integer(call.words[1], plan, &local)) return;
  if (local < 0 || local > 1)
    return plan.fail("ERR value is out of range, must be between 0 and 1");
  if (!read_integer(call.words[2], plan, &replicas)) return;
  if (replicas < 0) return plan.fail("ERR value is out of range, must be positive");
  if (!check_timeout(call.words[3], plan)) return;
  const NodeStatus status = call.facts.status();
  if (local > 0 && status.engine == "memory") {
    return plan.fail("ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.");
  }
  const bool synced =
      status.engine != "memory" && status.sync == "always" && call.session.written_copies > 0;
  std::vector<Reply> items;
  items.push_back(Reply::integer(synced ? 1 : 0));
  items.push_back(Reply::integer(synced ? replicas_of_last_write(call.session) : 0));
  plan.answer(Reply::array(std::move(items)));
}

constexpr uint32_t kAsk = kAdmin | kLoading | kStale;
constexpr Group kGroup = Group::kServer;

constexpr RowHints kLeastOfShards{.tips = "request_policy:all_shards response_policy:agg_min"};

constexpr CommandRow kRows[] = {
    {"lolwut", -1, kReadonly | kFast, 0, 0, 0, kGroup, "5.0.0", "[VERSION version]",
     "The versions, without the art.", "O(1)", lolwut},
    {"memory", -2, kContainer, 0, 0, 0, kGroup, "4.0.0", "subcommand", "Memory of this node.",
     "O(1)", nullptr},
    {"memory|doctor", 2, 0, 0, 0, 0, kGroup, "4.0.0", "", "How full engine.memory is.", "O(1)",
     memory_doctor, &hint::kAsksShards},
    {"memory|help", 2, kLoading | kStale, 0, 0, 0, kGroup, "4.0.0", "", "Lists the subcommands.",
     "O(1)", subcommand_help},
    {"memory|malloc-stats", 2, 0, 0, 0, 0, kGroup, "4.0.0", "", "Allocated and resident bytes.",
     "O(1)", memory_malloc_stats, &hint::kAsksShards},
    {"memory|purge", 2, 0, 0, 0, 0, kGroup, "4.0.0", "",
     "OK: the allocator gives pages back by itself.", "O(1)", ok, &hint::kTellsShards},
    {"memory|stats", 2, 0, 0, 0, 0, kGroup, "4.0.0", "", "The figures of INFO memory, as a map.",
     "O(1)", memory_stats, &hint::kAsksShards},
    {"memory|usage", -3, kReadonly, 2, 2, 1, kGroup, "4.0.0", "key [SAMPLES count]",
     "About how many bytes a key takes, its siblings together, at each copy.", "O(1)", memory_usage,
     &hint::kLooks},
    {"module", -2, kContainer, 0, 0, 0, kGroup, "4.0.0", "subcommand", "There are no modules.",
     "O(1)", nullptr},
    {"module|help", 2, kLoading | kStale, 0, 0, 0, kGroup, "5.0.0", "", "Lists the subcommands.",
     "O(1)", subcommand_help},
    {"module|list", 2, kAdmin | kNoScript, 0, 0, 0, kGroup, "4.0.0", "", "None.", "O(1)",
     empty_array, &hint::kUncertainOrder},
    {"module|load", -3, kAdmin | kNoScript, 0, 0, 0, kGroup, "4.0.0", "path [arg [arg ...]]",
     "Refused.", "O(1)", module_refused},
    {"role", 1, kFast | kLoading | kStale | kNoScript, 0, 0, 0, kGroup, "2.8.12", "",
     "A master: every node takes writes.", "O(1)", role},
    {"wait", 3, 0, 0, 0, 0, Group::kGeneric, "3.0.0", "numreplicas timeout",
     "How many copies beside its coordinator's acknowledged the connection's last write. It waits "
     "for no more: KV.QUORUM W says how many a write waits for.",
     "O(1)", wait, &kLeastOfShards},
    {"waitaof", 4, kNoScript, 0, 0, 0, Group::kGeneric, "7.2.0", "numlocal numreplicas timeout",
     "Of those, the copies that are synced: with `engine.sync: always` all, else none for sure.",
     "O(1)", waitaof, &kLeastOfShards},
};

}  // namespace

std::span<const CommandRow> monitor_commands() { return kRows; }

}  // namespace kvorum::server

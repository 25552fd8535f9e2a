// SPDX-License-Identifier: Apache-2.0
// OBJECT: what Redis would tell of the inside of a value. Values are plain strings here, so it
// follows from their bytes alone; how they came to be is not kept.
#include "server/commands/help.h"
#include "server/commands/words.h"

namespace kvorum::server {
namespace {

using protocol::Reply;

constexpr size_t kEmbeddedBytesMax = 44;
constexpr int64_t kSharedIntegers = 10'000;
constexpr int64_t kSharedReferences = 2'147'483'647;  // Redis's count of what it shares

constexpr std::string_view kNoIdleTime =
    "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when "
    "switching "
    "between policies at runtime LRU and LFU data will take some time to adjust.";

Reply finish_encoding(const FinishInput& input) {
  const Versions versions = seen(input);
  if (versions.empty()) return Reply::nil();
  const std::string_view bytes = versions[0].bytes;
  if (protocol::parse_int64(bytes)) return Reply::bulk("int");
  return Reply::bulk(bytes.size() <= kEmbeddedBytesMax ? "embstr" : "raw");
}

Reply finish_refcount(const FinishInput& input) {
  const Versions versions = seen(input);
  if (versions.empty()) return Reply::nil();
  const std::optional<int64_t> number = protocol::parse_int64(versions[0].bytes);
  const bool is_shared = number && *number >= 0 && *number < kSharedIntegers;
  return Reply::integer(is_shared ? kSharedReferences : 1);
}

Reply finish_idletime(const FinishInput& input) {
  const Versions versions = seen(input);
  if (versions.empty()) return Reply::nil();
  if (input.remembered.number >= 0) return Reply::error(kNoIdleTime);
  const uint64_t written_ms = versions[0].dot.hlc.ms(), now_ms = input.completion.now_ms;
  const uint64_t idle_ms = now_ms > written_ms ? now_ms - written_ms : 0;
  return Reply::integer(static_cast<int64_t>(idle_ms / 1000));
}

// Before it was read for this: the count, or -1.
Reply finish_freq(const FinishInput& input) {
  if (seen(input).empty()) return Reply::nil();
  if (input.remembered.number >= 0) return Reply::integer(input.remembered.number);
  return Reply::error(
      "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that "
      "when switching between policies at runtime LRU and LFU data will take some time to adjust.");
}

void encoding(const CommandCall& call, Plan& plan) { plan.read(call.words[2], finish_encoding); }
void refcount(const CommandCall& call, Plan& plan) { plan.read(call.words[2], finish_refcount); }

// With the count of uses; -1 where none is kept.
void read_with_count(const CommandCall& call, Finish finish, Plan& plan) {
  const auto count = call.facts.use_count(call.session.keyspace, call.words[2]);
  plan.remembered.number = count ? int64_t{*count} : -1;
  plan.read(call.words[2], finish);
}
void idletime(const CommandCall& call, Plan& plan) { read_with_count(call, finish_idletime, plan); }
void freq(const CommandCall& call, Plan& plan) { read_with_count(call, finish_freq, plan); }

constexpr RowHints kLooksInside{.keys = "RO", .tips = "nondeterministic_output"};

constexpr CommandRow kRows[] = {
    {"object", -2, kContainer, 0, 0, 0, Group::kGeneric, "2.2.3", "subcommand",
     "Commands about the inside of values.", "O(1)", nullptr},
    {"object|encoding", 3, kReadonly, 2, 2, 1, Group::kGeneric, "2.2.3", "key",
     "How Redis would keep a value that was just set to these bytes: int, embstr or raw. Not known "
     "here: that APPEND, SETRANGE or SETBIT left it raw.",
     "O(1)", encoding, &kLooksInside},
    {"object|freq", 3, kReadonly, 2, 2, 1, Group::kGeneric, "4.0.0", "key",
     "With an LFU policy (engine.eviction) the logarithmic count of this node's copy, 0 where it "
     "has "
     "none; else refused.",
     "O(1)", freq, &kLooksInside},
    {"object|help", 2, kLoading | kStale, 0, 0, 0, Group::kGeneric, "6.2.0", "",
     "Lists the subcommands.", "O(1)", subcommand_help},
    {"object|idletime", 3, kReadonly, 2, 2, 1, Group::kGeneric, "2.2.3", "key",
     "The seconds since a value was written; that it was read is not kept. Refused with an LFU "
     "policy, as in Redis.",
     "O(1)", idletime, &kLooksInside},
    {"object|refcount", 3, kReadonly, 2, 2, 1, Group::kGeneric, "2.2.3", "key",
     "How often Redis would share a value: 1, or 2147483647 for an integer from 0 to 9999.", "O(1)",
     refcount, &kLooksInside},
};

}  // namespace

std::span<const CommandRow> object_commands() { return kRows; }

}  // namespace kvorum::server

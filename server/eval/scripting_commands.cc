// SPDX-License-Identifier: Apache-2.0
// EVAL, EVALSHA and SCRIPT.
#include <string_view>

#include "server/commands/help.h"
#include "server/eval/script_bodies.h"
#include "server/eval/script_stages.h"
#include "server/eval/scripting_words.h"
#include "server/lua/sha1.h"

namespace kvorum::server {
namespace {

using protocol::Reply;

void script_flush(const CommandCall& call, Plan& plan) {
  if (!is_flush_call(call, "ERR SCRIPT FLUSH only support SYNC|ASYNC option", plan)) return;
  plan.whole_keyspace(cluster::KeyspaceRequest::Kind::kDropTexts, finish_everywhere);
}

void script_exists(const CommandCall& call, Plan& plan) {
  std::vector<Reply> items;
  for (size_t i = 2; i < call.words.size(); ++i) {
    items.push_back(Reply::integer(known_script(call.words[i], call.facts) ? 1 : 0));
  }
  plan.answer(Reply::array(std::move(items)));
}

void script_load(const CommandCall& call, Plan& plan) {
  const auto body = keep_script(call.words[2], call.facts, plan);
  if (body) plan.answer(Reply::bulk_owned(body->sha));
}

void script_kill(const CommandCall& call, Plan& plan) { end_long_runs(call, plan); }

void script_debug(const CommandCall& call, Plan& plan) {
  if (equals_ignoring_case(call.words[2], "no")) return plan.answer(Reply::ok());
  const bool valid =
      equals_ignoring_case(call.words[2], "yes") || equals_ignoring_case(call.words[2], "sync");
  plan.fail(valid ? "ERR there is no debugger of scripts here"
                  : "ERR Use SCRIPT DEBUG YES/SYNC/NO");
}

void eval(const CommandCall& call, Plan& plan) {
  const auto body = keep_script(call.words[1], call.facts, plan);
  if (body) plan_script(call, *body, plan);
}

// A script that this node does not know may be known to another one.
void eval_sha(const CommandCall& call, Plan& plan) {
  ScriptWords read;
  if (!read_script_words(call.words, plan, &read)) return;
  if (call.words[1].size() != kShaDigits) return plan.fail(protocol::kNoScript);
  const auto body = known_script(call.words[1], call.facts);
  body ? plan_script(call, *body, plan) : plan.in_stages(call.words, run_script);
}

constexpr uint32_t kEval = kNoScript | kStale | kMovableKeys, kEvalWrites = kEval | kMayWrite;

constexpr RowHints kAllShardsAgree{.tips =
                                       "request_policy:all_shards response_policy:agg_logical_and"};

constexpr CommandRow kRows[] = {
    {"eval", -3, kEvalWrites, 0, 0, 0, Group::kScripting, "2.6.0",
     "script numkeys [key [key ...]] [arg [arg ...]]",
     "Runs a Lua script, as one edit of its key. Several keys must be of one partition.",
     "Depends on the script", eval, &hint::kMayChange},
    {"eval_ro", -3, kEval | kReadonly, 0, 0, 0, Group::kScripting, "7.0.0",
     "script numkeys [key [key ...]] [arg [arg ...]]", "EVAL of a script that writes nothing.",
     "Depends on the script", eval, &hint::kMayRead},
    {"evalsha", -3, kEvalWrites, 0, 0, 0, Group::kScripting, "2.6.0",
     "sha1 numkeys [key [key ...]] [arg [arg ...]]",
     "EVAL of a script that any node of the cluster has seen.", "Depends on the script", eval_sha},
    {"evalsha_ro", -3, kEval | kReadonly, 0, 0, 0, Group::kScripting, "7.0.0",
     "sha1 numkeys [key [key ...]] [arg [arg ...]]", "EVALSHA of a script that writes nothing.",
     "Depends on the script", eval_sha},
    {"script", -2, kContainer, 0, 0, 0, Group::kScripting, "2.6.0", "subcommand",
     "Commands about scripts.", "O(1)", nullptr},
    {"script|debug", 3, kNoScript, 0, 0, 0, Group::kScripting, "3.2.0", "YES | SYNC | NO",
     "There is no debugger: NO is taken.", "O(1)", script_debug},
    {"script|exists", -3, kNoScript, 0, 0, 0, Group::kScripting, "2.6.0", "sha1 [sha1 ...]",
     "Which scripts this node knows.", "O(N) for N scripts", script_exists, &kAllShardsAgree},
    {"script|flush", -2, kNoScript, 0, 0, 0, Group::kScripting, "2.6.0", "[ASYNC | SYNC]",
     "Forgets all scripts, at every node.", "O(N) for N scripts", script_flush, &hint::kTellsNodes},
    {"script|help", 2, kLoading | kStale, 0, 0, 0, Group::kScripting, "5.0.0", "",
     "Lists the subcommands.", "O(1)", subcommand_help},
    {"script|kill", 2, kNoScript | kStale, 0, 0, 0, Group::kScripting, "2.6.0", "",
     "Ends the scripts that take long at this node.", "O(1)", script_kill, &hint::kTellsOneShard},
    {"script|load", 3, kNoScript | kStale, 0, 0, 0, Group::kScripting, "2.6.0", "script",
     "Keeps a script for EVALSHA, at any node.", "O(N) for N bytes", script_load,
     &hint::kTellsNodes},
};

}  // namespace

std::span<const CommandRow> scripting_commands() { return kRows; }

}  // namespace kvorum::server

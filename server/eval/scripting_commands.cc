// SPDX-License-Identifier: Apache-2.0
// EVAL, EVALSHA and SCRIPT; FUNCTION and FCALL as on a Redis that has no library: none can be
// loaded here, so that stays so. Test suites and client libraries clear both before they begin.
#include <string_view>

#include "server/commands/help.h"
#include "server/eval/script_bodies.h"
#include "server/eval/script_stages.h"
#include "server/lua/sha1.h"

namespace kvorum::server {
namespace {

using protocol::Reply;
using namespace std::string_view_literals;

// What Redis 7.0 dumps without a library: the version of its format and a checksum.
constexpr std::string_view kEmptyDump = "\x0a\x00\x5d\x9b\x5c\x40\x0f\x7f\xa2\xda"sv;

// Whether the third word, if there is one, says how. False with the reply planned.
bool is_flush(const CommandCall& call, std::string_view refusal, Plan& plan) {
  if (call.words.size() > 3) {
    plan.fail_owned(protocol::bad_subcommand(call.words[1], call.words[0]));
    return false;
  }
  const bool valid = call.words.size() == 2 || equals_ignoring_case(call.words[2], "async") ||
                     equals_ignoring_case(call.words[2], "sync");
  if (!valid) plan.fail(refusal);
  return valid;
}

void function_flush(const CommandCall& call, Plan& plan) {
  if (!is_flush(call, "ERR FUNCTION FLUSH only supports SYNC|ASYNC option", plan)) return;
  plan.answer(Reply::ok());
}

KeyspaceStep finish_flush(const cluster::KeyspaceCompletion&, Remembered&) {
  return {false, 0, Reply::ok()};
}

void script_flush(const CommandCall& call, Plan& plan) {
  if (!is_flush(call, "ERR SCRIPT FLUSH only support SYNC|ASYNC option", plan)) return;
  plan.whole_keyspace(cluster::KeyspaceRequest::Kind::kDropTexts, finish_flush);
}

void function_list(const CommandCall& call, Plan& plan) {
  for (size_t i = 2; i < call.words.size(); ++i) {
    if (equals_ignoring_case(call.words[i], "withcode")) continue;
    if (!equals_ignoring_case(call.words[i], "libraryname")) {
      return plan.fail_owned(std::string("ERR Unknown argument ").append(call.words[i]));
    }
    if (++i == call.words.size()) return plan.fail("ERR library name argument was not given");
  }
  plan.answer(Reply::array({}));
}

void function_stats(const CommandCall&, Plan& plan) {
  std::vector<Reply> counts;
  counts.push_back(Reply::bulk("libraries_count"));
  counts.push_back(Reply::integer(0));
  counts.push_back(Reply::bulk("functions_count"));
  counts.push_back(Reply::integer(0));
  std::vector<Reply> engines;
  engines.push_back(Reply::bulk("LUA"));
  engines.push_back(Reply::map(std::move(counts)));
  std::vector<Reply> fields;
  fields.push_back(Reply::bulk("running_script"));
  fields.push_back(Reply::nil());
  fields.push_back(Reply::bulk("engines"));
  fields.push_back(Reply::map(std::move(engines)));
  plan.answer(Reply::map(std::move(fields)));
}

void function_dump(const CommandCall&, Plan& plan) { plan.answer(Reply::bulk(kEmptyDump)); }

void function_restore(const CommandCall& call, Plan& plan) {
  if (call.words[2] == kEmptyDump) return plan.answer(Reply::ok());
  plan.fail("ERR DUMP payload version or checksum are wrong");
}

void function_load(const CommandCall&, Plan& plan) { plan.fail("ERR functions are not supported"); }

void function_delete(const CommandCall&, Plan& plan) { plan.fail("ERR Library not found"); }

void nothing_runs(const CommandCall&, Plan& plan) {
  plan.fail("NOTBUSY No scripts in execution right now.");
}

void fcall(const CommandCall&, Plan& plan) { plan.fail("ERR Function not found"); }

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

void script_kill(const CommandCall& call, Plan& plan) {
  if (call.facts.end_long_scripts() > 0) return plan.answer(Reply::ok());
  nothing_runs(call, plan);
}

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

constexpr uint32_t kEval = kNoScript | kStale;

constexpr CommandRow kRows[] = {
    {"eval", -3, kEval, 0, 0, 0, Group::kScripting, "2.6.0",
     "script numkeys [key [key ...]] [arg [arg ...]]",
     "Runs a Lua script, as one edit of its key. Several keys must be of one partition.",
     "Depends on the script", eval},
    {"eval_ro", -3, kEval | kReadonly, 0, 0, 0, Group::kScripting, "7.0.0",
     "script numkeys [key [key ...]] [arg [arg ...]]", "EVAL of a script that writes nothing.",
     "Depends on the script", eval},
    {"evalsha", -3, kEval, 0, 0, 0, Group::kScripting, "2.6.0",
     "sha1 numkeys [key [key ...]] [arg [arg ...]]",
     "EVAL of a script that any node of the cluster has seen.", "Depends on the script", eval_sha},
    {"evalsha_ro", -3, kEval | kReadonly, 0, 0, 0, Group::kScripting, "7.0.0",
     "sha1 numkeys [key [key ...]] [arg [arg ...]]", "EVALSHA of a script that writes nothing.",
     "Depends on the script", eval_sha},
    {"fcall", -3, kNoScript, 0, 0, 0, Group::kScripting, "7.0.0",
     "function numkeys [key [key ...]] [arg [arg ...]]",
     "Calls a function: there are none, and it says so.", "O(1)", fcall},
    {"fcall_ro", -3, kNoScript, 0, 0, 0, Group::kScripting, "7.0.0",
     "function numkeys [key [key ...]] [arg [arg ...]]",
     "Calls a function: there are none, and it says so.", "O(1)", fcall},
    {"function", -2, kContainer, 0, 0, 0, Group::kScripting, "7.0.0", "subcommand",
     "Commands about functions.", "O(1)", nullptr},
    {"function|delete", 3, kNoScript, 0, 0, 0, Group::kScripting, "7.0.0", "library-name",
     "Deletes a library: there are none, and it says so.", "O(1)", function_delete},
    {"function|dump", 2, kNoScript, 0, 0, 0, Group::kScripting, "7.0.0", "",
     "The libraries as bytes: the dump of none.", "O(1)", function_dump},
    {"function|flush", -2, kNoScript, 0, 0, 0, Group::kScripting, "7.0.0", "[ASYNC | SYNC]",
     "Deletes all libraries: there are none.", "O(1)", function_flush},
    {"function|help", 2, kLoading | kStale, 0, 0, 0, Group::kScripting, "7.0.0", "",
     "Lists the subcommands.", "O(1)", subcommand_help},
    {"function|kill", 2, kNoScript, 0, 0, 0, Group::kScripting, "7.0.0", "",
     "Ends a function that runs: none does.", "O(1)", nothing_runs},
    {"function|list", -2, kNoScript, 0, 0, 0, Group::kScripting, "7.0.0",
     "[LIBRARYNAME library-name-pattern] [WITHCODE]", "The libraries: none.", "O(1)",
     function_list},
    {"function|load", -3, kNoScript, 0, 0, 0, Group::kScripting, "7.0.0", "[REPLACE] function-code",
     "Refused: functions are not supported.", "O(1)", function_load},
    {"function|restore", -3, kNoScript, 0, 0, 0, Group::kScripting, "7.0.0",
     "serialized-value [FLUSH | APPEND | REPLACE]", "Takes the dump of no library alone.", "O(1)",
     function_restore},
    {"function|stats", 2, kNoScript, 0, 0, 0, Group::kScripting, "7.0.0", "",
     "What runs, and how many functions there are: nothing, none.", "O(1)", function_stats},
    {"script", -2, kContainer, 0, 0, 0, Group::kScripting, "2.6.0", "subcommand",
     "Commands about scripts.", "O(1)", nullptr},
    {"script|debug", 3, kNoScript, 0, 0, 0, Group::kScripting, "3.2.0", "YES | SYNC | NO",
     "There is no debugger: NO is taken.", "O(1)", script_debug},
    {"script|exists", -3, kNoScript, 0, 0, 0, Group::kScripting, "2.6.0", "sha1 [sha1 ...]",
     "Which scripts this node knows.", "O(N) for N scripts", script_exists},
    {"script|flush", -2, kNoScript, 0, 0, 0, Group::kScripting, "2.6.0", "[ASYNC | SYNC]",
     "Forgets all scripts, at every node.", "O(N) for N scripts", script_flush},
    {"script|help", 2, kLoading | kStale, 0, 0, 0, Group::kScripting, "5.0.0", "",
     "Lists the subcommands.", "O(1)", subcommand_help},
    {"script|kill", 2, kNoScript | kStale, 0, 0, 0, Group::kScripting, "2.6.0", "",
     "Ends the scripts that take long at this node.", "O(1)", script_kill},
    {"script|load", 3, kNoScript | kStale, 0, 0, 0, Group::kScripting, "2.6.0", "script",
     "Keeps a script for EVALSHA, at any node.", "O(N) for N bytes", script_load},
};

}  // namespace

std::span<const CommandRow> scripting_commands() { return kRows; }

}  // namespace kvorum::server

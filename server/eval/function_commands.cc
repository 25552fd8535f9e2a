// SPDX-License-Identifier: Apache-2.0
// FUNCTION and FCALL: libraries of functions, which all nodes of the cluster have
// (server/script/function_libraries.h).
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <span>

#include "protocol/glob.h"
#include "protocol/inline_words.h"
#include "server/commands/help.h"
#include "server/commands/words.h"
#include "server/eval/script_bodies.h"
#include "server/eval/script_stages.h"
#include "server/eval/scripting_words.h"
#include "server/keys/redis_dump.h"
#include "server/lua/sha1.h"
#include "server/script/script_engine.h"

namespace kvorum::server {
namespace {

using protocol::Reply;

FunctionLibraries& libraries_of(const CommandCall& call) {
  return call.facts.scripts().functions();
}

FunctionLibraries::Removal removal_by(const CommandCall& call) {
  const cluster::ClusterView& view = call.facts.view();
  return {view.members[view.self].id, call.facts.wall_us()};
}

// All others are told; the reply waits for those that can be reached.
void tell_all(KeyspaceFinish finish, Plan& plan) {
  plan.whole_keyspace(cluster::KeyspaceRequest::Kind::kShareLibraries, finish);
}

// ---- FUNCTION LOAD

// "#!lua name=mine". What is wrong with it, or nothing.
std::string read_metadata(std::string_view text, std::string* name) {
  if (!text.starts_with("#!")) return "ERR Missing library metadata";
  const size_t end = text.find('\n');
  if (end == std::string_view::npos) return "ERR Invalid library metadata";
  std::vector<std::string_view> parts;
  std::forward_list<std::string> arena;
  if (!protocol::split_inline_words(text.substr(0, end), parts, arena)) {
    return "ERR Invalid library metadata";
  }
  const std::string_view engine = parts[0].substr(2);
  bool named = false;
  for (const std::string_view part : std::span(parts).subspan(1)) {
    if (!part.starts_with("name=")) {
      return fmt::format("ERR Invalid metadata value given: {}", part);
    }
    if (named) return "ERR Invalid metadata value, name argument was given multiple times";
    *name = part.substr(5);
    named = true;
  }
  if (!named) return "ERR Library name was not given";
  if (!is_library_name(*name)) {
    return "ERR Library names can only contain letters, numbers, or underscores(_) and must be at "
           "least one character long";
  }
  if (!equals_ignoring_case(engine, "lua")) {
    return fmt::format("ERR Engine '{}' not found", engine);
  }
  return {};
}

// The library of a text. What is wrong with it, or nothing.
std::string read_library(std::string_view text, const CommandCall& call, FunctionLibrary* library) {
  std::string problem = read_metadata(text, &library->name);
  if (!problem.empty()) return problem;
  library->text = text;
  library->origin = removal_by(call).origin;
  return ScriptEngine::of_this_thread().load(sha1_hex(text), library->code(), &library->functions);
}

KeyspaceStep finish_load(const cluster::KeyspaceCompletion&, Remembered& remembered) {
  return {false, 0, Reply::bulk(remembered.text)};
}

void function_load(const CommandCall& call, Plan& plan) {
  const bool replaces = call.words.size() > 3 && equals_ignoring_case(call.words[2], "replace");
  const size_t at = replaces ? 3 : 2;
  if (call.words.size() > at + 1) {
    return plan.fail_owned(fmt::format("ERR Unknown option given: {}", call.words[at]));
  }
  if (call.facts.is_full()) return plan.fail(protocol::kOutOfMemory);
  FunctionLibrary library;
  std::string problem = read_library(call.words[at], call, &library);
  std::string name = library.name;
  if (problem.empty()) {
    problem = libraries_of(call).add(std::move(library), replaces, call.facts.wall_us());
  }
  if (!problem.empty()) return plan.fail_owned(std::move(problem));
  plan.remembered.text = std::move(name);
  tell_all(finish_load, plan);
}

// ---- the others of FUNCTION

void function_delete(const CommandCall& call, Plan& plan) {
  if (!libraries_of(call).remove(call.words[2], removal_by(call))) {
    return plan.fail("ERR Library not found");
  }
  tell_all(finish_everywhere, plan);
}

void function_flush(const CommandCall& call, Plan& plan) {
  if (!is_flush_call(call, "ERR FUNCTION FLUSH only supports SYNC|ASYNC option", plan)) return;
  if (libraries_of(call).all().empty()) return plan.answer(Reply::ok());
  libraries_of(call).remove_all(removal_by(call));
  tell_all(finish_everywhere, plan);
}

Reply describe(const LibraryFunction& function) {
  std::vector<Reply> flags;
  for (size_t at = 0; at < std::size(kFunctionFlagNames); ++at) {
    if (function.flags & 1u << at) flags.push_back(Reply::simple(kFunctionFlagNames[at]));
  }
  const bool described = (function.flags & LibraryFunction::kHasDescription) != 0;
  std::vector<Reply> fields;
  add_field(fields, "name", Reply::bulk_owned(function.name));
  add_field(fields, "description",
            described ? Reply::bulk_owned(function.description) : Reply::nil());
  add_field(fields, "flags", Reply::set(std::move(flags)));
  return Reply::map(std::move(fields));
}

Reply describe(const FunctionLibrary& library, bool with_code) {
  std::vector<Reply> functions;
  for (const LibraryFunction& function : library.functions) {
    functions.push_back(describe(function));
  }
  std::vector<Reply> fields;
  add_field(fields, "library_name", Reply::bulk_owned(library.name));
  add_field(fields, "engine", Reply::bulk("LUA"));
  add_field(fields, "functions", Reply::array(std::move(functions)));
  if (with_code) add_field(fields, "library_code", Reply::bulk_owned(library.text));
  return Reply::map(std::move(fields));
}

void function_list(const CommandCall& call, Plan& plan) {
  bool with_code = false;
  std::optional<std::string_view> pattern;
  for (size_t i = 2; i < call.words.size(); ++i) {
    if (!with_code && equals_ignoring_case(call.words[i], "withcode")) {
      with_code = true;
    } else if (!pattern && equals_ignoring_case(call.words[i], "libraryname")) {
      if (++i == call.words.size()) return plan.fail("ERR library name argument was not given");
      pattern = call.words[i];
    } else {
      return plan.fail_owned(fmt::format("ERR Unknown argument {}", call.words[i]));
    }
  }
  std::vector<Reply> items;
  for (const FunctionLibraries::Shared& library : libraries_of(call).all()) {
    if (pattern && !protocol::glob_matches(*pattern, library->name, /*ignore_case=*/true)) continue;
    items.push_back(describe(*library, with_code));
  }
  plan.answer(Reply::array(std::move(items)));
}

void function_stats(const CommandCall& call, Plan& plan) {
  int64_t libraries = 0, functions = 0;
  for (const FunctionLibraries::Shared& library : libraries_of(call).all()) {
    ++libraries;
    functions += static_cast<int64_t>(library->functions.size());
  }
  std::vector<Reply> counts;
  add_field(counts, "libraries_count", Reply::integer(libraries));
  add_field(counts, "functions_count", Reply::integer(functions));
  std::vector<Reply> engines;
  add_field(engines, "LUA", Reply::map(std::move(counts)));
  std::vector<Reply> fields;
  add_field(fields, "running_script", Reply::nil());
  add_field(fields, "engines", Reply::map(std::move(engines)));
  plan.answer(Reply::map(std::move(fields)));
}

void function_dump(const CommandCall& call, Plan& plan) {
  const std::vector<FunctionLibraries::Shared> all = libraries_of(call).all();
  std::vector<std::string_view> texts;
  for (const FunctionLibraries::Shared& library : all) texts.push_back(library->text);
  plan.answer(Reply::bulk_owned(dump_libraries(texts)));
}

// What is wrong with one of them, or what it collides with; or nothing.
std::string add_all(const std::vector<FunctionLibrary>& libraries, bool replaces, uint64_t now_us,
                    FunctionLibraries& to) {
  for (const FunctionLibrary& library : libraries) {
    std::string problem = to.add(library, replaces, now_us);
    if (!problem.empty()) return problem;
  }
  return {};
}

std::string read_restored(const CommandCall& call, bool replaces,
                          std::vector<FunctionLibrary>* libraries) {
  constexpr std::string_view kBad = "ERR DUMP payload version or checksum are wrong";
  if (!is_whole_dump(call.words[2])) return std::string(kBad);
  const auto texts = read_library_dump(call.words[2], FunctionLibraries::kBytesMax);
  if (!texts) return "ERR given type is not a function";
  for (const std::string& text : *texts) {
    std::string problem = read_library(text, call, &libraries->emplace_back());
    if (!problem.empty()) return problem;
    const std::string& name = libraries->back().name;
    if (!replaces && libraries_of(call).library(name)) {
      return fmt::format("ERR Library {} already exists", name);
    }
  }
  return {};
}

void function_restore(const CommandCall& call, Plan& plan) {
  if (call.words.size() > 4) {
    return plan.fail_owned(protocol::bad_subcommand(call.words[1], upper_case(call.words[0])));
  }
  const std::string_view policy = call.words.size() == 4 ? call.words[3] : "append";
  const bool flushes = equals_ignoring_case(policy, "flush");
  const bool replaces = equals_ignoring_case(policy, "replace");
  if (!flushes && !replaces && !equals_ignoring_case(policy, "append")) {
    return plan.fail(
        "ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.");
  }
  if (call.facts.is_full()) return plan.fail(protocol::kOutOfMemory);
  std::vector<FunctionLibrary> libraries;
  std::string problem = read_restored(call, flushes || replaces, &libraries);
  if (!problem.empty()) return plan.fail_owned(std::move(problem));
  FunctionLibraries tried;
  std::string before;
  if (!flushes) libraries_of(call).put_all(before);
  if (!flushes) tried.merge(before);
  const bool overwrites = flushes || replaces;
  problem = add_all(libraries, overwrites, call.facts.wall_us(), tried);
  if (!problem.empty()) return plan.fail_owned(std::move(problem));
  if (flushes) libraries_of(call).remove_all(removal_by(call));
  problem = add_all(libraries, overwrites, call.facts.wall_us(), libraries_of(call));
  if (!problem.empty()) return plan.fail_owned(std::move(problem));
  tell_all(finish_everywhere, plan);
}

// ---- FCALL

// The number of keys is looked at first, as by Redis.
bool is_key_count(const CommandCall& call, Plan& plan) {
  if (protocol::parse_int64(call.words[2])) return true;
  plan.fail("ERR Bad number of keys provided");
  return false;
}

void fcall(const CommandCall& call, Plan& plan) {
  const FunctionLibraries::Found found = libraries_of(call).find(call.words[1]);
  if (!found.library) return plan.fail("ERR Function not found");
  if (!is_key_count(call, plan)) return;
  const bool writes = (found.function->flags & LibraryFunction::kNoWrites) == 0;
  if (writes && call.row.flags & kReadonly) {
    return plan.fail("ERR Can not execute a script with write flag using *_ro command.");
  }
  plan_function(call, found, plan);
}

constexpr uint32_t kCalls = kNoScript | kStale | kMovableKeys;
constexpr Group kGroup = Group::kScripting;

constexpr CommandRow kRows[] = {
    {"fcall", -3, kCalls | kMayWrite, 0, 0, 0, kGroup, "7.0.0",
     "function numkeys [key [key ...]] [arg [arg ...]]",
     "Calls a function of a library, as EVAL runs a script.", "Depends on the function", fcall,
     &hint::kMayChange},
    {"fcall_ro", -3, kCalls | kReadonly, 0, 0, 0, kGroup, "7.0.0",
     "function numkeys [key [key ...]] [arg [arg ...]]",
     "FCALL of a function with the flag no-writes.", "Depends on the function", fcall,
     &hint::kMayRead},
    {"function", -2, kContainer, 0, 0, 0, kGroup, "7.0.0", "subcommand",
     "Commands about functions, which all nodes have.", "O(1)", nullptr},
    {"function|delete", 3, kNoScript | kWrite, 0, 0, 0, kGroup, "7.0.0", "library-name",
     "Deletes a library, at every node.", "O(1)", function_delete, &hint::kTellsShards},
    {"function|dump", 2, kNoScript, 0, 0, 0, kGroup, "7.0.0", "",
     "The libraries as bytes, which FUNCTION RESTORE takes, here and in Redis from 7.0 on.",
     "O(N) for N libraries", function_dump},
    {"function|flush", -2, kNoScript | kWrite, 0, 0, 0, kGroup, "7.0.0", "[ASYNC | SYNC]",
     "Deletes all libraries, at every node.", "O(N) for N libraries", function_flush,
     &hint::kTellsShards},
    {"function|help", 2, kLoading | kStale, 0, 0, 0, kGroup, "7.0.0", "", "Lists the subcommands.",
     "O(1)", subcommand_help},
    {"function|kill", 2, kNoScript | kStale, 0, 0, 0, kGroup, "7.0.0", "",
     "Ends the functions and scripts that take long at this node.", "O(1)", end_long_runs,
     &hint::kTellsOneShard},
    {"function|list", -2, kNoScript, 0, 0, 0, kGroup, "7.0.0",
     "[LIBRARYNAME library-name-pattern] [WITHCODE]", "The libraries and their functions.",
     "O(N) for N functions", function_list, &hint::kUncertainOrder},
    {"function|load", -3, kNoScript | kWrite | kDenyOom, 0, 0, 0, kGroup, "7.0.0",
     "[REPLACE] function-code",
     "Adds a library, at every node that can be reached; others learn of it when they can be. Each "
     "node keeps them, with a disk within a second.",
     "O(N) for N bytes", function_load, &hint::kTellsShards},
    {"function|restore", -3, kNoScript | kWrite | kDenyOom, 0, 0, 0, kGroup, "7.0.0",
     "serialized-value [FLUSH | APPEND | REPLACE]", "Adds the libraries of a dump, all or none.",
     "O(N) for N libraries", function_restore, &hint::kTellsShards},
    {"function|stats", 2, kNoScript | kStale, 0, 0, 0, kGroup, "7.0.0", "",
     "How many libraries and functions there are.", "O(N) for N libraries", function_stats,
     &hint::kAsksShards},
};

}  // namespace

std::span<const CommandRow> function_commands() { return kRows; }

}  // namespace kvorum::server

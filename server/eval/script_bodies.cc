// SPDX-License-Identifier: Apache-2.0
#include "server/eval/script_bodies.h"

#include <algorithm>
#include <utility>

#include "base/ascii.h"
#include "server/commands/words.h"
#include "server/eval/script_stages.h"
#include "server/eval/scripting_words.h"
#include "server/logbook/logbook.h"
#include "server/lua/sha1.h"
#include "server/script/script_engine.h"
#include "server/tracking/monitors.h"

namespace kvorum::server {
namespace {

constexpr std::string_view kKnownFlags[] = {"no-writes", "allow-oom", "allow-stale", "no-cluster",
                                            "allow-cross-slot-keys"};

// "#!lua flags=no-writes,allow-oom". False with the error planned.
bool read_first_line(std::string_view line, ScriptBody& body, Plan& plan) {
  const std::string_view engine = next_word(line);
  if (engine != "#!lua") {
    plan.fail_owned(std::string("ERR Unexpected engine in script shebang: ").append(engine));
    return false;
  }
  for (std::string_view option = next_word(line); !option.empty(); option = next_word(line)) {
    if (!option.starts_with("flags=")) {
      plan.fail_owned(std::string("ERR Unknown lua shebang option: ").append(option));
      return false;
    }
    option.remove_prefix(6);
    while (!option.empty()) {
      const std::string_view flag = option.substr(0, option.find(','));
      option.remove_prefix(std::min(flag.size() + 1, option.size()));
      if (std::find(std::begin(kKnownFlags), std::end(kKnownFlags), flag) ==
          std::end(kKnownFlags)) {
        plan.fail_owned(std::string("ERR Unexpected flag in script shebang: ").append(flag));
        return false;
      }
      body.read_only = body.read_only || flag == "no-writes";
      body.allow_oom = body.allow_oom || flag == "allow-oom";
    }
  }
  return true;
}

bool read_code(ScriptBody& body, Plan& plan) {
  body.code = body.text;
  if (!body.text.starts_with("#!")) return true;
  const size_t end = body.text.find('\n');
  if (end == std::string::npos) {
    plan.fail("ERR Invalid script shebang");
    return false;
  }
  body.has_flags = true;
  body.code = body.text.substr(end);  // the line stays, so that errors count as their writer does
  return read_first_line(std::string_view(body.text).substr(0, end), body, plan);
}

// By its name in small letters.
bool is_read_only(std::string_view command) { return command.ends_with("_ro"); }

// What is run.
struct Runnable {
  explicit Runnable(const ScriptBody& body)
      : sha(body.sha),
        code(body.code),
        read_only(body.read_only),
        has_flags(body.has_flags),
        allow_oom(body.allow_oom) {}
  explicit Runnable(const FunctionLibraries::Found& found)
      : sha(found.library->sha),
        code(found.library->code()),
        function(found.function->name),
        read_only((found.function->flags & LibraryFunction::kNoWrites) != 0),
        has_flags(true),
        allow_oom((found.function->flags & LibraryFunction::kAllowOom) != 0) {}

  std::string_view sha, code, function;
  bool read_only;
  bool has_flags, allow_oom;  // as of ScriptBody
};

// Who calls it, and how.
struct Caller {
  std::string_view command;
  protocol::RespVersion resp;
  uint8_t keyspace;
  NodeFacts& facts;
};

// This node would refuse to store what the script writes.
bool lacks_room(const Runnable& runnable, const ScriptWords& read, const Caller& caller) {
  if (!caller.facts.is_full() || runnable.allow_oom || runnable.read_only) [[likely]]
    return false;
  return read.keys.empty() || caller.facts.is_full_for(caller.keyspace, read.keys[0]);
}

// One whose flags do not allow that is not begun. False with the error planned.
bool may_begin(const Runnable& runnable, const ScriptWords& read, const Caller& caller,
               Plan& plan) {
  if (!runnable.has_flags || !lacks_room(runnable, read, caller)) return true;
  plan.fail(
      "OOM allow-oom flag is not set on the script, can not run it when used memory > 'maxmemory'");
  return false;
}

void put_task(const Runnable& runnable, const ScriptWords& read, const Caller& caller,
              std::string& out) {
  ScriptTask task;
  task.sha = runnable.sha;
  task.body = runnable.code;
  task.function = runnable.function;
  task.keys.assign(read.keys);
  task.arguments.assign(read.arguments);
  task.read_only = runnable.read_only || is_read_only(caller.command);
  task.may_debug = caller.facts.logbook().scripts_debug.load(std::memory_order_relaxed);
  task.denies_growth = lacks_room(runnable, read, caller);
  task.resp = caller.resp;
  task.keyspace = caller.keyspace;
  task.now_us = caller.facts.wall_us();
  const Monitors* const monitors = caller.facts.monitors();
  task.is_monitored = monitors != nullptr && monitors->any();
  put_script_task(out, task);
}

// False: it is planned as an edit of its only key, or is refused.
bool goes_in_stages(const CommandCall& call, const Runnable& runnable, Plan& plan) {
  ScriptWords read;
  if (!read_script_words(call.words, plan, &read)) return false;
  const Caller caller{call.row.name, call.session.resp, call.session.keyspace, call.facts};
  if (!may_begin(runnable, read, caller, plan)) return false;
  const bool one =
      !read.keys.empty() && std::all_of(read.keys.begin(), read.keys.end(),
                                        [&](std::string_view key) { return key == read.keys[0]; });
  if (!one) return are_together(read.keys, call.facts, plan);
  put_task(runnable, read, caller, plan.argument);
  plan.edit(read.keys[0], kEditScript, finish_script).argument = plan.argument;
  return false;
}

// The state of a call whose text is known. False with the reply planned.
bool begin_staged(const StageCall& call, const Runnable& runnable, Plan& plan) {
  const std::vector<std::string_view> words(call.words.begin(), call.words.end());
  ScriptWords read;
  if (!read_script_words(words, plan, &read)) return false;
  if (!are_together(read.keys, call.facts, plan)) return false;
  const std::string command = lower_case(words[0]);
  const Caller caller{command, call.resp, call.keyspace, call.facts};
  if (!may_begin(runnable, read, caller, plan)) return false;
  std::string bytes;
  put_task(runnable, read, caller, bytes);
  call.state = staged_script(std::move(bytes), ScriptPlace::kAtItsKey);
  return true;
}

}  // namespace

std::shared_ptr<const ScriptBody> keep_script(std::string_view text, NodeFacts& facts, Plan& plan) {
  std::string sha = sha1_hex(text);
  if (std::shared_ptr<const ScriptBody> known = facts.scripts().get(sha)) return known;
  auto body = std::make_shared<ScriptBody>();
  body->sha = std::move(sha);
  body->text = text;
  if (!read_code(*body, plan)) return nullptr;
  std::string problem = ScriptEngine::of_this_thread().check(body->sha, body->code);
  if (!problem.empty()) {
    plan.fail_owned(std::move(problem));
    return nullptr;
  }
  facts.scripts().add(body);
  return body;
}

std::shared_ptr<const ScriptBody> known_script(std::string_view name, NodeFacts& facts) {
  if (name.size() != kShaDigits) return nullptr;
  std::shared_ptr<const ScriptBody> known = facts.scripts().get(name);
  return known ? known : facts.scripts().get(lower_case(name));
}

bool read_script_words(Words words, Plan& plan, ScriptWords* read) {
  int64_t count = 0;
  if (!read_integer(words[2], plan, &count)) return false;
  if (count > static_cast<int64_t>(words.size()) - 3) {
    plan.fail("ERR Number of keys can't be greater than number of args");
  } else if (count < 0) {
    plan.fail("ERR Number of keys can't be negative");
  } else {
    const auto keys = static_cast<size_t>(count);
    *read = {words.subspan(3, keys), words.subspan(3 + keys)};
    return true;
  }
  return false;
}

void plan_script(const CommandCall& call, const ScriptBody& body, Plan& plan) {
  if (!goes_in_stages(call, Runnable(body), plan)) return;
  std::vector<std::string_view> words(call.words.begin(), call.words.end());
  words[0] = is_read_only(call.row.name) ? "evalsha_ro" : "evalsha";
  words[1] = body.sha;
  plan.in_stages(words, run_script);
}

void plan_function(const CommandCall& call, const FunctionLibraries::Found& found, Plan& plan) {
  if (goes_in_stages(call, Runnable(found), plan)) plan.in_stages(call.words, run_function);
}

bool begin_function(const StageCall& call, Plan& plan) {
  const FunctionLibraries::Found found = call.facts.scripts().functions().find(call.words[1]);
  if (!found.library) return plan.fail("ERR Function not found"), false;
  return begin_staged(call, Runnable(found), plan);
}

bool find_body(const StageCall& call, Plan& plan) {
  std::shared_ptr<const ScriptBody> body = known_script(call.words[1], call.facts);
  if (!body && call.stage() == 0) {
    plan.whole_keyspace(cluster::KeyspaceRequest::Kind::kFindText, nullptr);
    plan.keyspace_request.name = lower_case(call.words[1]);
    return false;
  }
  if (!body && call.results()[0].found()) {
    body = keep_script(call.results()[0].bytes(), call.facts, plan);
    if (!body) return false;
  }
  if (!body) return plan.fail(protocol::kNoScript), false;
  return begin_staged(call, Runnable(*body), plan);
}

}  // namespace kvorum::server

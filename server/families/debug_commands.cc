// SPDX-License-Identifier: Apache-2.0
// DEBUG, as far as test suites of clients use it. Refused unless the node's file allows it
// (`debug.commands`), since it can hold a reactor for as long as somebody likes.
#include <fmt/format.h>

#include <chrono>
#include <thread>

#include "server/commands/words.h"
#include "server/logbook/logbook.h"

namespace kvorum::server {
namespace {

using protocol::Reply;

constexpr std::string_view kNotAllowed =
    "ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you "
    "can run it from a local connection, otherwise you need to set this option in the "
    "configuration file, and then restart the server.";

bool is_local(std::string_view address) {
  return address.starts_with("127.") || address.starts_with("[::1]") || address.starts_with('/');
}

bool is_allowed(const CommandCall& call) {
  const DebugAccess access = call.facts.logbook().debug;
  return access == DebugAccess::kEverybody ||
         (access == DebugAccess::kLocal && is_local(call.session.peer_address));
}

// As Redis does, it holds whoever shares the thread.
void debug_sleep(const CommandCall& call, Plan& plan) {
  constexpr double kSleepMaxS = 3600;
  const auto seconds = protocol::parse_long_double(call.words[2]);
  if (!seconds || *seconds < 0 || *seconds > kSleepMaxS) {
    return plan.fail("ERR value is not a valid float");
  }
  std::this_thread::sleep_for(std::chrono::duration<double>(static_cast<double>(*seconds)));
  plan.answer(Reply::ok());
}

Reply finish_object(const FinishInput& input) {
  const Versions versions = seen(input);
  if (versions.empty()) return Reply::error("ERR no such key");
  const std::string_view bytes = versions[0].bytes;
  const bool is_number = protocol::parse_int64(bytes).has_value();
  return Reply::simple_owned(fmt::format(
      "Value at:0x0 refcount:1 encoding:{} serializedlength:{} lru:0 lru_seconds_idle:0",
      is_number ? "int" : "raw", bytes.size()));
}

void set_active_expire(const CommandCall& call, Plan& plan) {
  call.facts.logbook().expiry_rests = call.words[2] == "0";
  plan.answer(Reply::ok());
}

// Of Redis's commands that scripts may not call these are the ones that its own tests do call.
void set_disable_deny_scripts(const CommandCall& call, Plan& plan) {
  call.facts.logbook().scripts_debug = call.words[2] != "0";
  plan.answer(Reply::ok());
}

// One reply of each kind, for who tests a parser of them.
struct ProtocolExample {
  std::string_view name, resp2, resp3;
};
constexpr ProtocolExample kExamples[] = {
    {"string", "$11\r\nHello World\r\n", "$11\r\nHello World\r\n"},
    {"integer", ":12345\r\n", ":12345\r\n"},
    {"double", "$5\r\n3.141\r\n", ",3.141\r\n"},
    {"null", "$-1\r\n", "_\r\n"},
    {"array", "*3\r\n:0\r\n:1\r\n:2\r\n", "*3\r\n:0\r\n:1\r\n:2\r\n"},
    {"set", "*3\r\n:0\r\n:1\r\n:2\r\n", "~3\r\n:0\r\n:1\r\n:2\r\n"},
    {"map", "*6\r\n:0\r\n:0\r\n:1\r\n:1\r\n:2\r\n:0\r\n",
     "%3\r\n:0\r\n#f\r\n:1\r\n#t\r\n:2\r\n#f\r\n"},
    {"attrib", "$39\r\nSome real reply following the attribute\r\n",
     "|1\r\n$14\r\nkey-popularity\r\n*2\r\n$7\r\nkey:123\r\n:90\r\n"
     "$39\r\nSome real reply following the attribute\r\n"},
    {"push", "",
     ">2\r\n$16\r\nserver-cpu-usage\r\n:42\r\n"
     "$40\r\nSome real reply following the push reply\r\n"},
    {"true", ":1\r\n", "#t\r\n"},
    {"false", ":0\r\n", "#f\r\n"},
    {"verbatim", "$25\r\nThis is a verbatim\nstring\r\n",
     "=29\r\ntxt:This is a verbatim\nstring\r\n"},
    {"bignum", "$37\r\n1234567999999999999999999999999999999\r\n",
     "(1234567999999999999999999999999999999\r\n"},
};

void show_protocol(const CommandCall& call, Plan& plan) {
  const bool is_new = call.session.resp == protocol::RespVersion::k3;
  for (const ProtocolExample& example : kExamples) {
    if (!equals_ignoring_case(call.words[2], example.name)) continue;
    const std::string_view shown = is_new ? example.resp3 : example.resp2;
    if (shown.empty()) return plan.fail("ERR RESP2 is not supported by this command");
    return plan.answer(Reply::preformatted(shown));
  }
  plan.fail(
      "ERR Wrong protocol type name. Please use one of the following: "
      "string|integer|double|null|array|set|map|attrib|push|verbatim|true|false|bignum");
}

void debug(const CommandCall& call, Plan& plan) {
  if (!is_allowed(call)) return plan.fail(kNotAllowed);
  const auto is = [&](std::string_view name, size_t words) {
    return call.words.size() == words && equals_ignoring_case(call.words[1], name);
  };
  if (is("sleep", 3)) return debug_sleep(call, plan);
  if (is("set-active-expire", 3)) return set_active_expire(call, plan);
  if (is("set-disable-deny-scripts", 3)) return set_disable_deny_scripts(call, plan);
  if (is("protocol", 3)) return show_protocol(call, plan);
  if (is("error", 3)) return plan.fail_owned(std::string(call.words[2]));
  if (is("object", 3)) {
    plan.read(call.words[2], finish_object);
    return;
  }
  plan.fail_owned(protocol::bad_subcommand(call.words[1], "DEBUG"));
}

constexpr CommandRow kRows[] = {
    {"debug", -2, kAdmin | kNoScript | kLoading | kStale, 0, 0, 0, Group::kServer, "1.0.0",
     "SLEEP seconds | OBJECT key | SET-ACTIVE-EXPIRE switch | SET-DISABLE-DENY-SCRIPTS switch | "
     "PROTOCOL type | ERROR text",
     "Refused unless `debug.commands` is local or yes. SLEEP holds a reactor, OBJECT tells of a "
     "value, SET-ACTIVE-EXPIRE lets expired values stay, unseen, SET-DISABLE-DENY-SCRIPTS lets "
     "scripts call DEBUG, PROTOCOL shows a kind of reply, ERROR answers that error.",
     "Depends on the subcommand", debug},
};

}  // namespace

std::span<const CommandRow> debug_commands() { return kRows; }

}  // namespace kvorum::server

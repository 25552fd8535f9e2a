// SPDX-License-Identifier: Apache-2.0
// CLIENT KILL, PAUSE, UNPAUSE, UNBLOCK: what somebody does to the connections of a node, of all its
// reactors.
#include <algorithm>
#include <charconv>
#include <optional>

#include "protocol/number_text.h"
#include "server/commands/words.h"
#include "server/families/client_filter.h"

namespace kvorum::server {
namespace {

using protocol::Reply;

uint64_t sum_of_lines(std::string_view said) {
  uint64_t sum = 0;
  while (!said.empty()) {
    uint64_t value = 0;
    std::from_chars(said.data(), said.data() + said.size(), value);
    sum += value;
    said.remove_prefix(std::min(said.find('\n'), said.size() - 1) + 1);
  }
  return sum;
}

Reply join_killed(std::string said) {
  return Reply::integer(static_cast<int64_t>(sum_of_lines(said)));
}
Reply join_killed_one(std::string said) {
  return sum_of_lines(said) == 0 ? Reply::error("ERR No such client") : Reply::ok();
}

// The client that asks gets its answer first.
void kill(const CommandCall& call, const ClientFilter& filter, Join join, Plan& plan) {
  SessionState& self = call.session;
  const uint64_t now_us = call.now.steady_us;
  if (filter.takes(self, now_us)) self.closing = true;
  plan.everywhere(
      [filter, now_us, self_id = self.id](NodeFacts& facts) {
        uint64_t killed = 0;
        std::vector<uint64_t> slots;
        facts.each_session([&](const SessionState& session) {
          if (!filter.takes(session, now_us)) return;
          ++killed;
          if (session.id != self_id) slots.push_back(session.slot);
        });
        for (const uint64_t slot : slots) facts.close_session(slot);
        return std::to_string(killed) + '\n';
      },
      join);
}

void client_kill(const CommandCall& call, Plan& plan) {
  ClientFilter filter;
  if (call.words.size() == 3) {
    filter.address = call.words[2];
    return kill(call, filter, join_killed_one, plan);
  }
  if (!read_client_filter(call, plan, &filter)) return;
  kill(call, filter, join_killed, plan);
}

void client_pause(const CommandCall& call, Plan& plan) {
  constexpr int64_t kPauseMaxMs = int64_t{1000} * 1000 * 1000 * 1000;
  const auto timeout_ms = protocol::parse_int64(call.words[2]);
  if (!timeout_ms || *timeout_ms > kPauseMaxMs) {
    return plan.fail("ERR timeout is not an integer or out of range");
  }
  if (*timeout_ms < 0) return plan.fail("ERR timeout is negative");
  ClientPause pause;
  pause.until_us = call.now.steady_us + static_cast<uint64_t>(*timeout_ms) * 1000;
  if (call.words.size() > 4) return plan.fail(protocol::kSyntaxError);
  if (call.words.size() == 4) {
    pause.writes_only = equals_ignoring_case(call.words[3], "write");
    if (!pause.writes_only && !equals_ignoring_case(call.words[3], "all")) {
      return plan.fail("ERR CLIENT PAUSE mode must be WRITE or ALL");
    }
  }
  do_everywhere([pause](NodeFacts& facts) { facts.pause_clients(pause); }, plan);
}

void client_unpause(const CommandCall&, Plan& plan) {
  do_everywhere([](NodeFacts& facts) { facts.pause_clients({}); }, plan);
}

// No command blocks here.
void client_unblock(const CommandCall& call, Plan& plan) {
  const auto id = protocol::parse_int64(call.words[2]);
  if (!id) return plan.fail(protocol::kNotAnInteger);
  if (call.words.size() > 4) return plan.fail(protocol::kSyntaxError);
  if (call.words.size() == 4 && !equals_ignoring_case(call.words[3], "timeout") &&
      !equals_ignoring_case(call.words[3], "error")) {
    return plan.fail("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
  }
  plan.answer(Reply::integer(0));
}

constexpr uint32_t kControl = kAdmin | kNoScript | kLoading | kStale;

constexpr CommandRow kRows[] = {
    {"client|kill", -3, kControl, 0, 0, 0, Group::kConnection, "2.4.0",
     "ip:port | [ID client-id] [TYPE normal | pubsub] [USER default] [ADDR ip:port] "
     "[LADDR ip:port] [SKIPME yes | no] [MAXAGE seconds]",
     "Ends connections to this node, of its memcached port too.", "O(N) for N connections",
     client_kill},
    {"client|pause", -3, kControl, 0, 0, 0, Group::kConnection, "3.0.0", "timeout [WRITE | ALL]",
     "Lets the commands of this node's clients wait, all or those that write; other nodes go on.",
     "O(1)", client_pause},
    {"client|unblock", -3, kControl, 0, 0, 0, Group::kConnection, "5.0.0",
     "client-id [TIMEOUT | ERROR]", "0: no command blocks here.", "O(1)", client_unblock},
    {"client|unpause", 2, kControl, 0, 0, 0, Group::kConnection, "6.2.0", "",
     "Ends a pause; a client may say so within one.", "O(N) for N connections", client_unpause},
};

}  // namespace

std::span<const CommandRow> client_control_commands() { return kRows; }

}  // namespace kvorum::server

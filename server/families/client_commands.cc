// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "server/commands/help.h"
#include "server/families/client_filter.h"

namespace kvorum::server {
namespace {

using protocol::Reply;

std::string_view command_name(const SessionState& session) {
  return session.last_command ? session.last_command->name : std::string_view("NULL");
}

std::string client_flags(const SessionState& session) {
  std::string flags;
  if (session.monitors) flags += 'O';
  if (session.subscriptions.any()) flags += 'P';
  if (session.queued_commands >= 0) flags += 'x';
  if (session.tracking.on) flags += 't';
  if (session.tracking.broken_redirect) flags += 'R';
  if (session.tracking.broadcast) flags += 'B';
  if (session.no_evict) flags += 'e';
  return flags.empty() ? "N" : flags;
}

// `asker`: the id of who asks, whose own reply is none that waits.
std::string client_line(const SessionState& session, uint64_t now_us, uint64_t asker) {
  const size_t replies = session.buffers.replies;
  const bool is_own = session.id == asker && replies > 0;
  return fmt::format(
      "id={} addr={} laddr={} fd=-1 name={} age={} idle={} flags={} db={} sub={} psub={} ssub={} "
      "multi={} qbuf={} qbuf-free=0 argv-mem=0 multi-mem={} rbs=0 rbp=0 obl=0 oll={} omem={} "
      "tot-mem={} events=r cmd={} user=default redir={} resp={} lib-name={} lib-ver={} watch={}\n",
      session.id, session.peer_address, session.local_address, session.name,
      seconds_since(session.started_us, now_us), seconds_since(session.last_active_us, now_us),
      client_flags(session), session.keyspace, session.subscriptions.channels,
      session.subscriptions.patterns, session.subscriptions.shard_channels, session.queued_commands,
      session.buffers.input_bytes, session.buffers.queued_bytes, replies - (is_own ? 1 : 0),
      session.buffers.output_bytes, session.buffers.all_bytes, command_name(session),
      session.tracking.on ? static_cast<int64_t>(session.tracking.redirect) : int64_t{-1},
      static_cast<int>(session.resp), session.library_name, session.library_version,
      session.watched_keys);
}

void client_id(const CommandCall& call, Plan& plan) {
  plan.answer(Reply::integer(static_cast<int64_t>(call.session.id)));
}

void client_getname(const CommandCall& call, Plan& plan) {
  plan.answer(call.session.name.empty() ? Reply::nil() : Reply::bulk(call.session.name));
}

void client_setname(const CommandCall& call, Plan& plan) {
  if (!is_client_name(call.words[2])) return plan.fail(protocol::kBadClientName);
  call.session.name = call.words[2];
  plan.answer(Reply::ok());
}

void client_setinfo(const CommandCall& call, Plan& plan) {
  const bool is_name = equals_ignoring_case(call.words[2], "lib-name");
  if (!is_name && !equals_ignoring_case(call.words[2], "lib-ver")) {
    return plan.fail_owned(fmt::format("ERR Unrecognized option '{}'", call.words[2]));
  }
  if (!is_client_name(call.words[3])) {
    return plan.fail_owned(
        fmt::format("ERR {} cannot contain spaces, newlines or special characters.",
                    is_name ? "lib-name" : "lib-ver"));
  }
  (is_name ? call.session.library_name : call.session.library_version) = call.words[3];
  plan.answer(Reply::ok());
}

void client_info(const CommandCall& call, Plan& plan) {
  call.facts.each_session([&](const SessionState& session) {
    if (session.id != call.session.id) return;
    plan.answer(Reply::verbatim_owned(client_line(session, call.now.steady_us, 0)));
  });
}

bool read_ids(Words words, Plan& plan, std::vector<uint64_t>* ids) {
  for (std::string_view word : words) {
    const std::optional<int64_t> id = protocol::parse_int64(word);
    if (!id || *id <= 0) return plan.fail("ERR Invalid client ID"), false;
    ids->push_back(static_cast<uint64_t>(*id));
  }
  return true;
}

// Lines of several reactors, in the order of the ids that they begin with.
Reply join_clients(std::string said) {
  std::vector<std::pair<uint64_t, std::string_view>> lines;
  for (std::string_view rest = said; !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n') + 1);
    uint64_t id = 0;
    std::from_chars(line.data() + std::string_view("id=").size(), line.data() + line.size(), id);
    lines.emplace_back(id, line);
    rest.remove_prefix(line.size());
  }
  std::sort(lines.begin(), lines.end());
  std::string text;
  for (const auto& [id, line] : lines) text.append(line);
  return Reply::verbatim_owned(std::move(text));
}

void client_list(const CommandCall& call, Plan& plan) {
  ClientFilter filter;
  const Words options = call.words.subspan(2);
  if (options.size() == 2 && equals_ignoring_case(options[0], "type")) {
    if (!read_client_type(options[1], plan, &filter.type)) return;
  } else if (options.size() > 1 && equals_ignoring_case(options[0], "id")) {
    if (!read_ids(options.subspan(1), plan, &filter.ids)) return;
  } else if (!options.empty()) {
    return plan.fail(protocol::kSyntaxError);
  }
  const auto lines = [filter, now_us = call.now.steady_us,
                      asker = call.session.id](NodeFacts& facts) {
    std::string text;
    facts.each_session([&](const SessionState& session) {
      if (filter.takes(session, now_us)) text += client_line(session, now_us, asker);
    });
    return text;
  };
  plan.everywhere(lines, join_clients);
}

void client_reply(const CommandCall& call, Plan& plan) {
  SessionState& session = call.session;
  if (equals_ignoring_case(call.words[2], "on")) {
    session.reply_mode = ReplyMode::kOn;
    plan.answer(Reply::ok());
  } else if (equals_ignoring_case(call.words[2], "off")) {
    session.reply_mode = ReplyMode::kOff;
  } else if (equals_ignoring_case(call.words[2], "skip")) {
    if (session.reply_mode != ReplyMode::kOff) session.reply_mode = ReplyMode::kSkipNext;
  } else {
    plan.fail(protocol::kSyntaxError);
  }
}

void set_switch(const CommandCall& call, bool& flag, Plan& plan) {
  const bool on = equals_ignoring_case(call.words[2], "on");
  if (!on && !equals_ignoring_case(call.words[2], "off")) return plan.fail(protocol::kSyntaxError);
  flag = on;
  plan.answer(Reply::ok());
}
void client_no_evict(const CommandCall& call, Plan& plan) {
  set_switch(call, call.session.no_evict, plan);
}
void client_no_touch(const CommandCall& call, Plan& plan) {
  set_switch(call, call.session.no_touch, plan);
}

constexpr uint32_t kPlain = kNoScript | kLoading | kStale;

constexpr CommandRow kRows[] = {
    {"client", -2, kContainer | kPlain, 0, 0, 0, Group::kConnection, "2.4.0", "subcommand",
     "Commands about connections.", "O(1)", nullptr},
    {"client|getname", 2, kPlain, 0, 0, 0, Group::kConnection, "2.6.9", "",
     "The name of this connection.", "O(1)", client_getname},
    {"client|help", 2, kLoading | kStale, 0, 0, 0, Group::kConnection, "5.0.0", "",
     "Lists the subcommands.", "O(1)", subcommand_help},
    {"client|id", 2, kPlain, 0, 0, 0, Group::kConnection, "5.0.0", "",
     "The number of this connection, unique in the node.", "O(1)", client_id},
    {"client|info", 2, kPlain, 0, 0, 0, Group::kConnection, "6.2.0", "",
     "Facts about this connection.", "O(1)", client_info, &hint::kUncertain},
    {"client|list", -2, kAdmin | kPlain, 0, 0, 0, Group::kConnection, "2.4.0",
     "[TYPE normal | pubsub | ID client-id [client-id ...]]",
     "Facts about the connections to this node.", "O(N log N) for N connections", client_list,
     &hint::kUncertain},
    {"client|no-evict", 3, kAdmin | kPlain, 0, 0, 0, Group::kConnection, "7.0.0", "ON | OFF",
     "Taken for compatibility: connections are never evicted.", "O(1)", client_no_evict},
    {"client|no-touch", 3, kPlain, 0, 0, 0, Group::kConnection, "7.2.0", "ON | OFF",
     "Taken for compatibility.", "O(1)", client_no_touch},
    {"client|reply", 3, kPlain, 0, 0, 0, Group::kConnection, "3.2.0", "ON | OFF | SKIP",
     "Switches the replies of this connection on or off, or skips the next one.", "O(1)",
     client_reply},
    {"client|setinfo", 4, kPlain, 0, 0, 0, Group::kConnection, "7.2.0",
     "LIB-NAME name | LIB-VER version", "Notes which library the client is.", "O(1)",
     client_setinfo, &hint::kTellsNodes},
    {"client|setname", 3, kPlain, 0, 0, 0, Group::kConnection, "2.6.9", "connection-name",
     "Names this connection.", "O(1)", client_setname, &hint::kTellsNodes},
};

}  // namespace

std::span<const CommandRow> client_commands() { return kRows; }

}  // namespace kvorum::server

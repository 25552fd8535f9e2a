// SPDX-License-Identifier: Apache-2.0
#include "server/dispatch/command_runner.h"

#include <algorithm>

#include "base/ascii.h"
#include "base/check.h"
#include "server/commands/command_table.h"
#include "server/logbook/log_words.h"
#include "server/logbook/logbook.h"
#include "server/memcached/binary_commands.h"
#include "server/memcached/memcached_commands.h"
#include "server/memcached/shown_words.h"

namespace kvorum::server {

using protocol::Reply;

namespace {

// A browser that a web page made talk to this port: as in Redis nothing is answered, and nothing
// behind it in its request is run.
bool is_web_request(std::string_view word) {
  return equals_ignoring_case(word, "post") || equals_ignoring_case(word, "host:");
}

constexpr std::string_view kNotInside = "ERR Command not allowed inside a transaction";

// As Redis has it of replicas, among which it counts monitors.
constexpr std::string_view kMonitors = "ERR Replica can't interact with the keyspace";

bool touches_keys(const CommandRow& row) {
  return (row.flags & (kWrite | kReadonly | kMayWrite)) != 0;
}

// Zero: it has none. Of a script without keys it is an argument that is looked up for nothing.
size_t first_key_of(const CommandRow& row) {
  constexpr size_t kBehindTheirNumber = 3;
  return row.flags & kMovableKeys ? kBehindTheirNumber : static_cast<size_t>(row.first_key);
}

// CLIENT CACHING is about the next command, or the next transaction.
void forget_caching(ClientState& client, const CommandRow* row) {
  const bool queues = client.transaction && client.transaction->is_queueing();
  if (queues || (row != nullptr && row->name.starts_with("client"))) return;
  client.session.tracking.caching = false;
}

// What remains of "silence the next reply" at this command.
bool silences(SessionState& session) {
  const bool silent =
      session.reply_mode == ReplyMode::kOff || session.reply_mode == ReplyMode::kSkipping;
  if (session.reply_mode == ReplyMode::kSkipping) session.reply_mode = ReplyMode::kOn;
  return silent;
}

}  // namespace

CommandRunner::CommandRunner(const Parts& parts, const PlanRunner::Parts& plan_parts)
    : node_(parts.node),
      coordinator_(parts.coordinator),
      options_(parts.options),
      due_(parts.due),
      clients_(parts.clients),
      facts_(parts.facts),
      logbook_(parts.facts.logbook()),
      traffic_(parts.traffic),
      counters_(parts.counters),
      monitors_(parts.monitors),
      plans_(plan_parts, plan_) {}

void CommandRunner::find_key(const ClientState& client, size_t index) {
  ParsedRequest& request = batch_.requests[index];
  if (client.session.dialect == Dialect::kMemcached) {
    request.has_key = batch_.memcached[index].key_count > 0;
    if (request.has_key) request.key.key = batch_.memcached[index].key();
    return;
  }
  if (client.session.dialect == Dialect::kMemcachedBinary) {
    request.key.key = batch_.binary[index].key;
    request.has_key = !request.key.key.empty();
    return;
  }
  const Words words = batch_.words_of(request);
  request.row = find_command(words[0]);
  const size_t first = request.row ? first_key_of(*request.row) : 0;
  request.has_key = first > 0 && first < words.size();
  if (request.has_key) request.key.key = words[first];
}

// The first key of each request: all are hashed together, and their objects are on their way into
// the caches before the first request runs.
void CommandRunner::look_up(const ClientState& client) {
  KVORUM_CHECK(batch_.requests.size() <= Batch::kRequestsMax);
  std::string_view keys[Batch::kRequestsMax];
  Position positions[Batch::kRequestsMax];
  size_t count = 0;
  for (size_t i = 0; i < batch_.requests.size(); ++i) {
    find_key(client, i);
    if (batch_.requests[i].has_key) keys[count++] = batch_.requests[i].key.key;
  }
  positions_of(std::span(keys, count), coordinator_.view().partitioner, positions);
  const Position* next = positions;
  for (ParsedRequest& request : batch_.requests) {
    if (!request.has_key) continue;
    request.key.position = *next++;
    request.key.keyspace = client.session.keyspace;
    if (count > 1) node_.table->prefetch_bucket(request.key);
  }
  if (count <= 1) return;
  for (const ParsedRequest& request : batch_.requests) {
    if (request.has_key) node_.table->prefetch_entry(request.key);
  }
}

bool CommandRunner::execute(ClientState& client, size_t index, Now now) {
  KVORUM_CHECK(index < batch_.requests.size());
  if (client.session.dialect != Dialect::kResp) return execute_memcached(client, index, now);
  return execute_resp(client, batch_.requests[index], now);
}

// Redis's order of checks. False with the error in the plan. A container's row becomes that of its
// subcommand.
bool CommandRunner::admit(ClientState& client, Words words, const CommandRow** row) {
  if (!*row && is_web_request(words[0])) {
    client.session.closing = true;
    plan_.answer(Reply::none());
    return false;
  }
  if (!*row) {
    plan_.fail_owned(protocol::unknown_command(words));
    return false;
  }
  if ((*row)->flags & kContainer && words.size() > 1) {
    const CommandRow* const subcommand = find_subcommand(**row, words[1]);
    if (!subcommand) {
      plan_.fail_owned(protocol::unknown_subcommand(words[1], upper_case((*row)->name)));
      return false;
    }
    *row = subcommand;
  }
  if (!arity_fits(**row, words.size())) {
    plan_.fail_owned(protocol::wrong_number_of_arguments((*row)->name));
    return false;
  }
  if (!client.session.authenticated && !((*row)->flags & kNoAuth)) {
    plan_.fail(protocol::kNoAuth);
    return false;
  }
  if (client.session.only_hears() && !((*row)->flags & kSubscribed)) [[unlikely]] {
    plan_.fail_owned(protocol::only_hears((*row)->name));
    return false;
  }
  if (client.session.monitors && touches_keys(**row)) [[unlikely]] {
    plan_.fail(kMonitors);
    return false;
  }
  return true;
}

// Zero: this call is not timed.
uint64_t CommandRunner::begin_timing(const CommandRow* row) {
  if (!row || !options_.steady_ns) return 0;
  if (!row->may_take_long && !logbook_.measures_all()) {
    const uint64_t made = traffic_.commands[row->number].calls.get();
    if (made >= TrafficCounts::kAlwaysTimed && --until_timed_ != 0) return 0;
    until_timed_ = TrafficCounts::kTimedEvery;
  }
  return options_.steady_ns();
}

void CommandRunner::count_call(const CommandRow* row, bool admitted) {
  ++counters_.commands;
  if (!row) return;
  CommandCounts& counts = traffic_.commands[row->number];
  if (!admitted) [[unlikely]]
    return counts.rejected.add();
  counts.calls.add();
  if (plan_.kind == Plan::Kind::kReply && plan_.reply.is_error()) counts.failed.add();
}

// Of what the reactor did for it, not of what it waits for.
void CommandRunner::note_time(const ClientState& client, Words words, const CommandRow& row,
                              uint64_t began_ns) {
  const uint64_t took_ns = options_.steady_ns() - began_ns;
  traffic_.note_time(row.number, took_ns);
  const uint64_t took_us = took_ns / 1000;
  if (logbook_.slow_log.is_slow(took_us)) [[unlikely]] {
    SlowCommand slow;
    slow.at_s = facts_.wall_us() / 1'000'000;
    slow.took_us = took_us;
    slow.peer_address = client.session.peer_address;
    slow.client_name = client.session.name;
    logbook_.slow_log.add(words_for_logs(row.name, words), std::move(slow));
  }
  const uint64_t took_ms = took_us / 1000;
  if (logbook_.latency.is_long(took_ms)) [[unlikely]] {
    const LatencyEvent event =
        row.flags & kFast ? LatencyEvent::kFastCommand : LatencyEvent::kCommand;
    logbook_.latency.add(event, {facts_.wall_us() / 1'000'000, took_ms});
  }
}

// CLIENT PAUSE, but for the command that ends it.
bool CommandRunner::is_paused(const ClientState& client, const CommandRow& row) const {
  if (!clients_.pause().writes_only) return row.name != "client|unpause";
  if (row.name == "exec") return client.transaction && client.transaction->queue.has_writes();
  return (row.flags & (kWrite | kMayWrite)) != 0;
}

bool CommandRunner::postpone_while_paused(ClientState& client, Now now) {
  const uint64_t until_us = clients_.pause().until_us;
  if (now.steady_us >= until_us) {
    clients_.pause({});
    return false;
  }
  due_.postpone(client, until_us);
  return true;
}

// False where the request waits.
bool CommandRunner::plan_command(ClientState& client, Words words, const CommandRow& row, Now now) {
  SessionState& session = client.session;
  plan_.command = row.number;
  if (clients_.pause().until_us != 0 && is_paused(client, row)) [[unlikely]] {
    if (postpone_while_paused(client, now)) return false;
  }
  if (row.flags & kBarrier && client.operations_pending > 0) return false;
  const CommandRow* const last_command = session.last_command;
  session.last_command = &row;
  plans_.begin(client);
  row.handler(CommandCall{words, row, session, facts_, clock_ms(now), now}, plan_);
  if (plan_.again_at_us != 0) {
    due_.postpone(client, plan_.again_at_us);
  } else if (plan_.kind == Plan::Kind::kReply || !client.keyspace_pending) {
    return true;
  }
  session.last_command = last_command;
  return false;
}

// Between MULTI and EXEC. True: the reply is planned, and the command waits for EXEC, or was not
// admitted (`row` is null), and EXEC will not run.
bool CommandRunner::queue_command(ClientState& client, const ParsedRequest& request,
                                  const CommandRow* row, Now now) {
  if (row != nullptr && row->flags & kUnqueued) return false;
  if (row != nullptr && row->flags & kNoMulti) {
    plan_.fail(kNotInside);
    row = nullptr;
  }
  if (row == nullptr) {
    client.transaction->must_abort = true;
    return true;
  }
  plans_.transactions().queue(client, {*row, batch_.words_of(request), request.first_key()});
  client.session.last_command = row;
  client.session.last_active_us = now.steady_us;
  ++counters_.commands;
  return true;
}

bool CommandRunner::execute_resp(ClientState& client, const ParsedRequest& request, Now now) {
  SessionState& session = client.session;
  const Words words = batch_.words_of(request);
  KVORUM_CHECK(!words.empty());  // the parser passes over empty requests
  const CommandRow* row = request.row;
  const ReplyMode mode_before = session.reply_mode;
  if (mode_before == ReplyMode::kSkipNext) session.reply_mode = ReplyMode::kSkipping;
  plan_.reset();
  const uint64_t began_ns = begin_timing(row);
  const bool admitted = admit(client, words, &row);
  if (!admitted && row != nullptr && row->name == "exec") [[unlikely]] {
    plans_.transactions().refuse_exec(client);
  }
  if (client.transaction && client.transaction->is_queueing()) [[unlikely]] {
    if (queue_command(client, request, admitted ? row : nullptr, now)) {
      if (!admitted) count_call(row, false);
      plans_.carry_out({client, nullptr, silences(session), now});
      return true;
    }
  }
  if (admitted && !plan_command(client, words, *row, now)) {
    session.reply_mode = mode_before;
    return false;
  }
  session.last_active_us = now.steady_us;
  const ReplyMode mode_planned = session.reply_mode;
  const bool silent = silences(session);
  if (plans_.carry_out({client, request.first_key(), silent, now})) {
    count_call(row, admitted);
    if (began_ns != 0 && admitted) [[unlikely]]
      note_time(client, words, *row, began_ns);
    if (monitors_.any() && admitted) [[unlikely]]
      monitors_.show({session, facts_, now.steady_us}, *row, words);
    if (session.tracking.caching) [[unlikely]]
      forget_caching(client, row);
    return true;
  }
  session.reply_mode = mode_planned == ReplyMode::kSkipping ? mode_before : mode_planned;
  return false;
}

bool CommandRunner::plan_writes() const {
  return plan_.kind == Plan::Kind::kKeyspace ||
         std::any_of(plan_.requests.begin(), plan_.requests.end(),
                     [](const cluster::Request& request) {
                       return request.kind == cluster::Request::Kind::kEdit;
                     });
}

// Whether it empties the keyspace.
bool CommandRunner::plan_memcached_request(ClientState& client, size_t index, Now now) {
  SessionState& session = client.session;
  if (session.dialect == Dialect::kMemcached) {
    KVORUM_CHECK(index < batch_.memcached.size());
    const protocol::MemcachedRequest& request = batch_.memcached[index];
    plan_memcached({request, session, facts_, clock_ms(now), now}, plan_);
    return request.command == protocol::MemcachedCommand::kFlushAll;
  }
  KVORUM_CHECK(index < batch_.binary.size());
  const protocol::MemcachedBinaryRequest& request = batch_.binary[index];
  plan_memcached_binary({request, session, facts_, clock_ms(now), now}, plan_);
  return request.command == protocol::MemcachedOpcode::kFlush &&
         request.status == protocol::MemcachedStatus::kOk;
}

// REQUIRES: somebody monitors.
void CommandRunner::show_memcached(const ClientState& client, size_t index, Now now) {
  const bool is_text = client.session.dialect == Dialect::kMemcached;
  const std::vector<std::string_view> words =
      is_text ? shown_words(batch_.memcached[index]) : shown_words(batch_.binary[index]);
  monitors_.show({client.session, facts_, now.steady_us}, words);
}

bool CommandRunner::execute_memcached(ClientState& client, size_t index, Now now) {
  plan_.reset();
  plans_.begin(client);
  const bool may_be_shown = client.session.authenticated;  // else it has a password
  const bool flushes = plan_memcached_request(client, index, now);
  if (plan_.again_at_us != 0) {
    due_.postpone(client, plan_.again_at_us);
    return false;
  }
  if (clients_.pause().until_us != 0 && (!clients_.pause().writes_only || plan_writes())) {
    if (postpone_while_paused(client, now)) return false;
  }
  if (plan_.kind != Plan::Kind::kReply && client.keyspace_pending) return false;
  client.session.last_active_us = now.steady_us;
  const KeyRef* const known = batch_.requests[index].first_key();
  if (!plans_.carry_out({client, known, plan_.silent, now})) return false;
  if (monitors_.any() && may_be_shown) [[unlikely]]
    show_memcached(client, index, now);
  if (flushes) traffic_.note(CacheCount::kFlush);
  ++counters_.commands;
  return true;
}

}  // namespace kvorum::server

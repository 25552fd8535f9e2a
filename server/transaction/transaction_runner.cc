// SPDX-License-Identifier: Apache-2.0
#include "server/transaction/transaction_runner.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "server/connection/outcome_reply.h"
#include "server/transaction/edit_batch.h"

namespace kvorum::server {
namespace {

using protocol::Reply;
using State = Transaction::State;

constexpr std::string_view kAborted = "EXECABORT Transaction discarded because of previous errors.";
constexpr std::string_view kNoRoom =
    "OOM command not allowed: the transaction and what else is in flight here is more than "
    "limits.in_flight allows";
constexpr std::string_view kMustBeAlone =
    "ERR in a transaction this command must be the only one of its key";
constexpr size_t kCountedLater = 4096;  // bytes of a queue

Transaction& transaction_of(ClientState& client) {
  if (!client.transaction) client.transaction = std::make_unique<Transaction>();
  return *client.transaction;
}

Reply null_array(const ClientState& client) {
  return Reply::preformatted(client.session.resp == protocol::RespVersion::k3 ? "_\r\n"
                                                                              : "*-1\r\n");
}

// A write whose reply may be as large as what was there.
bool answers_old_value(const QueuedCommand& command) {
  const std::string_view name = command.row.name;
  if (name == "getdel" || name == "getset" || name == "getex") return true;
  const size_t options = 3;
  return name == "set" && command.words.size() > options &&
         std::any_of(command.words.begin() + options, command.words.end(),
                     [](std::string_view word) { return equals_ignoring_case(word, "get"); });
}

// The command's key, where it may run as if it had come by itself: each of its operations has one,
// and its reply is small, or can still be refused.
const KeyRef* only_key(const QueuedCommand& command) {
  const CommandRow& row = command.row;
  const bool has_one = row.first_key > 0 && row.first_key == row.last_key;
  const bool is_plain = row.group == Group::kString || row.group == Group::kGeneric;
  const bool is_quick = has_one && is_plain && !(row.flags & kBarrier);
  return is_quick && !answers_old_value(command) ? command.key : nullptr;
}

void note_in_session(ClientState& client) {
  const Transaction& transaction = *client.transaction;
  const bool queueing = transaction.is_queueing();
  client.session.queued_commands =
      queueing ? static_cast<int64_t>(transaction.queue.size()) : int64_t{-1};
  client.session.watched_keys = transaction.watched.size();
  client.queued_bytes = transaction.queue.held_bytes();
}

}  // namespace

void TransactionRunner::queue(ClientState& client, const QueuedCommand& command) {
  Transaction& transaction = *client.transaction;
  if (lacks_room(client, command.row, command.words)) [[unlikely]] {
    transaction.must_abort = true;
    return plan_.fail(protocol::kOutOfMemory);
  }
  const InFlightShare& in_flight = parts_.clients.in_flight();
  size_t bytes = transaction.queue.held_bytes();
  for (const std::string_view word : command.words) bytes += word.size();
  const bool fits = bytes <= InFlightShare::kFloorBytes ||
                    (bytes <= in_flight.limit() / 4 && in_flight.used() <= in_flight.limit());
  if (!fits || !transaction.queue.add(command.row, command.words, only_key(command))) {
    transaction.must_abort = true;
    return plan_.fail(kNoRoom);
  }
  note_in_session(client);
  // What is small is counted at the end of the turn.
  if (client.queued_bytes > kCountedLater) parts_.clients.count(client);
  plan_.answer(Reply::preformatted("+QUEUED\r\n"));  // only clients of Redis have transactions
}

// Whether this node would refuse to store what the command writes.
bool TransactionRunner::lacks_room(const ClientState& client, const CommandRow& row,
                                   Words words) const {
  if (!(row.flags & kDenyOom)) return false;
  const size_t key = row.first_key > 0 ? static_cast<size_t>(row.first_key) : 0;
  return key > 0 && key < words.size() &&
         parts_.facts.is_full_for(client.session.keyspace, words[key]);
}

bool TransactionRunner::queue_lacks_room(const ClientState& client) {
  if (!parts_.facts.is_full()) [[likely]]
    return false;
  const CommandQueue& queue = client.transaction->queue;
  for (size_t at = 0; at < queue.size(); ++at) {
    if (!(queue.row(at).flags & kDenyOom)) continue;
    queue.words(at, words_);
    if (lacks_room(client, queue.row(at), words_)) return true;
  }
  return false;
}

void TransactionRunner::refuse_exec(ClientState& client) {
  std::string_view reason = plan_.reply.text();
  if (reason.starts_with("ERR ")) reason.remove_prefix(4);
  std::string text = "EXECABORT Transaction discarded because of: ";
  text.append(reason);
  if (client.transaction) end_with(client, Reply::none());
  plan_.fail_owned(std::move(text));
}

// There is no transaction any more.
void TransactionRunner::finish(ClientState& client) {
  client.gathered_bytes -= client.transaction->reply_bytes;
  client.transaction->end();
  note_in_session(client);
  parts_.clients.count(client);
}

bool TransactionRunner::end_with(ClientState& client, Reply reply) {
  finish(client);
  plan_.answer(std::move(reply));
  return true;
}

bool TransactionRunner::carry_out(ClientState& client, Now now) {
  Transaction& transaction = transaction_of(client);
  switch (plan_.verb) {
    case TransactionVerb::kMulti:
      if (transaction.is_queueing()) {
        plan_.fail("ERR MULTI calls can not be nested");
        return true;
      }
      transaction.state = State::kQueueing;
      note_in_session(client);
      plan_.answer(Reply::ok());
      return true;
    case TransactionVerb::kDiscard:
      if (transaction.is_queueing()) return end_with(client, Reply::ok());
      plan_.fail("ERR DISCARD without MULTI");
      return true;
    case TransactionVerb::kWatch:
      return watch(client, now);
    case TransactionVerb::kExec:
      return exec(client, now);
    case TransactionVerb::kUnwatch:
    case TransactionVerb::kForget:
    case TransactionVerb::kNone:
      break;
  }
  transaction.watched.clear();
  note_in_session(client);
  plan_.answer(Reply::ok());
  return true;
}

// ---- WATCH

// The plan has the keys. False with the error planned.
bool TransactionRunner::begin_watch(ClientState& client) {
  Transaction& transaction = *client.transaction;
  transaction.reading.clear();
  for (const cluster::Request& request : plan_.requests) {
    WatchedKey key;
    key.bytes = request.key.key;
    key.key = request.key;
    if (!parts_.operations.place(client, key.key)) {
      plan_.fail(kKeyTooLong);
      return false;
    }
    key.key.key = {};
    transaction.reading.push_back(std::move(key));
  }
  const WatchedKey& first =
      transaction.watched.empty() ? transaction.reading[0] : transaction.watched[0];
  const uint32_t partition = parts_.operations.partition_of(first.key.position);
  for (const WatchedKey& key : transaction.reading) {
    if (parts_.operations.partition_of(key.key.position) == partition) continue;
    plan_.fail(kCrossSlot);
    return false;
  }
  return true;
}

bool TransactionRunner::watch(ClientState& client, Now now) {
  Transaction& transaction = *client.transaction;
  if (transaction.is_queueing()) {
    plan_.fail("ERR WATCH inside MULTI is not allowed");
    return true;
  }
  if (transaction.state != State::kWatching) {
    if (!begin_watch(client)) return true;
    transaction.state = State::kWatching;
    read_keys(client, now);
  }
  if (transaction.awaited > 0) return false;
  transaction.state = State::kIdle;
  std::vector<WatchedKey> read = std::exchange(transaction.reading, {});
  if (!transaction.error.empty()) {
    plan_.answer(Reply::preformatted_owned(std::exchange(transaction.error, {})));
    return true;
  }
  std::move(read.begin(), read.end(), std::back_inserter(transaction.watched));
  note_in_session(client);
  plan_.answer(Reply::ok());
  return true;
}

void TransactionRunner::read_keys(ClientState& client, Now now) {
  Transaction& transaction = *client.transaction;
  plan_.reset();
  transaction.awaited = transaction.reading.size();
  for (size_t at = 0; at < transaction.reading.size(); ++at) {
    cluster::Request request;
    request.kind = cluster::Request::Kind::kRead;
    request.key = transaction.reading[at].ref();
    parts_.operations.submit_item(client, request, static_cast<uint32_t>(at + 1), now);
  }
}

// ---- EXEC

bool TransactionRunner::exec(ClientState& client, Now now) {
  Transaction& transaction = *client.transaction;
  if (transaction.state == State::kQueueing) {
    if (transaction.must_abort) return end_with(client, Reply::error(kAborted));
    if (queue_lacks_room(client)) [[unlikely]] {
      plan_.fail(protocol::kOutOfMemory);
      refuse_exec(client);
      return true;
    }
    transaction.state = State::kRunning;
    transaction.parts.resize(transaction.queue.size());
  } else if (transaction.state != State::kRunning && transaction.state != State::kChecking) {
    plan_.fail("ERR EXEC without MULTI");
    return true;
  }
  return run(client, now);
}

bool TransactionRunner::run(ClientState& client, Now now) {
  Transaction& transaction = *client.transaction;
  while (transaction.awaited == 0) {
    if (!transaction.error.empty()) {
      return end_with(client, Reply::preformatted_owned(std::move(transaction.error)));
    }
    if (transaction.changed && !transaction.wrote) return end_with(client, null_array(client));
    transaction.state = State::kRunning;
    if (!transaction.watched.empty() && !transaction.checked) {
      transaction.checked = true;
      transaction.state = State::kChecking;
      transaction.reading = transaction.watched;
      read_keys(client, now);
    } else if (transaction.next_group < transaction.groups.size()) {
      send_groups(client, now);
    } else if (transaction.next_command < transaction.queue.size()) {
      const bool is_first = transaction.next_command == 0;
      plan_stage(client, now);
      if (is_first) mark_watched(transaction);
    } else {
      return end_with(client,
                      Reply::preformatted_owned(TransactionResults::take_replies(transaction)));
    }
  }
  return false;
}

// ---- a stage

// Until a command about a whole keyspace or one of several stages, which is a stage by itself.
void TransactionRunner::plan_stage(ClientState& client, Now now) {
  Transaction& transaction = *client.transaction;
  transaction.steps.clear();
  transaction.groups.clear();
  transaction.group_at.clear();
  transaction.next_group = 0;
  while (transaction.next_command < transaction.queue.size()) {
    if (!plan_command(client, transaction.next_command, now)) break;
    ++transaction.next_command;
    if (transaction.awaited > 0) break;
  }
  drop_unbatchable(client);
  plan_.reset();
}

// Its words are words_ then.
void TransactionRunner::plan_queued(ClientState& client, size_t at, Now now) {
  const CommandQueue& queue = client.transaction->queue;
  const CommandRow& row = queue.row(at);
  queue.words(at, words_);
  plan_.reset();
  plan_.command = row.number;
  row.handler(
      CommandCall{words_, row, client.session, parts_.facts, parts_.operations.clock_ms(now), now},
      plan_);
}

void TransactionRunner::count_queued(const ClientState& client, const CommandRow& row, Now now) {
  parts_.traffic.commands[row.number].calls.add();
  if (parts_.monitors.any()) [[unlikely]]
    parts_.monitors.show({client.session, parts_.facts, now.steady_us}, row, words_);
}

// Zero: this call is not timed.
uint64_t TransactionRunner::begin_timing(const CommandRow& row) {
  const bool is_timed =
      parts_.steady_ns != nullptr && sampler_.wants(parts_.traffic.commands[row.number]);
  return is_timed ? parts_.steady_ns() : 0;
}

void TransactionRunner::end_timing(const CommandRow& row, uint64_t began_ns) {
  if (began_ns != 0) parts_.traffic.note_time(row.number, parts_.steady_ns() - began_ns);
}

// False where the command belongs to the next stage. Timed is what its plan takes: its operations
// are done with those of others, in the time of EXEC.
bool TransactionRunner::plan_command(ClientState& client, size_t at, Now now) {
  Transaction& transaction = *client.transaction;
  const CommandRow& row = transaction.queue.row(at);
  if (row.flags & kBarrier && !transaction.groups.empty()) return false;
  const uint64_t began_ns = begin_timing(row);
  plan_queued(client, at, now);
  const bool is_alone = plan_.kind == Plan::Kind::kKeyspace || plan_.kind == Plan::Kind::kStages ||
                        plan_.kind == Plan::Kind::kEverywhere;
  if (is_alone && !transaction.groups.empty()) return false;
  count_queued(client, row, now);
  TransactionPart& part = transaction.parts[at];
  part.command = row.number;
  part.resp = client.session.resp;
  part.keyspace = client.session.keyspace;
  part.replies.resize(1);
  if (plan_.again_at_us != 0) {
    parts_.results.put(client, at, 0, Reply::error(kNotInTransactions));
  } else if (is_alone) {
    transaction.wrote = transaction.wrote || (row.flags & kWrite) != 0;
    transaction.awaited = 1;
    parts_.operations.submit_plan_as_item(client, static_cast<uint32_t>(at + 1), now);
  } else if (plan_.kind == Plan::Kind::kOperations) {
    add_operations(client, at);
  } else {
    // UNWATCH: nothing is watched any more once EXEC runs.
    parts_.results.put(client, at, 0,
                       plan_.kind == Plan::Kind::kTransaction ? Reply::ok() : plan_.reply);
  }
  end_timing(row, began_ns);
  return true;
}

void TransactionRunner::add_operations(ClientState& client, size_t at) {
  Transaction& transaction = *client.transaction;
  for (cluster::Request& request : plan_.requests) {
    if (parts_.operations.place(client, request.key)) continue;
    return parts_.results.put(client, at, 0, Reply::error(kKeyTooLong));
  }
  TransactionPart& part = transaction.parts[at];
  part.finish = plan_.finish;
  part.gather =
      plan_.requests.size() == 1 && plan_.gather != Gather::kArray ? Gather::kSingle : plan_.gather;
  part.remembered.take(plan_.remembered);
  part.replies.resize(plan_.requests.size());
  for (size_t place = 0; place < plan_.requests.size(); ++place) {
    add_step(client, at, place, plan_.requests[place]);
  }
}

// What the request borrows stays in the queue, or is kept with the step.
void TransactionRunner::add_step(ClientState& client, size_t at, size_t place,
                                 cluster::Request& request) {
  Transaction& transaction = *client.transaction;
  TransactionStep& step = transaction.steps.emplace_back();
  const auto keep = [&](std::string_view view, std::string& own) {
    if (view.empty() || transaction.queue.owns(view)) return view;
    own = view;
    return std::string_view(own);
  };
  step.part = at;
  step.place = place;
  step.request = request;
  step.request.key.key = keep(request.key.key, step.key);
  step.request.argument = keep(request.argument, step.argument);
  step.request.value = keep(request.value, step.value);
  if (request.has_context) {
    step.context = *request.context;
    step.request.context = &step.context;
  }
  group_of(transaction, step.request.key).steps.push_back(transaction.steps.size() - 1);
}

TransactionGroup& TransactionRunner::group_of(Transaction& transaction, const KeyRef& key) {
  const auto [first, last] = transaction.group_at.equal_range(key.position.high);
  for (auto found = first; found != last; ++found) {
    TransactionGroup& group = transaction.groups[found->second];
    if (group.key.keyspace == key.keyspace && group.key.key == key.key) return group;
  }
  transaction.group_at.emplace(key.position.high, transaction.groups.size());
  TransactionGroup& group = transaction.groups.emplace_back();
  group.key = key;
  return group;
}

bool TransactionRunner::may_be_batched(const Transaction& transaction,
                                       const TransactionStep& step) const {
  const cluster::Request& request = step.request;
  if (transaction.queue.row(step.part).group == Group::kQuorum || request.has_context) return false;
  return request.kind == cluster::Request::Kind::kRead ||
         request.kind == cluster::Request::Kind::kEdit;
}

// Commands that need more of the cluster than a value are refused beside others of their key.
void TransactionRunner::drop_unbatchable(ClientState& client) {
  Transaction& transaction = *client.transaction;
  for (TransactionGroup& group : transaction.groups) {
    if (group.steps.size() > 1) {
      std::erase_if(group.steps, [&](size_t at) {
        const TransactionStep& step = transaction.steps[at];
        if (may_be_batched(transaction, step)) return false;
        parts_.results.put(client, step.part, step.place, Reply::error(kMustBeAlone));
        return true;
      });
    }
    const bool writes = std::any_of(group.steps.begin(), group.steps.end(), [&](size_t at) {
      return transaction.steps[at].request.kind == cluster::Request::Kind::kEdit;
    });
    group.is_batch = writes && group.steps.size() > 1;
  }
  std::erase_if(transaction.groups, [](const auto& group) { return group.steps.empty(); });
  transaction.group_at.clear();
}

// Watched keys that are written come first, and each is awaited before the next.
void TransactionRunner::mark_watched(Transaction& transaction) {
  for (TransactionGroup& group : transaction.groups) {
    const bool single = group.steps.size() == 1;
    const TransactionStep& first = transaction.steps[group.steps[0]];
    if (single && !may_be_batched(transaction, first)) continue;
    if (!group.is_batch && first.request.kind != cluster::Request::Kind::kEdit) continue;
    for (const WatchedKey& key : transaction.watched) {
      if (key.key.keyspace != group.key.keyspace || key.bytes != group.key.key) continue;
      group.is_watched = group.is_batch = true;
      group.digest = key.digest;
      break;
    }
  }
  std::stable_partition(transaction.groups.begin(), transaction.groups.end(),
                        [](const TransactionGroup& group) { return group.is_watched; });
}

// ---- operations

void TransactionRunner::send_groups(ClientState& client, Now now) {
  Transaction& transaction = *client.transaction;
  const size_t first = transaction.next_group;
  size_t end = std::min(transaction.groups.size(), first + kOperationsAtOnce);
  if (transaction.groups[first].is_watched) end = first + 1;
  transaction.next_group = end;
  transaction.awaited = end - first;
  for (size_t at = first; at < end; ++at) send_group(client, at, now);
}

void TransactionRunner::send_group(ClientState& client, size_t at, Now now) {
  Transaction& transaction = *client.transaction;
  TransactionGroup& group = transaction.groups[at];
  if (group.is_batch) return send_batch(client, at, now);
  // The only operation, or reads, of which one is enough.
  TransactionStep& step = transaction.steps[group.steps[0]];
  parts_.operations.submit_item(client, step.request, static_cast<uint32_t>(at + 1), now);
}

void TransactionRunner::send_batch(ClientState& client, size_t at, Now now) {
  Transaction& transaction = *client.transaction;
  const TransactionGroup& group = transaction.groups[at];
  BatchArgument argument;
  if (group.is_watched) argument.watch(group.digest);
  cluster::Request request;
  for (const size_t number : group.steps) {
    const cluster::Request& step = transaction.steps[number].request;
    if (step.kind == cluster::Request::Kind::kRead) {
      argument.read();
    } else {
      argument.edit(step.edit, step.argument, step.value);
    }
  }
  request.kind = cluster::Request::Kind::kEdit;
  request.key = group.key;
  request.edit = kEditBatch;
  request.argument = argument.bytes();
  parts_.operations.submit_item(client, request, static_cast<uint32_t>(at + 1), now);
}

}  // namespace kvorum::server

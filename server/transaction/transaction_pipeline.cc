// SPDX-License-Identifier: Apache-2.0
// EXEC of what needs nothing but the order of its replies: each command is carried out as if it had
// come by itself. No step, part or group is made of it.
#include <algorithm>

#include "base/check.h"
#include "server/transaction/transaction_runner.h"

namespace kvorum::server {
namespace {

using protocol::Reply;

constexpr size_t kCommandsMax = 256;
constexpr size_t kOperationBytes = 1024;  // of an operation by itself, about

// Whether two commands have one key, or two of the same place.
bool has_twins(const CommandQueue& queue) {
  uint64_t places[kCommandsMax];
  const size_t count = queue.size();
  KVORUM_CHECK(count <= kCommandsMax);
  for (size_t at = 0; at < count; ++at) places[at] = queue.position(at).high;
  std::sort(places, places + count);
  return std::adjacent_find(places, places + count) != places + count;
}

}  // namespace

// What its replies may take, as reads are expected to answer, is half of what may be in flight: the
// other way to run counts what they do take. What a client that tracks is pushed would stand within
// the array.
bool TransactionRunner::is_pipeline(const ClientState& client) {
  if (!client.transaction || client.tracked) return false;
  const Transaction& transaction = *client.transaction;
  const CommandQueue& queue = transaction.queue;
  const bool is_plain = transaction.is_queueing() && !transaction.must_abort &&
                        transaction.watched.empty() && queue.all_keys_known() &&
                        queue.size() <= kCommandsMax && !has_twins(queue);
  const size_t expected = queue.size() * (client.expected_bytes + kOperationBytes);
  return is_plain && client.held_bytes() + expected <= parts_.clients.in_flight().limit() / 2 &&
         !queue_lacks_room(client);
}

void TransactionRunner::run_as_pipeline(ClientState& client, bool silent, Now now) {
  KVORUM_CHECK(client.operations_pending == 0);  // two of one key would not be in order
  const CommandQueue& queue = client.transaction->queue;
  client.transaction->state = Transaction::State::kRunning;
  std::string header;
  protocol::append_array_header(header, queue.size());
  plan_.answer(Reply::preformatted_owned(std::move(header)));
  parts_.operations.carry_out_now(client, {}, silent, now);
  for (size_t at = 0; at < queue.size(); ++at) {
    const CommandRow& row = queue.row(at);
    const uint64_t began_ns = begin_timing(row);
    plan_queued(client, at, now);
    count_queued(client, row, now);
    const bool may_run = plan_.kind == Plan::Kind::kReply || plan_.kind == Plan::Kind::kOperations;
    if (plan_.again_at_us != 0 || !may_run) plan_.fail(kNotInTransactions);
    const bool holds_much = client.held_bytes() > parts_.clients.in_flight().limit() / 2;
    if (holds_much && !(row.flags & kWrite)) plan_.fail(kRepliesTooLarge);
    if (plan_.kind == Plan::Kind::kReply && plan_.reply.is_error()) {
      parts_.traffic.commands[row.number].failed.add();
    }
    const std::string_view key = words_[static_cast<size_t>(row.first_key)];
    const KeyRef known{key, queue.position(at), client.session.keyspace};
    parts_.operations.carry_out_now(client, known, silent, now);
    end_timing(row, began_ns);
  }
  plan_.reset();
  finish(client);
}

}  // namespace kvorum::server

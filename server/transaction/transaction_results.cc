// SPDX-License-Identifier: Apache-2.0
#include "server/transaction/transaction_results.h"

#include <utility>

#include "base/check.h"
#include "server/connection/outcome_reply.h"
#include "server/logbook/logbook.h"
#include "server/transaction/edit_batch.h"

namespace kvorum::server {
namespace {

using cluster::Completion;
using cluster::Outcome;
using protocol::Reply;

constexpr std::string_view kGaveWay =
    "ERR a watched key changed while the transaction ran: its commands on this key were not run";

bool is_read(const TransactionStep& step) {
  return step.request.kind != cluster::Request::Kind::kEdit;
}

void append_part(const TransactionPart& part, std::string& out) {
  if (!part.error.empty()) {
    out += part.error;
    return;
  }
  switch (part.gather) {
    case Gather::kSum:
      return protocol::append_integer(out, part.sum);
    case Gather::kAllOk:
      return protocol::append_simple(out, "OK");
    case Gather::kArray:
      protocol::append_array_header(out, part.replies.size());
      break;
    case Gather::kSingle:
    case Gather::kConcatenate:
      break;
  }
  for (const std::string& reply : part.replies) out += reply;
}

}  // namespace

void TransactionResults::on_complete(ClientState& client, const Call& call,
                                     const Completion& completion) {
  KVORUM_CHECK(client.transaction != nullptr && call.item != 0);
  Transaction& transaction = *client.transaction;
  const size_t item = call.item - 1;
  if (transaction.state == Transaction::State::kRunning) {
    KVORUM_CHECK(item < transaction.groups.size());
    note_group(client, transaction.groups[item], completion);
  } else {
    note_digest(transaction, item, completion);
  }
  note_answered(client);
}

void TransactionResults::on_reply(ClientState& client, const CallShape& call, const Reply& reply) {
  KVORUM_CHECK(client.transaction != nullptr && call.item != 0);
  put(client, call.item - 1, 0, reply);
  note_answered(client);
}

void TransactionResults::note_answered(ClientState& client) {
  Transaction& transaction = *client.transaction;
  KVORUM_CHECK(transaction.awaited > 0);
  if (--transaction.awaited == 0) client.notify();
}

void TransactionResults::note_digest(Transaction& transaction, size_t item,
                                     const Completion& completion) {
  KVORUM_CHECK(item < transaction.reading.size());
  if (completion.outcome != Outcome::kOk) {
    transaction.error.clear();
    protocol::write_resp(failure_reply(failure_of(completion, true), Dialect::kResp),
                         protocol::RespVersion::k2, transaction.error);
    return;
  }
  const uint64_t digest = watch_digest(*completion.object, completion.now_ms);
  WatchedKey& key = transaction.reading[item];
  if (transaction.state == Transaction::State::kChecking) {
    transaction.changed = transaction.changed || digest != key.digest;
  }
  key.digest = digest;
}

void TransactionResults::note_group(ClientState& client, const TransactionGroup& group,
                                    const Completion& completion) {
  Transaction& transaction = *client.transaction;
  const bool may_be_written = completion.stored || completion.outcome == Outcome::kUncertain;
  transaction.wrote = transaction.wrote || may_be_written;
  if (group.is_batch && completion.outcome == Outcome::kOk) {
    return note_batch(client, group, completion);
  }
  for (const size_t at : group.steps) {
    const TransactionStep& step = transaction.steps[at];
    // The operation itself was counted.
    if (at != group.steps.front() && completion.object != nullptr) {
      parts_.counters.note_read(completion);
    }
    put_outcome(client, step, completion);
  }
}

void TransactionResults::note_batch(ClientState& client, const TransactionGroup& group,
                                    const Completion& completion) {
  Transaction& transaction = *client.transaction;
  if (completion.reply_code == kBatchGaveWay) {
    transaction.changed = true;
    for (const size_t at : group.steps) {
      const TransactionStep& step = transaction.steps[at];
      put(client, step.part, step.place, Reply::error(kGaveWay));
    }
    return;
  }
  BatchReplies replies(completion.reply_bytes);
  for (const size_t at : group.steps) {
    const TransactionStep& step = transaction.steps[at];
    Completion own;
    if (!replies.next(completion, &own)) {
      put(client, step.part, step.place, Reply::error("ERR the transaction's reply was malformed"));
      continue;
    }
    if (own.object != nullptr) parts_.counters.note_read(own);
    if (parts_.pub_sub.tells_changes()) note_change(step, own);
    put_outcome(client, step, own);
  }
}

// A part of a batch that was stored.
void TransactionResults::note_change(const TransactionStep& step, const Completion& completion) {
  const cluster::Request& request = step.request;
  if (is_read(step) || completion.outcome != Outcome::kOk) return;
  if (!did_change(request.edit, completion)) return;
  const KeyChange change = change_of(request, {}, completion.now_ms);
  if (change.any()) parts_.pub_sub.note_change(request.key.keyspace, request.key.key, change);
}

void TransactionResults::put_outcome(ClientState& client, const TransactionStep& step,
                                     const Completion& completion) {
  const TransactionPart& part = client.transaction->parts[step.part];
  if (completion.outcome != Outcome::kOk) {
    return put(client, step.part, step.place,
               failure_reply(failure_of(completion, is_read(step)), Dialect::kResp));
  }
  put(client, step.part, step.place,
      part.finish(
          {completion, part.remembered, parts_.facts, part.keyspace, step.request.key.key}));
}

void TransactionResults::put(ClientState& client, size_t at, size_t place, const Reply& reply) {
  Transaction& transaction = *client.transaction;
  KVORUM_CHECK(at < transaction.parts.size());
  TransactionPart& part = transaction.parts[at];
  if (reply.is_error()) {
    parts_.traffic.commands[part.command].failed.add();
    parts_.facts.logbook().errors.note(reply.text());
    if (part.error.empty()) protocol::write_resp(reply, part.resp, part.error);
    return;
  }
  if (part.gather == Gather::kSum) {
    part.sum += reply.number();
    return;
  }
  if (transaction.reply_bytes > parts_.clients.in_flight().limit() / 2) {
    if (part.error.empty()) {
      protocol::write_resp(Reply::error(kRepliesTooLarge), part.resp, part.error);
    }
    return;
  }
  KVORUM_CHECK(place < part.replies.size());
  protocol::write_resp(reply, part.resp, part.replies[place]);
  const size_t bytes = part.replies[place].size();
  transaction.reply_bytes += bytes;
  client.gathered_bytes += bytes;
}

std::string TransactionResults::take_replies(Transaction& transaction) {
  std::string out;
  out.reserve(transaction.reply_bytes + 16 * transaction.parts.size() + 16);
  protocol::append_array_header(out, transaction.parts.size());
  for (TransactionPart& part : transaction.parts) {
    append_part(part, out);
    std::vector<std::string>().swap(part.replies);
  }
  return out;
}

}  // namespace kvorum::server

// SPDX-License-Identifier: Apache-2.0
#include "cluster/replica_service.h"

#include <algorithm>

#include "cluster/context.h"
#include "cluster/large_frames.h"

namespace kvorum::cluster {
namespace {

bool has_retried_twin(const Object& object, const Version& version) {
  return version.origin != 0 &&
         std::any_of(object.versions.begin(), object.versions.end(), [&](const Version& other) {
           return other.retried && other.origin == version.origin && !(other.dot == version.dot);
         });
}

// What a replica keeps that a blind write did not cover: the vector of all of it, for the
// coordinator's second write. Replicas never extend a context themselves. A write that was replaced
// before it came, as the twin of another one, must not cover what replaced it. Nor must it cover
// its own twin that was retried, unseen: who has read that one, and replaces it, replaces both.
bool keeps_uncovered(const Object& merged, const Object& incoming) {
  if (std::any_of(incoming.versions.begin(), incoming.versions.end(), [&](const Version& version) {
        return merged.find_spent(version.origin) != nullptr || has_retried_twin(merged, version);
      })) {
    return false;
  }
  return std::any_of(merged.versions.begin(), merged.versions.end(),
                     [&](const Version& version) { return !incoming.find(version.dot); });
}

}  // namespace

bool ReplicaService::on_read(MemberIndex from, const Frame& frame) {
  ReplicaRead message;
  if (!parse_replica_read(frame, &message)) return false;
  ++core_.counters.replica_reads;
  // Exchanges want whole objects; clients' reads mostly the digest.
  if (!message.full) core_.latency.count_served();
  if (message.hinted) {
    read_hinted(from, frame.head.operation, message);
    return true;
  }
  const engine::Access access = core_.read_own(message.key, [&](Record& record) {
    ReplicaReadReply reply;
    reply.full = message.full;
    reply.whole = core_.is_whole(message.key);
    reply.is_new = !reply.whole && core_.is_new(message.key);
    if (record.object.empty()) reply.verdict = ReplicaVerdict::kAbsent;
    if (message.full || record.object.empty()) reply.frontier = core_.frontier_of(message.key);
    reply.digest = versions_digest(record.object);
    core_.outgoing.clear();
    if (message.full) encode_object(record.object, core_.outgoing);
    reply.object = core_.outgoing;
    send_replica_read_reply(core_, from, frame.head.operation, reply);
  });
  if (access == engine::Access::kNotResident) {
    wait_for_object(from, frame, message.key, Now{});
  } else if (access != engine::Access::kDone) {
    refuse(from, frame.head);
  }
  return true;
}

void ReplicaService::read_hinted(MemberIndex from, SlotId operation, const ReplicaRead& message) {
  Object hinted;
  std::string storage;
  ReplicaReadReply reply;
  reply.full = true;
  if (!core_.read_hints(message.key, &hinted, &storage)) {
    reply.verdict = ReplicaVerdict::kNotHeld;
  } else {
    core_.outgoing.clear();
    encode_object(hinted, core_.outgoing);
    reply.digest = versions_digest(hinted);
    reply.object = core_.outgoing;
  }
  send_replica_read_reply(core_, from, operation, reply);
}

// Under the key's lock. False where nothing is to be stored.
bool ReplicaService::merge_in(Record& record, const ReplicaWrite& message, Object& incoming,
                              AwaitedCommit& answer) {
  if (record.object.empty() && incoming.empty()) return false;
  const Core::Merging merging = core_.merge_in(record, message.key, incoming, message.frontier);
  if (merging.dead_of_incoming > 0) {
    answer.reply.verdict = ReplicaVerdict::kDead;
    answer.reply.frontier = core_.frontier_of(message.key);
    if (incoming.empty()) return merging.dead_of_own > 0;
  }
  const bool taken = answer.reply.verdict != ReplicaVerdict::kDead;
  if (taken && message.blind && keeps_uncovered(record.object, incoming)) {
    answer.reply.verdict = ReplicaVerdict::kUncovered;
    encode_context(Context{record.object.vector, {}}, answer.vector_bytes);
  }
  return true;
}

bool ReplicaService::on_write(MemberIndex from, const Frame& frame, Now now) {
  ReplicaWrite message;
  Object incoming;
  if (!parse_replica_write(frame, &message) || !decode_object(message.object, incoming)) {
    return false;
  }
  ++core_.counters.replica_writes;
  if (!message.repair) core_.latency.count_served();
  core_.observe(incoming, now);
  if (message.hint_for != 0 && message.hint_for != core_.self_id()) {
    write_hinted(from, frame.head.operation, message, incoming);
    return true;
  }
  AwaitedCommit answer;
  const engine::UpdateResult result = core_.update_own(
      message.key, [&](Record& record) { return merge_in(record, message, incoming, answer); },
      message.repair);
  if (result.access == engine::Access::kNotResident) {
    wait_for_object(from, frame, message.key, now);
    return true;
  }
  if (result.access != engine::Access::kDone) {
    refuse(from, frame.head);
    return true;
  }
  answer.reply.second = message.second;
  if (result.ticket <= core_.parts.table->committed()) {
    answer.reply.vector = answer.vector_bytes;
    put_replica_write_reply(core_.outbox.frames(from), frame.head.operation, answer.reply);
    return true;
  }
  answer.ticket = result.ticket;
  answer.reply_to = from;
  answer.reply_operation = frame.head.operation;
  core_.awaited_commits.push_back(std::move(answer));
  return true;
}

void ReplicaService::write_hinted(MemberIndex from, SlotId operation, const ReplicaWrite& message,
                                  const Object& incoming) {
  AwaitedCommit answer;
  answer.reply.second = message.second;
  answer.reply_to = from;
  answer.reply_operation = operation;
  const engine::UpdateResult result = core_.hints.store({message.hint_for, message.key}, incoming);
  if (result.access == engine::Access::kDone) {
    ++core_.counters.hints_stored;
  } else {
    answer.reply.verdict = ReplicaVerdict::kRefused;
  }
  // A hint is a vote once it is kept under the sync policy, as an object is.
  if (result.ticket > core_.hints.committed()) {
    answer.ticket = result.ticket;
    core_.awaited_hint_commits.push_back(std::move(answer));
    return;
  }
  put_replica_write_reply(core_.outbox.frames(from), operation, answer.reply);
}

void ReplicaService::wait_for_object(MemberIndex from, const Frame& frame, const KeyRef& key,
                                     Now now) {
  SlotId id;
  Operation& operation = core_.operations.acquire(&id);
  operation.begin(Operation::Kind::kReplicaFrame, now);
  operation.reply_to = from;
  operation.frame = frame.head;
  if (frame.storage != nullptr) {
    operation.payload.swap(*frame.storage);
  } else {
    operation.payload.assign(frame.payload);
  }
  core_.load(id, operation, key);
}

void ReplicaService::refuse(MemberIndex from, const FrameHead& head) {
  if (head.type == MessageType::kReplicaRead) {
    const ReplicaReadReply reply{.verdict = ReplicaVerdict::kRefused,
                                 .full = false,
                                 .frontier = {},
                                 .digest = 0,
                                 .object = {}};
    put_replica_read_reply(core_.outbox.frames(from), head.operation, reply);
    return;
  }
  ReplicaWriteReply reply;
  reply.verdict = ReplicaVerdict::kRefused;
  reply.second = head.flags & kWriteSecond;
  put_replica_write_reply(core_.outbox.frames(from), head.operation, reply);
}

void ReplicaService::on_loaded(SlotId id, Operation& operation, bool ok, Now now) {
  const std::string payload = std::move(operation.payload);
  const Frame frame{operation.frame, payload};
  const MemberIndex from = operation.reply_to;
  core_.release(id);
  if (!ok) {
    refuse(from, frame.head);
  } else if (frame.head.type == MessageType::kReplicaRead) {
    on_read(from, frame);
  } else {
    on_write(from, frame, now);
  }
}

void ReplicaService::on_committed(std::deque<AwaitedCommit>& waiting, Commit commit,
                                  FunctionRef<void(SlotId operation)> on_own_vote) {
  for (size_t left = waiting.size(); left > 0; --left) {
    if (commit.ok && waiting.front().ticket > commit.ticket) return;
    AwaitedCommit answer = std::move(waiting.front());
    waiting.pop_front();
    if (answer.operation != 0) {
      on_own_vote(answer.operation);
      continue;
    }
    if (!commit.ok) answer.reply.verdict = ReplicaVerdict::kRefused;
    answer.reply.vector = answer.vector_bytes;
    put_replica_write_reply(core_.outbox.frames(answer.reply_to), answer.reply_operation,
                            answer.reply);
  }
}

}  // namespace kvorum::cluster

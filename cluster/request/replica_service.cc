// SPDX-License-Identifier: Apache-2.0
#include "cluster/request/replica_service.h"

#include <algorithm>

#include "base/check.h"
#include "base/planted_bug.h"
#include "cluster/copies/claim_times.h"
#include "cluster/machine/large_frames.h"
#include "cluster/version/context.h"

namespace kvorum::cluster {
namespace {

constexpr size_t kRefusedMax = 1024;
constexpr uint64_t kRefusedUs = 1'000'000;  // for what ends it to come
constexpr uint64_t kContestMs = 500;

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

bool ReplicaService::on_read(LinkIndex from, const Frame& frame, Now now) {
  ReplicaRead message;
  if (!parse_replica_read(frame, &message)) return false;
  if (is_apart(message.key, message.signature)) {
    if (message.claimant != 0) {
      note_refused({from, frame.head.operation, message.attempt, now.steady_us, true});
    }
    say_apart(from, frame.head, now);
    return true;
  }
  if (message.claimant != 0 && !claim(from, frame, message, now)) return true;
  ++core_.counters.replica_reads;
  // Exchanges want whole objects; clients' reads mostly the digest.
  if (!message.full) core_.latency.count_served();
  return serve_read(from, frame, message, now);
}

// The claim comes before the reading, so that whatever is read is all there is.
bool ReplicaService::serve_read(LinkIndex from, const Frame& frame, const ReplicaRead& message,
                                Now now) {
  if (is_apart(message.key, message.signature)) {  // since then, while its object was loaded
    if (message.claimant != 0) {
      end_claim({from, frame.head.operation, message.attempt, now.steady_us}, message.key.position,
                message.claimant);
      note_refused({from, frame.head.operation, message.attempt, now.steady_us, true});
    }
    say_apart(from, frame.head, now);
    return true;
  }
  if (message.hinted) {
    read_hinted(from, frame.head.operation, message);
    return true;
  }
  const Claims* const claims = core_.parts.claims;
  const engine::Access access = core_.own.read(message.key, [&](Record& record) {
    ReplicaReadReply reply;
    reply.full = message.full;
    reply.whole = core_.is_whole(message.key);
    reply.is_new = !reply.whole && core_.is_new(message.key);
    reply.attempt = message.attempt;
    reply.contested = claims != nullptr && claims->contested(message.key.position, now_ms(now));
    if (record.object.empty()) reply.verdict = ReplicaVerdict::kAbsent;
    if (message.full || record.object.empty()) reply.frontier = core_.own.frontier_of(message.key);
    reply.digest = versions_digest(record.object);
    core_.outgoing.clear();
    if (message.full) encode_object(record.object, core_.outgoing);
    send_replica_read_reply(core_, from, frame.head.operation, reply);
  });
  if (access == engine::Access::kNotResident) {
    wait_for_object(from, frame, message.key, now);
  } else if (access != engine::Access::kDone) {
    refuse(from, frame.head);
  }
  return true;
}

bool ReplicaService::claim(LinkIndex from, const Frame& frame, const ReplicaRead& message,
                           Now now) {
  const MemberIndex claimant = core_.view->find_id(message.claimant);
  if (core_.parts.claims == nullptr || claimant == kNoMember) return true;
  const MemberIndex holder = core_.parts.claims->take(
      message.key.position, {claimant, now_ms(now), now_ms(now) + message.claim_ms});
  if (holder == kNoMember) {  // perhaps it was refused before, for a history that differed
    const Refused taken{from, frame.head.operation, message.attempt, now.steady_us};
    std::erase_if(refused_,
                  [&](const Refused& refused) { return refused.apart && refused.is(taken); });
    return true;
  }
  note_refused({from, frame.head.operation, message.attempt, now.steady_us});
  ReplicaReadReply reply;
  reply.verdict = ReplicaVerdict::kClaimed;
  reply.attempt = message.attempt;
  reply.holder = core_.id_of(holder);
  put_replica_read_reply(core_.outbox.frames(from), frame.head.operation, reply);
  return false;
}

// Whoever ends a claim does so also where it was not granted: what it does not hold it must not
// end.
void ReplicaService::note_refused(const Refused& refused) {
  refused_.push_back(refused);
  if (refused_.size() > kRefusedMax) refused_.pop_front();
}

void ReplicaService::end_claim(const Refused& claim, Position position, NodeId claimant) {
  const MemberIndex member = core_.view->find_id(claimant);
  if (core_.parts.claims == nullptr || member == kNoMember) return;
  while (!refused_.empty() && refused_.front().time_us + kRefusedUs < claim.time_us) {
    refused_.pop_front();
  }
  const auto found = std::find_if(refused_.begin(), refused_.end(),
                                  [&](const Refused& refused) { return refused.is(claim); });
  if (found != refused_.end()) {
    refused_.erase(found);
  } else {
    core_.parts.claims->release(position, member);
  }
}

bool ReplicaService::on_unclaim(LinkIndex from, const Frame& frame, Now now) {
  Unclaim message;
  if (!parse_unclaim(frame, &message)) return false;
  end_claim({from, frame.head.operation, message.attempt, now.steady_us}, message.position,
            message.claimant);
  return true;
}

// Whoever has claimed the key read it before this blind write came, and is going to write beside
// it.
bool ReplicaService::claimed_by_other(const KeyRef& key, const Object& incoming, Now now) const {
  if (core_.parts.claims == nullptr) return false;
  const MemberIndex holder = core_.parts.claims->holder(key.position, now_ms(now));
  if (holder == kNoMember) return false;
  const NodeId id = core_.id_of(holder);
  return std::none_of(incoming.versions.begin(), incoming.versions.end(),
                      [&](const Version& version) { return version.dot.actor.node == id; });
}

// A blind write beside another one, and what was claimed beside a blind write: the blind one is
// going to be done once more.
void ReplicaService::note_contest(const ReplicaWrite& message, const Object& merged, Now now) {
  if (core_.parts.claims == nullptr || merged.versions.size() < 2) return;
  if (!message.blind && message.releases == 0) return;
  core_.parts.claims->note_contest(message.key.position, now_ms(now) + kContestMs);
}

void ReplicaService::read_hinted(LinkIndex from, SlotId operation, const ReplicaRead& message) {
  Object hinted;
  std::string storage;
  ReplicaReadReply reply;
  reply.full = true;
  reply.attempt = message.attempt;
  core_.outgoing.clear();
  if (!core_.own.read_hints(message.key, &hinted, &storage)) {
    reply.verdict = ReplicaVerdict::kNotHeld;
  } else {
    encode_object(hinted, core_.outgoing);
    reply.digest = versions_digest(hinted);
  }
  send_replica_read_reply(core_, from, operation, reply);
}

// Under the key's lock. False where nothing is to be stored.
bool ReplicaService::merge_in(Record& record, const ReplicaWrite& message, Object& incoming,
                              AwaitedCommit& answer) {
  if (record.object.empty() && incoming.empty()) return false;
  const OwnCopies::Merging merging =
      core_.own.merge_in(record, message.key, incoming, message.frontier);
  if (merging.dead_of_incoming > 0) {
    answer.reply.verdict = ReplicaVerdict::kDead;
    answer.reply.frontier = core_.own.frontier_of(message.key);
    if (incoming.empty()) return merging.dead_of_own > 0;
  }
  const bool taken = answer.reply.verdict != ReplicaVerdict::kDead;
  const bool claimed = answer.reply.verdict == ReplicaVerdict::kUncovered;
  if (taken && message.late && stands_beside(record.object, incoming)) {
    answer.reply.verdict = ReplicaVerdict::kUncovered;
  }
  if (taken && message.blind && (claimed || keeps_uncovered(record.object, incoming))) {
    answer.reply.verdict = ReplicaVerdict::kUncovered;
    encode_context(Context{record.object.vector, {}}, answer.vector_bytes);
  }
  return true;
}

bool ReplicaService::on_write(LinkIndex from, const Frame& frame, Now now) {
  ReplicaWrite message;
  if (!parse_replica_write(frame, &message)) return false;
  if (!serve_write(from, frame, message, now)) return false;
  ++core_.counters.replica_writes;
  if (!message.repair) core_.latency.count_served();
  return true;
}

// False where its object is ill-formed.
bool ReplicaService::serve_write(LinkIndex from, const Frame& frame, const ReplicaWrite& message,
                                 Now now) {
  Object incoming;
  if (!decode_object(message.object, incoming, frame.owner)) return false;
  if (is_apart(message.key, message.signature)) {
    say_apart(from, frame.head, now);
    return true;
  }
  core_.own.observe(incoming, now);
  // Whoever has claimed the key may have read it already: what it writes shows whether it knew this
  // edit, so that one waits.
  if (message.late && claimed_by_other(message.key, incoming, now)) {
    say_no(from, frame.head, ReplicaVerdict::kApart);
    return true;
  }
  if (message.hint_for != 0 && message.hint_for != core_.self_id()) {
    write_hinted(from, frame.head.operation, message, incoming);
    return true;
  }
  // A repair by who does not know yet that this node owns the key no more.
  if (core_.hands_over(message.key)) {
    refuse(from, frame.head);
    return true;
  }
  AwaitedCommit answer;
  if (message.blind && claimed_by_other(message.key, incoming, now)) {
    answer.reply.verdict = ReplicaVerdict::kUncovered;
  }
  const auto change = [&](Record& record) {
    const bool changed = merge_in(record, message, incoming, answer);
    note_contest(message, record.object, now);
    return changed;
  };
  const engine::UpdateResult result = core_.own.update(message.key, change, message.repair);
  if (result.access == engine::Access::kNotResident) {
    wait_for_object(from, frame, message.key, now);
    return true;
  }
  if (message.releases != 0) {
    end_claim({from, frame.head.operation, message.attempt, now.steady_us}, message.key.position,
              message.releases);
  }
  if (result.access != engine::Access::kDone) {
    refuse(from, frame.head);
    return true;
  }
  answer.reply.second = message.second;
  if (result.ticket <= core_.parts.table->commits().committed() || may_buffer(message)) {
    answer.reply.vector = answer.vector_bytes;
    put_replica_write_reply(core_.outbox.frames(from), frame.head.operation, answer.reply);
    return true;
  }
  answer.ticket = result.ticket;
  answer.reply_to = from;
  answer.reply_operation = frame.head.operation;
  core_.open.awaited_commits.push_back(std::move(answer));
  return true;
}

// Whoever repairs may be about to forget what it sends: a hint, a range that it gives away.
bool ReplicaService::may_buffer(const ReplicaWrite& message) const {
  return core_.options.buffers_writes && !message.repair;
}

void ReplicaService::write_hinted(LinkIndex from, SlotId operation, const ReplicaWrite& message,
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
  if (result.ticket > core_.hints.committed() && !may_buffer(message)) {
    answer.ticket = result.ticket;
    core_.open.awaited_hint_commits.push_back(std::move(answer));
    return;
  }
  put_replica_write_reply(core_.outbox.frames(from), operation, answer.reply);
}

void ReplicaService::wait_for_object(LinkIndex from, const Frame& frame, const KeyRef& key,
                                     Now now) {
  SlotId id;
  WaitingFrame& waiting = frames_.acquire(&id);
  waiting.reset(now);
  waiting.from = from;
  waiting.head = frame.head;
  if (frame.owner != nullptr) {
    waiting.payload_body = {*frame.owner, frame.payload};
  } else {
    waiting.payload.assign(frame.payload);
  }
  core_.open.count_held(waiting, frame.payload.size());
  core_.load(id, key);
}

bool ReplicaService::is_apart(const KeyRef& key, uint64_t signature) const {
  return signature != 0 && signature != core_.signature(key) && !planted(PlantedBug::kUnfenced);
}

void ReplicaService::say_apart(LinkIndex from, const FrameHead& head, Now now) {
  if (core_.apart != nullptr) core_.apart->on_apart(from, now);
  say_no(from, head, ReplicaVerdict::kApart);
}

void ReplicaService::refuse(LinkIndex from, const FrameHead& head) {
  say_no(from, head, ReplicaVerdict::kRefused);
}

void ReplicaService::say_no(LinkIndex from, const FrameHead& head, ReplicaVerdict verdict) {
  if (head.type == MessageType::kReplicaRead) {
    ReplicaReadReply reply;
    reply.verdict = verdict;
    reply.attempt = static_cast<uint8_t>(head.flags >> kAttemptShift);
    put_replica_read_reply(core_.outbox.frames(from), head.operation, reply);
    return;
  }
  KVORUM_CHECK(head.type == MessageType::kReplicaWrite);
  ReplicaWriteReply reply;
  reply.verdict = verdict;
  reply.second = head.flags & kWriteSecond;
  put_replica_write_reply(core_.outbox.frames(from), head.operation, reply);
}

void ReplicaService::on_loaded(SlotId id, bool ok, Now now) {
  WaitingFrame* const waiting = frames_.find(id);
  if (!waiting) return;
  const std::string payload = std::move(waiting->payload);
  const SharedView body = std::move(waiting->payload_body);
  Frame frame{waiting->head, payload};
  if (!body.empty()) {
    frame.payload = body.bytes;
    frame.owner = &body.owner;
  }
  const LinkIndex from = waiting->from;
  waiting->payload.clear();
  waiting->payload_body = {};
  core_.open.release_head(*waiting);
  frames_.release(id);
  if (!ok) {
    refuse(from, frame.head);
  } else if (frame.head.type == MessageType::kReplicaRead) {
    ReplicaRead message;
    // Its claim was taken when it came.
    if (parse_replica_read(frame, &message)) serve_read(from, frame, message, now);
  } else {
    KVORUM_CHECK(frame.head.type == MessageType::kReplicaWrite);
    ReplicaWrite message;
    if (parse_replica_write(frame, &message)) serve_write(from, frame, message, now);
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

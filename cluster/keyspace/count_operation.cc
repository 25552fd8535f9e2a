// SPDX-License-Identifier: Apache-2.0
#include "cluster/keyspace/count_operation.h"

#include <algorithm>

#include "base/check.h"

namespace kvorum::cluster {
namespace {

constexpr uint64_t kLookUs = 1000;  // how often a waiting question looks whether the sweep is done

}  // namespace

void CountOperations::submit(const KeyspaceRequest& request, uint64_t tag, Now now) {
  KVORUM_CHECK(core_.self() < core_.members());
  const uint64_t timeout_us = core_.timeout_us(request);
  SlotId id;
  Count& count = counts_.acquire(&id);
  count.tag = tag;
  count.keyspace = request.keyspace;
  count.deadline_us = now.steady_us + timeout_us;
  count.patient_until_us = now.steady_us + timeout_us / 4 * 3;
  count.impatient = false;
  count.members.assign(core_.members(), Asked::kFailed);
  count.live.assign(core_.members() * core_.view->ring.partitions(), 0);
  count.members[core_.self()] = Asked::kWaiting;
  for (const MemberIndex member : core_.reachable_others()) {
    count.members[member] = Asked::kWaiting;
    put_count(core_.outbox.frames(member), id, request.keyspace);
  }
  on_question(core_.self(), id, request.keyspace, now);
}

void CountOperations::on_question(LinkIndex from, SlotId operation, uint8_t keyspace, Now now) {
  const Deferred question{from, operation, keyspace,
                          now.steady_us + core_.options.timeout_ms * 1000ULL / 2};
  if (core_.parts.marks->swept(keyspace)) {
    answer(question, now);
  } else {
    deferred_.push_back(question);
    next_look_us_ = now.steady_us + kLookUs;
  }
}

void CountOperations::answer(const Deferred& question, Now now) {
  PartitionCounts counts;
  const uint64_t now_ms = core_.parts.clock->reading(now.wall_ms).ms();
  const auto gone = [&](engine::RecordView bytes) {
    decode_record(bytes, *core_.parts.authors, record_);
    return visible_versions(record_.object, now_ms).empty();
  };
  for (uint32_t partition = 0; partition < core_.view->ring.partitions(); ++partition) {
    if (!core_.is_reader(core_.self(), question.keyspace, partition)) continue;
    counts.emplace_back(
        partition, core_.parts.table->live_count_at(question.keyspace, partition, now_ms, gone));
  }
  if (question.from == core_.self()) {
    on_answer(core_.self(), question.operation, counts, now);
  } else {
    put_count_reply(core_.outbox.frames(question.from), question.operation, counts);
  }
}

bool CountOperations::on_answer(MemberIndex from, SlotId id, const PartitionCounts& counts, Now) {
  for (const auto& [partition, live] : counts) {
    if (partition >= core_.view->ring.partitions()) return false;
  }
  Count* count = counts_.find(id);
  if (!count || from >= count->members.size()) return true;
  if (count->members[from] != Asked::kWaiting) return true;
  count->members[from] = Asked::kAnswered;
  for (const auto& [partition, live] : counts) {
    count->live[size_t{from} * core_.view->ring.partitions() + partition] = live;
  }
  step(id, *count);
  return true;
}

MemberIndex CountOperations::counted_by(const Count& count, uint32_t partition,
                                        bool* waiting) const {
  for (const MemberIndex member : core_.readers(count.keyspace, partition)) {
    if (member >= count.members.size()) continue;  // it joined after the question was asked
    if (count.members[member] == Asked::kAnswered) return member;
    if (count.members[member] == Asked::kWaiting && !count.impatient) *waiting = true;
  }
  return kNoMember;
}

void CountOperations::step(SlotId id, Count& count) {
  const uint32_t partitions = core_.view->ring.partitions();
  const bool any_waiting =
      std::find(count.members.begin(), count.members.end(), Asked::kWaiting) != count.members.end();
  KeyspaceCompletion completion;
  for (uint32_t partition = 0; partition < partitions; ++partition) {
    bool waiting = false;
    const MemberIndex member = counted_by(count, partition, &waiting);
    if (waiting || (member == kNoMember && any_waiting)) return;
    if (member == kNoMember) {
      completion.outcome = Outcome::kNoQuorum;
      completion.text = "no replica of a partition answered";
      completion.count = 0;
      break;
    }
    completion.count += count.live[size_t{member} * partitions + partition];
  }
  KVORUM_CHECK(core_.sink != nullptr);
  const uint64_t tag = count.tag;
  counts_.release(id);
  core_.sink->on_keyspace_complete(tag, completion);
}

void CountOperations::on_peer_down(MemberIndex peer, Now) {
  std::erase_if(deferred_, [peer](const Deferred& question) { return question.from == peer; });
  counts_.for_each([&](SlotId id, Count& count) {
    if (peer >= count.members.size() || count.members[peer] != Asked::kWaiting) return;
    count.members[peer] = Asked::kFailed;
    step(id, count);
  });
}

void CountOperations::on_time(Now now) {
  std::vector<Deferred> ready;
  std::erase_if(deferred_, [&](const Deferred& question) {
    const bool due =
        core_.parts.marks->swept(question.keyspace) || now.steady_us >= question.deadline_us;
    if (due) ready.push_back(question);
    return due;
  });
  for (const Deferred& question : ready) answer(question, now);
  next_look_us_ = deferred_.empty() ? 0 : now.steady_us + kLookUs;
  counts_.for_each([&](SlotId id, Count& count) {
    if (now.steady_us >= count.deadline_us) {
      for (Asked& member : count.members) {
        if (member == Asked::kWaiting) member = Asked::kFailed;
      }
    } else if (now.steady_us < count.patient_until_us || count.impatient) {
      return;
    }
    count.impatient = true;
    step(id, count);
  });
}

uint64_t CountOperations::next_deadline_us() {
  uint64_t next = next_look_us_;
  if (counts_.used() == 0) return next;
  counts_.for_each([&next](SlotId, Count& count) {
    next = sooner_of(next, count.impatient ? count.deadline_us : count.patient_until_us);
  });
  return next;
}

}  // namespace kvorum::cluster

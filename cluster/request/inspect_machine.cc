// SPDX-License-Identifier: Apache-2.0
#include "cluster/request/inspect_machine.h"

#include <algorithm>

#include "base/check.h"

namespace kvorum::cluster {

void InspectMachine::start(SlotId id, Operation& operation, Now now) {
  const KeyRef& key = operation.request().key;
  operation.inspection = std::make_unique<Inspection>();
  Inspection& inspection = *operation.inspection;
  const auto list = core_.view->owners(key.keyspace, core_.partition_for(key));
  const size_t n = list.size();
  inspection.replicas.resize(n);
  for (size_t row = 0; row < n; ++row) {
    const MemberIndex member = list[row];
    inspection.replicas[row].node = core_.id_of(member);
    inspection.targets.push_back(Target{.member = member});
    if (member == core_.self()) {
      std::string bytes;
      const engine::Access access =
          core_.own.read(key, [&](Record& record) { encode_object(record.object, bytes); });
      if (access == engine::Access::kNotResident) {
        return core_.load(id, operation);
      }
      add(operation, row, bytes);
    } else if (core_.health.linked(member)) {
      put_replica_read(core_.outbox.frames(member), id, {key, true, false});
    } else {
      inspection.targets.back().state = Target::State::kFailed;
    }
  }
  if (complete(operation)) {
    answer(id, operation, now);
    return;
  }
  core_.open.timers.add(now.steady_us, core_.quarter_us(operation), id);
}

void InspectMachine::add(Operation& operation, size_t row, std::string_view object) {
  KVORUM_CHECK(operation.inspection && row < operation.inspection->replicas.size());
  operation.inspection->objects.emplace_back(object);
  ReplicaFacts& facts = operation.inspection->replicas[row];
  facts.answered = decode_object(operation.inspection->objects.back(), facts.object);
  operation.inspection->targets[row].state =
      facts.answered ? Target::State::kAnswered : Target::State::kFailed;
}

bool InspectMachine::complete(const Operation& operation) {
  return std::none_of(operation.inspection->targets.begin(), operation.inspection->targets.end(),
                      [](const Target& target) { return target.state == Target::State::kWaiting; });
}

void InspectMachine::on_read_reply(SlotId id, Operation& operation,
                                   const Answered<ReplicaReadReply>& answer, Now now) {
  KVORUM_CHECK(operation.inspection != nullptr);
  for (size_t row = 0; row < operation.inspection->targets.size(); ++row) {
    Target& target = operation.inspection->targets[row];
    if (target.member != answer.from || target.state != Target::State::kWaiting) continue;
    if (answer.reply.verdict == ReplicaVerdict::kRefused) {
      target.state = Target::State::kFailed;
    } else {
      add(operation, row,
          answer.reply.verdict == ReplicaVerdict::kOk ? answer.reply.object : std::string_view());
    }
  }
  if (complete(operation)) this->answer(id, operation, now);
}

void InspectMachine::on_loaded(SlotId id, Operation& operation, bool ok, Now now) {
  if (!ok) return core_.starter->on_unreadable(id, operation, now);
  start(id, operation, now);
}

void InspectMachine::answer(SlotId id, Operation& operation, Now now) {
  Completion completion;
  completion.replicas = &operation.inspection->replicas;
  core_.complete(operation, completion, now);
  core_.open.release(id);
}

}  // namespace kvorum::cluster

// SPDX-License-Identifier: Apache-2.0
#include "cluster/request/inspect_machine.h"

#include <algorithm>

namespace kvorum::cluster {

void InspectMachine::start(SlotId id, Operation& operation, Now now) {
  const KeyRef& key = operation.request().key;
  const auto list = core_.preference_list(key);
  const size_t n = std::min<size_t>(core_.view->quorum(key.keyspace).n, list.size());
  operation.replicas.resize(n);
  for (size_t row = 0; row < n; ++row) {
    const MemberIndex member = list[row];
    operation.replicas[row].node = core_.id_of(member);
    operation.targets.push_back(Target{.member = member});
    if (member == core_.self()) {
      std::string bytes;
      const engine::Access access =
          core_.read_own(key, [&](Record& record) { encode_object(record.object, bytes); });
      if (access == engine::Access::kNotResident) {
        operation.targets.clear();
        operation.replicas.clear();
        operation.replica_objects.clear();
        core_.load(id, operation, key);
        return;
      }
      add(operation, row, bytes);
    } else if (core_.health.linked(member)) {
      put_replica_read(core_.outbox.frames(member), id, {key, true, false});
    } else {
      operation.targets.back().state = Target::State::kFailed;
    }
  }
  if (complete(operation)) {
    answer(id, operation, now);
    return;
  }
  core_.timers.add(now.steady_us, core_.quarter_us(operation), id);
}

void InspectMachine::add(Operation& operation, size_t row, std::string_view object) {
  operation.replica_objects.emplace_back(object);
  ReplicaFacts& facts = operation.replicas[row];
  facts.answered = decode_object(operation.replica_objects.back(), facts.object);
  operation.targets[row].state = facts.answered ? Target::State::kAnswered : Target::State::kFailed;
}

bool InspectMachine::complete(const Operation& operation) {
  return std::none_of(operation.targets.begin(), operation.targets.end(),
                      [](const Target& target) { return target.state == Target::State::kWaiting; });
}

void InspectMachine::on_reply(SlotId id, Operation& operation,
                              const Answered<ReplicaReadReply>& answer, Now now) {
  for (size_t row = 0; row < operation.targets.size(); ++row) {
    Target& target = operation.targets[row];
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

void InspectMachine::answer(SlotId id, Operation& operation, Now now) {
  Completion completion;
  completion.replicas = &operation.replicas;
  core_.complete(operation, completion, now);
  core_.release(id);
}

}  // namespace kvorum::cluster

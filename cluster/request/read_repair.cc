// SPDX-License-Identifier: Apache-2.0
#include "cluster/request/read_repair.h"

#include <algorithm>

#include "base/check.h"
#include "base/planted_bug.h"
#include "cluster/machine/large_frames.h"

namespace kvorum::cluster {

using Phase = Operation::Phase;
using State = Target::State;

// A budget that was overdrawn by one large object is paid back before the next one goes.
bool ReadRepair::admit(uint64_t bytes, Now now) {
  const uint64_t passed_us = std::min<uint64_t>(now.steady_us - refilled_us_, 1'000'000);
  refilled_us_ = now.steady_us;
  budget_bytes_ = std::min(budget_bytes_ + passed_us * kBytesPerSecond / 1'000'000, kBurstBytes);
  const bool whole = budget_bytes_ == kBurstBytes;
  if (open_ >= kOpenMax || (bytes > budget_bytes_ && !whole)) return false;
  budget_bytes_ -= std::min(bytes, budget_bytes_);
  return true;
}

void ReadRepair::start(SlotId id, Operation& operation, Now now) {
  KVORUM_CHECK(operation.answered_client);  // nobody waits for it
  if (planted(PlantedBug::kSkipReadRepair)) return core_.open.release(id);
  // Evicted since it answered: loaded, then merged.
  if (mend_own(operation, now) == engine::Access::kNotResident) {
    return core_.load(id, operation);
  }
  mend_others(id, operation, now);
}

void ReadRepair::on_loaded(SlotId id, Operation& operation, bool ok, Now now) {
  if (ok && now.steady_us < operation.deadline_us) return start(id, operation, now);
  mend_others(id, operation, now);
}

engine::Access ReadRepair::mend_own(Operation& operation, Now now) {
  for (Target& target : operation.reading.tally.targets) {
    if (target.member != core_.self() || !ReadTally::is_stale(target, operation.reading.digest))
      continue;
    const KeyRef& key = operation.request().key;
    Object merged = operation.reading.held.object();
    core_.own.observe(merged, now);
    const engine::UpdateResult result = core_.own.update(key, [&](Record& record) {
      core_.own.merge_in(record, key, merged, operation.reading.frontier);
      return true;
    });
    if (result.access == engine::Access::kNotResident) return result.access;
    ++core_.counters.read_repairs;
    target.digest = operation.reading.digest;
  }
  return engine::Access::kDone;
}

void ReadRepair::mend_others(SlotId id, Operation& operation, Now now) {
  operation.phase = Phase::kRepairing;
  operation.reading.repairs_open = 0;  // acknowledgements to wait for
  for (Target& target : operation.reading.tally.targets) {
    if (is_open(target) && target.asked_us != 0) {
      core_.health.still_waiting(target.member, {Ask::kRead, target.asked_us}, now.steady_us);
    }
    if (target.member == core_.self() || !ReadTally::is_stale(target, operation.reading.digest))
      continue;
    if (operation.object.empty()) encode_object(operation.reading.held.object(), operation.object);
    if (!admit(operation.object.size(), now)) {
      ++core_.counters.read_repairs_skipped;
      continue;
    }
    ++core_.counters.read_repairs;
    ++open_;
    ++operation.reading.repairs_open;
    target.state = State::kRepairing;
    const ReplicaWrite message{.key = operation.request().key,
                               .repair = true,
                               .frontier = operation.reading.frontier,
                               .signature = core_.signature(operation.request().key),
                               .object = {}};
    send_replica_write(core_, target.member, {id, operation}, message);
  }
  if (operation.reading.repairs_open == 0) return core_.open.release(id);
  const uint64_t timeout_us =
      (core_.options.request_timeout_ms + Core::flow_ms(operation.large_bytes)) * 1000ULL;
  operation.deadline_us = now.steady_us + timeout_us;
  core_.open.timers.add(now.steady_us, timeout_us, id);
}

void ReadRepair::on_reply(SlotId id, Operation& operation, MemberIndex from) {
  for (Target& target : operation.reading.tally.targets) {
    if (target.member != from || target.state != State::kRepairing) continue;
    target.state = State::kAnswered;
    KVORUM_CHECK(open_ > 0 && operation.reading.repairs_open > 0);
    --open_;
    if (--operation.reading.repairs_open == 0) core_.open.release(id);
    return;
  }
}

// Timers of the read itself come by too.
void ReadRepair::on_timer(SlotId id, Operation& operation, Now now) {
  if (now.steady_us < operation.deadline_us || core_.still_flows(id, operation, now)) return;
  KVORUM_CHECK(open_ >= operation.reading.repairs_open);
  open_ -= operation.reading.repairs_open;
  core_.open.release(id);
}

}  // namespace kvorum::cluster

// SPDX-License-Identifier: Apache-2.0
// Edits claim their keys (claims.h), so that two coordinators do not edit one at the same time. The
// first primary writes blindly without one: whoever edits meanwhile has claims at replicas that
// tell it, and then it writes once more, with a claim.
#include <algorithm>

#include "cluster/copies/claim_times.h"
#include "cluster/request/forwarding.h"
#include "cluster/request/put_machine.h"
#include "cluster/version/planted_bug.h"

namespace kvorum::cluster {
namespace {

constexpr std::string_view kClaimed =
    "another node is about to change the key, nothing was written";

}  // namespace

size_t PutMachine::wanted_claims(const Operation& operation, Now now) const {
  const Request& request = operation.request();
  const size_t quorum = core_.claim_quorum(operation.keyspace);
  // Who brings a context wants a sibling beside what it does not cover.
  if (quorum == 0 || request.has_context || operation.claims_given_up) return 0;
  if (planted(PlantedBug::kUnclaimed)) return 0;
  if (!operation.blind || operation.second_write_done) return quorum;
  const auto primaries = core_.primaries(request.key);
  if (primaries[0] != core_.self()) return quorum;
  // Back after a stop: another one wrote for this node meanwhile, and may do so still.
  const bool all_there = !core_.contact.young(now) ||
                         std::all_of(primaries.begin(), primaries.end(), [&](MemberIndex primary) {
                           return core_.health.linked(primary);
                         });
  const MemberIndex holder = core_.parts.claims->holder(request.key.position, now_ms(now));
  return all_there && (holder == kNoMember || holder == core_.self()) ? 0 : quorum;
}

// Of its time; as long as that nobody is told anything else than that the store is writable.
bool PutMachine::waited_for_half(const Operation& operation, Now now) const {
  return now.steady_us + 2 * core_.quarter_us(operation) >= operation.deadline_us;
}

// A node that comes back knows least while its links come up; those who wrote in its place are
// linked soon.
bool PutMachine::comes_too_early(const Operation& operation, Now now) const {
  if (operation.claim_quorum == 0 || !core_.contact.young(now)) return false;
  if (waited_for_half(operation, now)) return false;
  const auto grants =
      std::count_if(operation.targets.begin(), operation.targets.end(), [](const Target& target) {
        return target.stands_for == kNoMember && !target.former &&
               target.state == Target::State::kAnswered;
      });
  return grants < operation.claim_quorum;
}

void PutMachine::begin_again(SlotId id, Operation& operation, Now now) {
  if (now.steady_us < operation.deadline_us) return start(id, operation, now);
  fail(id, operation, {Outcome::kNoQuorum, kClaimed}, now);
}

void PutMachine::read(SlotId id, Operation& operation, Now now) {
  const Request& request = operation.request();
  release_claims(id, operation);
  operation.claims_waited = false;
  if (operation.claim_quorum != 0 && !take_own_claim(operation, now)) {
    return contend(id, operation, now);
  }
  const uint8_t r = request.r ? request.r : core_.view->quorum(operation.keyspace).r;
  after_read(id, operation, reads_.begin_reading(id, operation, r, now), now);
}

bool PutMachine::take_own_claim(Operation& operation, Now now) {
  const KeyRef& key = operation.request().key;
  const uint64_t quarter_us = core_.quarter_us(operation);
  operation.claims_until_us = now.steady_us + claim_usable_us(quarter_us);
  if (!core_.is_primary(core_.self(), key)) return true;
  operation.claim_holder = core_.parts.claims->take(
      key.position, {core_.self(), now_ms(now), now_ms(now) + claim_ms(quarter_us)});
  operation.claimed_own = operation.claim_holder == kNoMember;
  return operation.claimed_own;
}

// Those that no write ended.
void PutMachine::release_claims(SlotId id, Operation& operation) {
  if (operation.claimed_own) {
    core_.parts.claims->release(operation.request().key.position, core_.self());
  }
  operation.claimed_own = false;
  for (const MemberIndex member : operation.claimed) {
    if (!core_.health.linked(member)) continue;
    put_unclaim(core_.outbox.frames(member), id,
                {operation.request().key.position, core_.self_id(), operation.attempt});
  }
  operation.claimed.clear();
}

bool PutMachine::passes_on(const Operation& operation, Now now) const {
  const MemberIndex holder = operation.claim_holder;
  const auto& tried = operation.tried;  // it handed this edit back
  if (std::find(tried.begin(), tried.end(), holder) != tried.end()) return false;
  return holder != kNoMember && holder != core_.self() && !operation.is_retry() &&
         !operation.second_write_done && operation.hops < Forwarding::kHopsMax &&
         core_.health.lively(holder, now.steady_us);
}

// Another node is about to edit the key. It runs this edit too, after its own.
void PutMachine::contend(SlotId id, Operation& operation, Now now) {
  ++core_.counters.edits_contended;
  release_claims(id, operation);
  if (now.steady_us >= operation.deadline_us) {
    return fail(id, operation, {Outcome::kNoQuorum, kClaimed}, now);
  }
  if (passes_on(operation, now)) {
    operation.hops = Forwarding::kHopsMax - 1;  // it must not come back
    return core_.starter->run_at(operation.claim_holder, id, operation, now);
  }
  // A blind write destroys nobody's work by not waiting, and leaves a sibling at most.
  if (operation.blind && waited_for_half(operation, now)) {
    operation.claims_given_up = true;
    return start(id, operation, now);
  }
  core_.pause_contended(id, operation, now);
}

void PutMachine::try_again(SlotId id, Operation& operation, Now now) {
  release_claims(id, operation);
  core_.pause_contended(id, operation, now);
}

void PutMachine::fail(SlotId id, Operation& operation, Failure failure, Now now) {
  release_claims(id, operation);
  core_.complete_failed(operation, failure.outcome, failure.text, now);
  core_.release(id);
}

}  // namespace kvorum::cluster

// SPDX-License-Identifier: Apache-2.0
#include "cluster/put/edit_claims.h"

#include <algorithm>

#include "base/check.h"
#include "base/contains.h"
#include "base/planted_bug.h"
#include "cluster/copies/claim_times.h"
#include "cluster/request/forwarding.h"

namespace kvorum::cluster {

size_t EditClaims::wanted(const Operation& operation, Now now) const {
  const Request& request = operation.request();
  const size_t quorum = core_.claim_quorum(request.key);
  // Who brings a context wants a sibling beside what it does not cover.
  if (quorum == 0 || request.has_context || operation.claim.given_up) return 0;
  if (planted(PlantedBug::kUnclaimed)) return 0;
  if (!operation.writing.blind || operation.writing.second_write_done) return quorum;
  const auto primaries = core_.coordinators(request.key);
  KVORUM_CHECK(!primaries.empty());
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
bool EditClaims::waited_for_half(const Operation& operation, Now now) const {
  return now.steady_us + 2 * core_.quarter_us(operation) >= operation.deadline_us;
}

// A node that comes back knows least while its links come up; those who wrote in its place are
// linked soon.
bool EditClaims::comes_too_early(const Operation& operation, Now now) const {
  if (operation.claim.quorum == 0 || !core_.contact.young(now)) return false;
  if (waited_for_half(operation, now)) return false;
  return operation.reading.tally.grants() < operation.claim.quorum;
}

bool EditClaims::take_own(Operation& operation, Now now) {
  Claiming& claim = operation.claim;
  KVORUM_CHECK(!claim.own && core_.parts.claims != nullptr);
  const KeyRef& key = operation.request().key;
  const uint64_t quarter_us = core_.quarter_us(operation);
  claim.until_us = now.steady_us + claim_usable_us(quarter_us);
  if (!core_.coordinates(core_.self(), key)) return true;
  claim.holder = core_.parts.claims->take(
      key.position, {core_.self(), now_ms(now), now_ms(now) + claim_ms(quarter_us)});
  claim.own = claim.holder == kNoMember;
  return claim.own;
}

// Those that no write ended.
void EditClaims::release(SlotId id, Operation& operation) {
  Claiming& claim = operation.claim;
  KVORUM_CHECK(!claim.own || core_.parts.claims != nullptr);
  if (claim.own) {
    core_.parts.claims->release(operation.request().key.position, core_.self());
  }
  claim.own = false;
  for (const MemberIndex member : claim.asked) {
    if (!core_.health.linked(member)) continue;
    put_unclaim(core_.outbox.frames(member), id,
                {operation.request().key.position, core_.self_id(), operation.reading.attempt});
  }
  claim.asked.clear();
}

bool EditClaims::passes_on(const Operation& operation, Now now) const {
  const MemberIndex holder = operation.claim.holder;
  if (contains(operation.route.tried, holder)) return false;  // it handed this edit back
  return holder != kNoMember && holder != core_.self() && !operation.is_retry() &&
         !operation.writing.second_write_done && operation.route.hops < Forwarding::kHopsMax &&
         core_.health.lively(holder, now.steady_us);
}

}  // namespace kvorum::cluster

// SPDX-License-Identifier: Apache-2.0
// Reading for an edit that claims its key, and reads that meet such an edit half done (claims.h).
#include <algorithm>

#include "cluster/request/get_machine.h"

namespace kvorum::cluster {

using Progress = GetMachine::Progress;
using State = Target::State;

// Whoever is wrongly suspected must be asked too: another node may have its grant.
void GetMachine::ask_suspected(Operation& operation, Now now) const {
  for (const MemberIndex primary : core_.primaries(operation.request().key)) {
    const bool known = std::any_of(operation.targets.begin(), operation.targets.end(),
                                   [&](const Target& target) { return target.member == primary; });
    if (known || !core_.health.linked(primary)) continue;
    operation.targets.push_back(
        Target{.member = primary, .replaced = true, .asked_us = now.steady_us});
  }
}

// Where too few primaries are there to grant a claim, and nobody refuses it, the edit goes on as it
// can: a store that is always writable. Silent ones are waited for as long as for a vote.
Progress GetMachine::with_claims(const Operation& operation, Progress by_votes) const {
  size_t granted = 0;
  size_t refused = 0;
  bool any_open = false;
  for (const Target& target : operation.targets) {
    if (target.stands_for != kNoMember || target.former) continue;
    granted += target.state == State::kAnswered;
    refused += target.claim_refused;
    any_open |= is_open(target);
  }
  const size_t n = core_.view->quorum(operation.keyspace).n;
  const size_t quorum = operation.claim_quorum;
  if (refused > n - quorum) return Progress::kContended;
  if (by_votes == Progress::kFailed) return refused > 0 ? Progress::kContended : by_votes;
  if (granted >= quorum || by_votes == Progress::kWaiting) return by_votes;
  if (any_open && !operation.claims_waited) return Progress::kWaiting;
  return refused > 0 ? Progress::kContended : by_votes;
}

// Siblings of which one is about to be covered are not shown.
bool GetMachine::reads_again(SlotId id, Operation& operation, Now now) {
  const bool in_flux = stale_copies(operation) != 0;
  if (!in_flux && !operation.contested) return false;
  Object object;
  const bool decoded = decode_object(operation.object, object);
  KVORUM_CHECK(decoded);
  if (core_.lww(operation.keyspace) || visible_versions(object, core_.clock_ms(now)).size() < 2) {
    return false;
  }
  if (!core_.reads_again(operation, in_flux, now)) return false;
  ++core_.counters.reads_contested;
  core_.pause_contended(id, operation, now);
  return true;
}

}  // namespace kvorum::cluster

// SPDX-License-Identifier: Apache-2.0
#include "cluster/machine/tallies.h"

#include <algorithm>

#include "base/check.h"
#include "base/planted_bug.h"

namespace kvorum::cluster {
namespace {

using State = Target::State;

bool is_primary(const Target& target) { return target.stands_for == kNoMember && !target.former; }

}  // namespace

bool is_vote(const Targets& targets, size_t at) {
  KVORUM_CHECK(at < targets.size());
  if (targets[at].state != State::kAnswered) return false;
  for (size_t earlier = 0; earlier < at; ++earlier) {
    const bool answered = targets[earlier].state == State::kAnswered;
    if (answered && place_of(targets[earlier]) == place_of(targets[at])) return false;
  }
  return true;
}

Answers answers_of(const Targets& targets) {
  Answers answers;
  for (size_t at = 0; at < targets.size(); ++at) {
    if (!is_vote(targets, at) || targets[at].former) continue;
    ++(targets[at].stands_for == kNoMember ? answers.primaries : answers.fallbacks);
  }
  return answers;
}

// The usual case: only primaries were asked, and whole copies alone decide.
TallyVerdict ReadTally::verdict(FunctionRef<ReadRules()> rules) const {
  size_t counted = 0;
  bool primary_open = false;
  bool plain = needed > 0 && !in_sets;
  for (const Target& target : targets) {
    plain &= is_primary(target);
    counted += target.state == State::kAnswered && target.whole;
    primary_open |= is_open(target) && !target.replaced;
  }
  if (plain && counted >= needed) return TallyVerdict::kEnough;
  return plain && primary_open ? TallyVerdict::kNotYet : verdict_in_need(rules());
}

ReadTally::Counts ReadTally::counts_in(const OwnerSet* set) const {
  Counts counts;
  for (size_t at = 0; at < targets.size(); ++at) {
    const Target& target = targets[at];
    if (target.former || (set != nullptr && !set->has(place_of(target)))) continue;
    const bool answered = is_vote(targets, at);
    counts.whole += answered && target.whole;
    counts.fresh += answered && !target.whole && target.is_new;
    counts.doubtful += answered && !target.whole && !target.is_new;
    counts.whole_primaries +=
        target.state == State::kAnswered && target.whole && target.stands_for == kNoMember;
    counts.weak += is_lone_weak(at);
  }
  return counts;
}

bool ReadTally::primary_open() const {
  return std::any_of(targets.begin(), targets.end(), [](const Target& target) {
    return is_open(target) && target.stands_for == kNoMember && !target.replaced;
  });
}

// A copy that is not whole counts where none is that could be asked, and where all primaries
// answered: nobody else knows more then. While copies follow a former placement it counts only
// beside the answers of that.
TallyVerdict ReadTally::verdict_in_need(const ReadRules& rules) const {
  if (in_sets) {
    // One that was answered before the partition settled, and only hears its stragglers.
    if (rules.sets == nullptr) return TallyVerdict::kNotYet;
    return verdict_in_sets(*rules.sets);
  }
  const Counts counts = counts_in(nullptr);
  size_t counted = counts.whole;
  if (!primary_open() && counted < needed && (!rules.moving || rules.former_answered)) {
    counted += counts.weak;
    if (rules.moving) counted += counts.fresh;
    const size_t unforgotten = counts.whole_primaries + (rules.moving ? counts.fresh : 0);
    const bool nobody_knows_more = unforgotten == 0 || unforgotten + counts.doubtful == rules.n;
    if (nobody_knows_more) counted += counts.doubtful;
  }
  if (counted >= needed && needed > 0) return TallyVerdict::kEnough;
  return all_answered() ? TallyVerdict::kImpossible : TallyVerdict::kNotYet;
}

// The same of each set that is read. One of which nobody is left asks nothing.
TallyVerdict ReadTally::verdict_in_sets(const SetsInPlay& sets) const {
  KVORUM_CHECK(sets.readable_sets > 0 && sets.readable_sets <= sets.sets.size());
  const bool settled = !primary_open();
  bool enough = settled || any_answer();
  for (size_t at = 0; at < sets.readable_sets; ++at) {
    if (at > 0 && planted(PlantedBug::kReadOldest)) break;
    const OwnerSet& set = sets.sets[at];
    const size_t wanted = asked ? std::min<size_t>(needed, set.owners.size()) : set.r;
    const Counts counts = counts_in(&set);
    size_t counted = counts.whole;
    if (settled && counted < wanted) {
      counted += counts.weak;
      const size_t unwhole = counts.doubtful + counts.fresh;
      const bool nobody_knows_more =
          counts.whole_primaries == 0 || counts.whole_primaries + unwhole == set.owners.size();
      if (nobody_knows_more) counted += unwhole;
    }
    enough &= counted >= wanted;
  }
  if (enough && any_answer()) return TallyVerdict::kEnough;
  return all_answered() ? TallyVerdict::kImpossible : TallyVerdict::kNotYet;
}

// A stand-in without a hint, whose place has no other answer.
bool ReadTally::is_lone_weak(size_t at) const {
  if (targets[at].state != State::kWeak) return false;
  for (size_t other = 0; other < targets.size(); ++other) {
    if (other == at || place_of(targets[other]) != place_of(targets[at])) continue;
    if (targets[other].state == State::kAnswered) return false;
    if (targets[other].state == State::kWeak && other < at) return false;
  }
  return true;
}

// Where too few primaries are there to grant a claim, and nobody refuses it, the edit goes on as it
// can: a store that is always writable. Silent ones are waited for as long as for a vote.
TallyVerdict ReadTally::verdict_with_claims(TallyVerdict by_votes, const ClaimRules& rules) const {
  KVORUM_CHECK(rules.quorum <= rules.n);
  size_t refused = 0;
  bool any_open = false;
  for (const Target& target : targets) {
    if (!is_primary(target) || !target.grants) continue;
    refused += target.claim_refused;
    any_open |= is_open(target);
  }
  if (refused > rules.n - rules.quorum) return TallyVerdict::kContended;
  if (by_votes == TallyVerdict::kImpossible) {
    return refused > 0 ? TallyVerdict::kContended : by_votes;
  }
  if (grants() >= rules.quorum || by_votes == TallyVerdict::kNotYet) return by_votes;
  if (any_open && !rules.waited) return TallyVerdict::kNotYet;
  return refused > 0 ? TallyVerdict::kContended : by_votes;
}

Target* ReadTally::find_open(MemberIndex member) {
  Target* found = nullptr;
  for (Target& target : targets) {
    if (target.member == member && is_open(target)) found = &target;
  }
  return found;
}

bool ReadTally::knows(MemberIndex member) const {
  return std::any_of(targets.begin(), targets.end(),
                     [&](const Target& target) { return target.member == member; });
}

bool ReadTally::all_answered() const {
  return std::none_of(targets.begin(), targets.end(), is_open);
}

bool ReadTally::any_answer() const {
  return std::any_of(targets.begin(), targets.end(),
                     [](const Target& target) { return target.state == State::kAnswered; });
}

size_t ReadTally::grants() const {
  return static_cast<size_t>(
      std::count_if(targets.begin(), targets.end(), [](const Target& target) {
        return is_primary(target) && target.grants && target.state == State::kAnswered;
      }));
}

size_t ReadTally::stale(uint64_t digest_of_all) const {
  size_t stale = 0;
  for (const Target& target : targets) {
    stale += target.state == State::kAnswered && !target.former && target.digest != digest_of_all;
  }
  return stale;
}

bool ReadTally::is_stale(const Target& target, uint64_t digest_of_all) {
  return target.state == State::kAnswered && is_primary(target) && target.digest != digest_of_all;
}

size_t WriteTally::votes() const {
  size_t votes = 0;
  bool plain = true;  // nobody stands in: each answer is of another place
  for (const Target& target : targets) {
    votes += target.state == State::kAnswered;
    plain &= target.stands_for == kNoMember;
  }
  if (plain) return votes;
  votes = 0;
  for (size_t at = 0; at < targets.size(); ++at) votes += is_vote(targets, at);
  return votes;
}

bool WriteTally::is_settled() const {
  return std::none_of(targets.begin(), targets.end(), is_open);
}

size_t WriteTally::wanted(const OwnerSet& set) const {
  const size_t w = asked ? size_t{needed} + short_of_w : set.w;
  return std::min<size_t>(w, set.owners.size());
}

size_t WriteTally::places_in(const OwnerSet& set) const {
  size_t places = 0;
  for (size_t at = 0; at < targets.size(); ++at) {
    bool first = set.has(place_of(targets[at]));
    for (size_t earlier = 0; earlier < at && first; ++earlier) {
      first = place_of(targets[earlier]) != place_of(targets[at]);
    }
    places += first;
  }
  return places;
}

bool WriteTally::can_reach(const SetsInPlay& sets) const {
  return std::all_of(sets.sets.begin(), sets.sets.end(),
                     [&](const OwnerSet& set) { return places_in(set) >= wanted(set); });
}

// Softened: as many as were alive when it began, and one at least.
TallyVerdict WriteTally::verdict(const SetsInPlay& sets) const {
  KVORUM_CHECK(in_sets && !sets.sets.empty());
  bool enough = votes() > 0;
  for (const OwnerSet& set : sets.sets) {
    size_t counted = 0;
    for (size_t at = 0; at < targets.size(); ++at) {
      counted += set.has(place_of(targets[at])) && is_vote(targets, at);
    }
    const bool unread = &set - sets.sets.data() >= static_cast<std::ptrdiff_t>(sets.readable_sets);
    if (unread && planted(PlantedBug::kWriteReadable)) continue;
    const bool soft = short_of_w > 0;
    enough &= counted >= (soft ? std::min(wanted(set), places_in(set)) : wanted(set));
  }
  if (enough) return TallyVerdict::kEnough;
  return is_settled() ? TallyVerdict::kImpossible : TallyVerdict::kNotYet;
}

TallyVerdict WriteTally::verdict(size_t enough) const {
  KVORUM_CHECK(enough > 0);  // nothing is acknowledged for nothing
  if (votes() >= enough) return TallyVerdict::kEnough;
  return is_settled() ? TallyVerdict::kImpossible : TallyVerdict::kNotYet;
}

void WriteTally::harden() {
  needed = static_cast<uint8_t>(needed + short_of_w);
  short_of_w = 0;
}

}  // namespace kvorum::cluster

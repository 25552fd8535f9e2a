// SPDX-License-Identifier: Apache-2.0
// Who was asked, who answered, and whether that is enough (paper 4.5): the votes of a reading and
// of a write, as values. They know no sender, clock or table: what they need of the configuration
// is handed in. Private to cluster/.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/function_ref.h"
#include "base/inline_vector.h"
#include "cluster/ring/sets_in_play.h"

namespace kvorum::cluster {

// One replica that was asked.
struct Target {
  enum class State : uint8_t {
    kWaiting,
    kAnswered,   // its answer is part of the result
    kWeak,       // a fallback without a hint: counts only once no primary is left to wait for
    kFetching,   // its digest differed: the object was asked for
    kFailed,     // refused, link down, or given up on
    kRepairing,  // was stale: what was read is on its way to it
    kApart,      // it knows another history: asked again in a moment
  };
  MemberIndex member = kNoMember;
  MemberIndex stands_for = kNoMember;  // the primary whose place a fallback takes
  State state = State::kWaiting;
  bool replaced = false;       // silent for a quarter of the deadline: another was asked too
  bool wants_object = false;   // asked for all of it, not for a digest
  bool whole = true;           // as far as it said: its answer to a read counts (whole_replicas.h)
  bool releases = false;       // what was sent to it ends a claim there (claims.h)
  bool is_new = false;         // the same: it is not whole, but forgot nothing
  bool grants = true;          // its claim counts: an owner of the oldest set in play
  bool former = false;         // no primary any more: asked for what the primaries may lack
  bool claim_refused = false;  // another node edits the key
  uint64_t digest = 0;         // versions_digest() of its answer to a read
  uint64_t asked_us = 0;       // 0: not kept
};

using Targets = InlineVector<Target, 4>;

// The primary whose copy it is, or stands in for.
inline MemberIndex place_of(const Target& target) {
  return target.stands_for == kNoMember ? target.member : target.stands_for;
}

// Its answer to a read is still awaited.
inline bool is_open(const Target& target) {
  return target.state == Target::State::kWaiting || target.state == Target::State::kFetching ||
         target.state == Target::State::kApart;
}

// An answer that counts: the first of its place. A slow primary and the fallback that took its
// place are one copy in the end, since the hint goes to that primary.
bool is_vote(const Targets& targets, size_t at);

// Answers that count, by what they came from.
struct Answers {
  size_t primaries = 0, fallbacks = 0;
};
Answers answers_of(const Targets& targets);

enum class TallyVerdict : uint8_t {
  kNotYet,
  kEnough,
  kImpossible,  // whoever could still answer does not help
  kContended,   // another node has claimed the key
};

// What the votes of a reading are judged by, beside R.
struct ReadRules {
  size_t n = 1;
  // Copies follow a former placement of the key (former_placements.h), and so many of its primaries
  // answered as know every write that was acknowledged then.
  bool moving = false;
  bool former_answered = false;
  const SetsInPlay* sets = nullptr;  // of a partition that moves
};

// What the claims of an edit's reading are judged by (claims.h).
struct ClaimRules {
  size_t n = 1;
  size_t quorum = 0;    // primaries that have to grant the claim
  bool waited = false;  // for those who are silent, as long as for a vote
};

struct ReadTally {
  Targets targets;
  uint8_t needed = 0;    // R
  bool in_sets = false;  // of each set in play that is read
  bool asked = false;    // R is what the request wants, not what the sets say

  void reset() {
    targets.clear();
    needed = 0;
    in_sets = asked = false;
  }
  // `rules` is asked for where answers of primaries with whole copies do not decide.
  TallyVerdict verdict(FunctionRef<ReadRules()> rules) const;
  TallyVerdict verdict_with_claims(TallyVerdict by_votes, const ClaimRules& rules) const;

  Target* find_open(MemberIndex member);
  bool knows(MemberIndex member) const;
  bool all_answered() const;
  bool any_answer() const;
  // Primaries whose answer grants a claim.
  size_t grants() const;
  // How many replicas that answered have other versions than all of them together.
  size_t stale(uint64_t digest_of_all) const;
  // What read repair mends: a fallback gets nothing, and who is no primary any more neither.
  static bool is_stale(const Target& target, uint64_t digest_of_all);

 private:
  // Answers that may count, by what they say of their copies.
  struct Counts {
    size_t whole = 0, fresh = 0, doubtful = 0, weak = 0, whole_primaries = 0;
  };
  // Of the places in `set`; null: all.
  Counts counts_in(const OwnerSet* set) const;
  bool primary_open() const;
  TallyVerdict verdict_in_need(const ReadRules& rules) const;
  TallyVerdict verdict_in_sets(const SetsInPlay& sets) const;
  bool is_lone_weak(size_t at) const;
};

struct WriteTally {
  Targets targets;
  uint8_t needed = 0;      // W, or as many as are alive where it is softened
  uint8_t short_of_w = 0;  // by so many; in sets: 1 where any of them has fewer alive
  bool in_sets = false;    // of each set in play
  bool asked = false;      // W is what the request wants, not what the sets say

  void reset() {
    targets.clear();
    needed = short_of_w = 0;
    in_sets = asked = false;
  }
  // `enough` is `needed`, but where a bug is planted.
  TallyVerdict verdict(size_t enough) const;
  // The same where the partition moves: W of each set, but where a softened one has fewer alive.
  TallyVerdict verdict(const SetsInPlay& sets) const;
  // Whether so many are asked in each set.
  bool can_reach(const SetsInPlay& sets) const;
  // Nobody's answer is awaited.
  bool is_settled() const;
  size_t votes() const;
  // A promised hint could not be kept: what W was softened by counts again.
  void harden();

 private:
  size_t wanted(const OwnerSet& set) const;
  // Owners of the set whose copy somebody was asked to take.
  size_t places_in(const OwnerSet& set) const;
};

}  // namespace kvorum::cluster

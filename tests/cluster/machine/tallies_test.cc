// SPDX-License-Identifier: Apache-2.0
// Every N up to five, every R and W, every state of every place: what a tally says is compared with
// the rule in words, place by place.
#include "cluster/machine/tallies.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>

namespace kvorum::cluster {
namespace {

using State = Target::State;
using Verdict = TallyVerdict;

constexpr size_t kCopiesMax = 5;
constexpr MemberIndex kFirstFallback = 10;

// What may have become of one place of the preference list.
enum class Place : uint8_t {
  kOpen,         // the primary was asked
  kReplaced,     // it is silent, and nobody could take its place
  kWhole,        // it answered
  kDoubtful,     // it answered, from a copy that may lack writes
  kNew,          // it answered, from a copy that is not filled yet
  kFailed,       // it refused
  kStandIn,      // it failed, and a fallback answered from its hints
  kWeak,         // it failed, and the fallback has no hint
  kStandInOpen,  // it failed, and the fallback was asked
  kLateStandIn,  // it is silent, and the fallback answered
  kBoth,         // the fallback answered, then the primary
};
constexpr size_t kPlaces = 11;

struct Counts {
  size_t whole = 0, doubtful = 0, fresh = 0, weak = 0;
  size_t whole_primaries = 0;
  bool primary_open = false, any_open = false;
};

struct Case {
  size_t n = 0;
  std::array<Place, kCopiesMax> places{};

  bool next() {
    for (size_t at = 0; at < n; ++at) {
      const size_t value = static_cast<size_t>(places[at]) + 1;
      places[at] = static_cast<Place>(value % kPlaces);
      if (value < kPlaces) return true;
    }
    return false;
  }
  std::string text() const {
    std::string text = "places";
    for (size_t at = 0; at < n; ++at) text += ' ' + std::to_string(static_cast<int>(places[at]));
    return text;
  }
  Counts counts() const;
  Targets targets() const;
};

Counts Case::counts() const {
  Counts counts;
  for (size_t at = 0; at < n; ++at) {
    const Place place = places[at];
    counts.whole += place == Place::kWhole || place == Place::kStandIn ||
                    place == Place::kLateStandIn || place == Place::kBoth;
    counts.whole_primaries += place == Place::kWhole || place == Place::kBoth;
    counts.doubtful += place == Place::kDoubtful;
    counts.fresh += place == Place::kNew;
    counts.weak += place == Place::kWeak;
    counts.primary_open |= place == Place::kOpen;
    counts.any_open |= place == Place::kOpen || place == Place::kReplaced ||
                       place == Place::kStandInOpen || place == Place::kLateStandIn;
  }
  return counts;
}

Targets Case::targets() const {
  Targets targets;
  for (size_t at = 0; at < n; ++at) {
    const Place place = places[at];
    const auto member = static_cast<MemberIndex>(at);
    Target primary{.member = member};
    const bool answered = place == Place::kWhole || place == Place::kDoubtful ||
                          place == Place::kNew || place == Place::kBoth;
    const bool failed =
        place == Place::kFailed || place == Place::kStandIn || place == Place::kWeak;
    if (answered) primary.state = State::kAnswered;
    if (failed || place == Place::kStandInOpen) primary.state = State::kFailed;
    primary.whole = place != Place::kDoubtful && place != Place::kNew;
    primary.is_new = place == Place::kNew;
    primary.replaced = place == Place::kReplaced || place == Place::kLateStandIn;
    targets.push_back(primary);
    Target fallback{.member = static_cast<MemberIndex>(kFirstFallback + at), .stands_for = member};
    if (place == Place::kWeak) fallback.state = State::kWeak;
    if (place == Place::kStandIn || place == Place::kLateStandIn || place == Place::kBoth) {
      fallback.state = State::kAnswered;
    }
    const bool asked = place == Place::kStandIn || place == Place::kWeak ||
                       place == Place::kStandInOpen || place == Place::kLateStandIn ||
                       place == Place::kBoth;
    if (asked) targets.push_back(fallback);
  }
  return targets;
}

Targets reversed(const Targets& targets) {
  Targets other;
  for (size_t at = targets.size(); at > 0; --at) other.push_back(targets[at - 1]);
  return other;
}

// The rule: R places whose answer is whole. While a primary is awaited nothing else counts; then a
// fallback without a hint says that its primary has at least no newer write here, and a copy that
// may lack writes counts where nobody can know more.
Verdict read_by_rule(const Counts& counts, size_t r, const ReadRules& rules) {
  size_t votes = counts.whole;
  if (!counts.primary_open && (!rules.moving || rules.former_answered)) {
    const size_t fresh = rules.moving ? counts.fresh : 0;
    const size_t doubtful = counts.doubtful;
    const size_t knowing = counts.whole_primaries + fresh;
    if (votes < r) votes += counts.weak + fresh;
    if (knowing == 0 || knowing + doubtful == rules.n) votes += doubtful;
  }
  if (votes >= r) return Verdict::kEnough;
  return counts.any_open ? Verdict::kNotYet : Verdict::kImpossible;
}

void check_reads(const Case& example, const ReadRules& rules) {
  const Counts counts = example.counts();
  ReadTally tally;
  tally.targets = example.targets();
  ReadTally other;
  other.targets = reversed(tally.targets);
  for (size_t r = 1; r <= example.n; ++r) {
    tally.needed = other.needed = static_cast<uint8_t>(r);
    const Verdict verdict = tally.verdict([&] { return rules; });
    ASSERT_EQ(verdict, read_by_rule(counts, r, rules))
        << "N " << example.n << " R " << r << ' ' << example.text() << " moving " << rules.moving
        << rules.former_answered;
    ASSERT_EQ(verdict, other.verdict([&] { return rules; })) << "in another order";
    ASSERT_TRUE(verdict != Verdict::kImpossible || tally.all_answered());
  }
}

TEST(ReadTally, EveryStateOfEveryPlace) {
  for (size_t n = 1; n <= kCopiesMax; ++n) {
    Case example{n};
    do {
      check_reads(example, {.n = n});
      if (n > 4) continue;
      check_reads(example, {.n = n, .moving = true});
      check_reads(example, {.n = n, .moving = true, .former_answered = true});
    } while (example.next());
  }
}

// An answer more never makes less of a reading.
TEST(ReadTally, AnAnswerNeverHarms) {
  const auto rank = [](Verdict verdict) { return verdict == Verdict::kEnough; };
  for (size_t n = 1; n <= 4; ++n) {
    Case before{n};
    do {
      for (size_t at = 0; at < n; ++at) {
        if (before.places[at] != Place::kOpen) continue;
        Case after = before;
        after.places[at] = Place::kWhole;
        ReadTally tally, then;
        tally.targets = before.targets();
        then.targets = after.targets();
        for (uint8_t r = 1; r <= n; ++r) {
          tally.needed = then.needed = r;
          const auto rules = [&] { return ReadRules{.n = n}; };
          ASSERT_LE(rank(tally.verdict(rules)), rank(then.verdict(rules))) << before.text();
        }
      }
    } while (before.next());
  }
}

TEST(ReadTally, FormerPrimariesAreAwaitedAndNoVotes) {
  ReadTally tally;
  tally.needed = 1;
  tally.targets.push_back({.member = 0, .state = State::kFailed});
  tally.targets.push_back({.member = 7, .state = State::kAnswered, .former = true});
  const auto rules = [](bool answered) {
    return ReadRules{.n = 1, .moving = true, .former_answered = answered};
  };
  EXPECT_EQ(tally.verdict([&] { return rules(true); }), Verdict::kImpossible);
  tally.targets[0] = {.member = 0, .state = State::kAnswered, .whole = false, .is_new = true};
  EXPECT_EQ(tally.verdict([&] { return rules(true); }), Verdict::kEnough);
  tally.targets[1].state = State::kWaiting;
  EXPECT_EQ(tally.verdict([&] { return rules(false); }), Verdict::kNotYet);
}

TEST(ReadTally, TwoStandInsOfOnePrimaryAreOneVote) {
  ReadTally tally;
  tally.needed = 2;
  tally.targets.push_back({.member = 0, .state = State::kFailed});
  tally.targets.push_back({.member = 3, .stands_for = 0, .state = State::kWeak});
  tally.targets.push_back({.member = 4, .stands_for = 0, .state = State::kWeak});
  const auto rules = [] { return ReadRules{.n = 3}; };
  EXPECT_EQ(tally.verdict(rules), Verdict::kImpossible);
  tally.targets[2].state = State::kAnswered;
  EXPECT_EQ(tally.verdict(rules), Verdict::kImpossible) << "weak beside an answer is none";
  tally.targets[1].stands_for = 1;
  EXPECT_EQ(tally.verdict(rules), Verdict::kEnough);
}

TEST(ReadTally, WhoIsStale) {
  ReadTally tally;
  tally.targets.push_back({.member = 0, .state = State::kAnswered, .digest = 7});
  tally.targets.push_back({.member = 1, .state = State::kAnswered, .digest = 8});
  tally.targets.push_back({.member = 2, .state = State::kWaiting, .digest = 8});
  tally.targets.push_back({.member = 3, .stands_for = 2, .state = State::kAnswered, .digest = 8});
  tally.targets.push_back({.member = 4, .state = State::kAnswered, .former = true, .digest = 8});
  EXPECT_EQ(tally.stale(7), 2u) << "a primary and a fallback";
  EXPECT_EQ(std::count_if(tally.targets.begin(), tally.targets.end(),
                          [](const Target& target) { return ReadTally::is_stale(target, 7); }),
            1)
      << "repaired is the primary alone";
}

// Each primary has granted the claim, refused it, failed, or is awaited.
TEST(ReadTally, EveryOutcomeOfClaims) {
  for (size_t n = 2; n <= kCopiesMax; ++n) {
    size_t cases = 1;
    for (size_t at = 0; at < n; ++at) cases *= 4;
    for (size_t number = 0; number < cases; ++number) {
      ReadTally tally;
      size_t granted = 0, refused = 0, open = 0;
      for (size_t at = 0, rest = number; at < n; ++at, rest /= 4) {
        Target target{.member = static_cast<MemberIndex>(at)};
        if (rest % 4 == 0) target.state = State::kAnswered;
        if (rest % 4 == 1 || rest % 4 == 2) target.state = State::kFailed;
        target.claim_refused = rest % 4 == 1;
        granted += rest % 4 == 0;
        refused += rest % 4 == 1;
        open += rest % 4 == 3;
        tally.targets.push_back(target);
      }
      for (size_t quorum = n / 2 + 1; quorum <= n; ++quorum) {
        const auto verdict = [&](Verdict by_votes, bool waited) {
          return tally.verdict_with_claims(by_votes, {n, quorum, waited});
        };
        const bool lost = refused > n - quorum;  // no quorum of grants is possible
        const std::string text = "N " + std::to_string(n) + " of " + std::to_string(quorum) +
                                 " case " + std::to_string(number);
        EXPECT_EQ(verdict(Verdict::kImpossible, true),
                  lost || refused > 0 ? Verdict::kContended : Verdict::kImpossible)
            << text;
        EXPECT_EQ(verdict(Verdict::kNotYet, true), lost ? Verdict::kContended : Verdict::kNotYet)
            << text;
        Verdict enough = Verdict::kEnough;
        if (granted < quorum && refused > 0) enough = Verdict::kContended;
        if (lost) enough = Verdict::kContended;
        EXPECT_EQ(verdict(Verdict::kEnough, true), enough) << text;
        if (!lost && granted < quorum && open > 0) enough = Verdict::kNotYet;
        EXPECT_EQ(verdict(Verdict::kEnough, false), enough) << text;
      }
    }
  }
}

// The rule: W places of which somebody acknowledged the write.
TEST(WriteTally, EveryStateOfEveryPlace) {
  for (size_t n = 1; n <= kCopiesMax; ++n) {
    Case example{n};
    do {
      const Counts counts = example.counts();
      WriteTally tally;
      tally.targets = example.targets();
      WriteTally other;
      other.targets = reversed(tally.targets);
      const size_t places = counts.whole + counts.doubtful + counts.fresh;
      for (size_t w = 1; w <= n; ++w) {
        const Verdict rule = places >= w       ? Verdict::kEnough
                             : counts.any_open ? Verdict::kNotYet
                                               : Verdict::kImpossible;
        ASSERT_EQ(tally.verdict(w), rule) << "N " << n << " W " << w << ' ' << example.text();
        ASSERT_EQ(other.verdict(w), rule) << "in another order";
      }
      ASSERT_EQ(tally.is_settled(), !counts.any_open);
      const Answers answers = answers_of(tally.targets);
      ASSERT_EQ(answers.primaries + answers.fallbacks, places) << example.text();
    } while (example.next());
  }
}

TEST(WriteTally, WhatWasSoftenedCountsAgain) {
  WriteTally tally;
  tally.needed = 1;
  tally.short_of_w = 2;
  tally.harden();
  EXPECT_EQ(tally.needed, 3);
  EXPECT_EQ(tally.short_of_w, 0);
}

}  // namespace
}  // namespace kvorum::cluster

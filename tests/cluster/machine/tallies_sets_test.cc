// SPDX-License-Identifier: Apache-2.0
// Tallies where several sets of owners are in play: cases in words, and every state of five targets
// against the rule of docs/MEMBERSHIP.md, place by place and set by set.
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/machine/tallies.h"

namespace kvorum::cluster {
namespace {

using State = Target::State;
using Verdict = TallyVerdict;

// ---- targets and sets as texts

// Of a target: `+` answered, `d` the same from a copy that may lack writes, `n` from a new one,
// `w` a stand-in without a hint, `?` awaited, `a` apart, `f` asked for the object, `s` silent and
// replaced, `x` failed.
void set_state(Target& target, char state) {
  switch (state) {
    case '+':
    case 'd':
    case 'n':
      target.state = State::kAnswered;
      target.whole = state == '+';
      target.is_new = state == 'n';
      return;
    case 'w':
      target.state = State::kWeak;
      return;
    case 'a':
      target.state = State::kApart;
      return;
    case 'f':
      target.state = State::kFetching;
      return;
    case 's':
      target.replaced = true;
      return;
    case 'x':
      target.state = State::kFailed;
      return;
    default:
      ASSERT_EQ(state, '?');
  }
}

// `0+ 7/1w`: member 0 answered, member 7 stands in for 1.
Targets targets_of(std::string_view text) {
  Targets targets;
  for (size_t at = 0; at < text.size(); ++at) {
    const char letter = text[at];
    const auto digit = static_cast<MemberIndex>(letter - '0');
    if (letter == '/') {
      targets.back().stands_for = static_cast<MemberIndex>(text[++at] - '0');
    } else if (std::isdigit(static_cast<unsigned char>(letter)) != 0) {
      targets.push_back(Target{.member = digit});
    } else if (letter != ' ') {
      set_state(targets.back(), letter);
    }
  }
  return targets;
}

struct TestSet {
  std::string_view owners;
  uint8_t r = 0, w = 0;
};

SetsInPlay sets_of(const std::vector<TestSet>& sets, size_t readable = SIZE_MAX) {
  SetsInPlay made;
  made.readable_sets = std::min(readable, sets.size());
  for (const TestSet& set : sets) {
    OwnerSet& owners = made.sets.emplace_back();
    owners.set = made.sets.size();
    owners.n = 3;
    owners.r = set.r;
    owners.w = set.w;
    for (const char owner : set.owners) {
      owners.owners.push_back(static_cast<MemberIndex>(owner - '0'));
    }
  }
  return made;
}

// `asked` is the R or W of the request; 0: it has none.
ReadTally read_tally(const Targets& targets, uint8_t asked = 0) {
  ReadTally tally;
  tally.targets = targets;
  tally.in_sets = true;
  tally.needed = asked == 0 ? uint8_t{2} : asked;  // of the newest set: not looked at
  tally.asked = asked != 0;
  return tally;
}

Verdict read_verdict(const ReadTally& tally, const SetsInPlay& sets) {
  return tally.verdict([&] { return ReadRules{.n = 3, .sets = &sets}; });
}

WriteTally write_tally(const Targets& targets, uint8_t asked = 0, bool softened = false) {
  WriteTally tally;
  tally.targets = targets;
  tally.in_sets = true;
  tally.needed = asked == 0 ? uint8_t{2} : asked;
  tally.asked = asked != 0;
  if (softened) {
    --tally.needed;
    tally.short_of_w = 1;
  }
  return tally;
}

// ---- reads, case by case

struct ReadCase {
  const char* why;
  std::string_view targets;
  std::vector<TestSet> sets;
  Verdict verdict;
  uint8_t asked = 0;
  size_t readable = SIZE_MAX;
};

const std::vector<TestSet> kShifted{{"012", 2, 2}, {"123", 2, 2}};
const std::vector<TestSet> kApartSets{{"012", 2, 2}, {"345", 2, 2}};
const std::vector<TestSet> kThree{{"012", 2, 2}, {"123", 2, 2}, {"234", 2, 2}};

TEST(ReadTallyInSets, Cases) {
  const ReadCase cases[] = {
      {"one answer counts in each set of its owner", "0? 1+ 2+ 3?", kShifted, Verdict::kEnough},
      {"R of the old set alone is not enough", "0+ 1+ 2? 3?", kShifted, Verdict::kNotYet},
      {"nor of the new one", "0? 1? 2+ 3+", kShifted, Verdict::kNotYet},
      {"one of each, and one of both", "0+ 1+ 2x 3+", kShifted, Verdict::kEnough},
      {"nobody is left to wait for", "0+ 1+ 2x 3x", kShifted, Verdict::kImpossible},
      {"sets without a common owner", "0+ 1+ 2? 3+ 4? 5?", kApartSets, Verdict::kNotYet},
      {"R of each of them", "0+ 1+ 2? 3+ 4? 5+", kApartSets, Verdict::kEnough},
      {"the middle one of three", "0+ 1+ 2x 3x 4+", kThree, Verdict::kImpossible},
      {"all three of them", "0? 1+ 2+ 3+ 4?", kThree, Verdict::kEnough},
      {"two answers in three sets", "0? 1? 2+ 3+ 4?", kThree, Verdict::kNotYet},
      {"who has no vote yet is not read", "0+ 1+ 2? 3?", kShifted, Verdict::kEnough, 0, 1},
      {"each set has its own R", "0+ 1? 2?", {{"0", 1, 1}, {"012", 2, 2}}, Verdict::kNotYet},
      {"which is met", "0+ 1? 2+", {{"0", 1, 1}, {"012", 2, 2}}, Verdict::kEnough},
      {"the R of a request counts in all", "0+ 1? 2? 3+", kShifted, Verdict::kEnough, 1},
      {"a high one, too", "0? 1+ 2+ 3+", kShifted, Verdict::kNotYet, 3},
      {"as far as a set has owners",
       "0+ 1+ 2+ 3+",
       {{"01", 1, 1}, {"123", 2, 2}},
       Verdict::kEnough,
       3},
      {"a set of which nobody is left", "0+ 1+", {{"", 0, 0}, {"012", 2, 2}}, Verdict::kEnough},
      {"an R of a request neither", "0+ 1+", {{"", 0, 0}, {"01", 2, 2}}, Verdict::kEnough, 2},
      {"but nothing is no answer", "0x 1x", {{"", 0, 0}}, Verdict::kImpossible},
      {"nor is silence", "0? 1x", {{"", 0, 0}}, Verdict::kNotYet},
      {"a stand-in has the place in both", "0? 1x 7/1+ 2+ 3?", kShifted, Verdict::kEnough},
      {"and in one", "0x 7/0+ 1+ 2x 3x", kShifted, Verdict::kImpossible},
      {"a stand-in and its primary are one", "0s 7/0+ 0+ 1+ 2x 3?", kShifted, Verdict::kNotYet},
      {"one without a hint waits for primaries", "0? 1x 7/1w 2+ 3?", kShifted, Verdict::kNotYet},
      {"and counts in both sets then", "0x 1x 7/1w 2+ 3x", kShifted, Verdict::kEnough},
      {"a primary of another set is waited for", "0+ 1x 7/1w 2x 3?", kShifted, Verdict::kNotYet},
      {"a copy that may lack writes is none", "0+ 1d 2? 3+", kShifted, Verdict::kNotYet},
      {"beside one that is whole", "0x 1d 2+ 3+", kShifted, Verdict::kImpossible},
      {"but where all of the set answered", "0d 1d 2+ 3+", kShifted, Verdict::kEnough},
      {"or none of it is whole", "0d 1n 2x 3d", kShifted, Verdict::kEnough},
      {"whole ones of another set change nothing", "0d 1d 2x 3+ 4+ 5x", kApartSets,
       Verdict::kEnough},
      {"who is apart is asked again", "0+ 1+ 2x 3a", kShifted, Verdict::kNotYet},
  };
  for (const ReadCase& example : cases) {
    const SetsInPlay sets = sets_of(example.sets, example.readable);
    const ReadTally tally = read_tally(targets_of(example.targets), example.asked);
    EXPECT_EQ(read_verdict(tally, sets), example.verdict) << example.why << ": " << example.targets;
  }
}

// ---- writes, case by case

struct WriteCase {
  const char* why;
  std::string_view targets;
  std::vector<TestSet> sets;
  Verdict verdict;
  uint8_t asked = 0;
  bool softened = false;
};

TEST(WriteTallyInSets, Cases) {
  const WriteCase cases[] = {
      {"W of both by common owners", "0? 1+ 2+ 3?", kShifted, Verdict::kEnough},
      {"W of the old set alone", "0+ 1+ 2? 3?", kShifted, Verdict::kNotYet},
      {"W of the new set alone", "0x 1x 2+ 3+", kShifted, Verdict::kImpossible},
      {"sets without a common owner", "0+ 1? 2+ 3+ 4? 5+", kApartSets, Verdict::kEnough},
      {"all of one and one of the other", "0+ 1+ 2+ 3+ 4x 5x", kApartSets, Verdict::kImpossible},
      {"three sets", "0? 1+ 2+ 3+ 4?", kThree, Verdict::kEnough},
      {"the last lacks one", "0+ 1+ 2+ 3x 4x", kThree, Verdict::kImpossible},
      {"each set has its own W", "0+ 1+ 2?", {{"01", 1, 2}, {"012", 1, 3}}, Verdict::kNotYet},
      {"a copy that is not whole takes a write", "0? 1d 2n 3?", kShifted, Verdict::kEnough},
      {"a hint is a vote in both sets", "0? 1x 7/1+ 2+ 3?", kShifted, Verdict::kEnough},
      {"but one beside its owner's", "0x 1+ 7/1+ 2x 3x", kShifted, Verdict::kImpossible},
      {"who is apart is awaited", "0+ 1+ 2x 3a", kShifted, Verdict::kNotYet},
      {"the W of a request", "0+ 1? 2? 3+", kShifted, Verdict::kEnough, 1},
      {"of all", "0+ 1+ 2+ 3x", kShifted, Verdict::kImpossible, 3},
      {"as far as there are owners",
       "0+ 1+ 2+ 3+",
       {{"01", 1, 1}, {"123", 2, 2}},
       Verdict::kEnough,
       3},
      {"a set of which nobody is left", "0+ 1+", {{"", 0, 0}, {"012", 2, 2}}, Verdict::kEnough},
      {"nothing is not kept", "0x", {{"", 0, 0}}, Verdict::kImpossible},
      {"softened: those who were alive", "0+ 1x 2+", kShifted, Verdict::kImpossible, 0, true},
      {"of each set", "2+ 3? 0+", kShifted, Verdict::kNotYet, 0, true},
      {"which is enough", "2+", kShifted, Verdict::kEnough, 0, true},
      {"but no more than W", "0+ 1+ 2? 3+", kShifted, Verdict::kEnough, 0, true},
      {"softened to none of a set", "0+ 1+", kApartSets, Verdict::kEnough, 0, true},
      {"of a request's W", "0+ 1? 2+", kShifted, Verdict::kNotYet, 3, true},
      {"but one at least", "0x", {{"", 0, 0}, {"12", 2, 2}}, Verdict::kImpossible, 0, true},
  };
  for (const WriteCase& example : cases) {
    const SetsInPlay sets = sets_of(example.sets);
    const WriteTally tally =
        write_tally(targets_of(example.targets), example.asked, example.softened);
    EXPECT_EQ(tally.verdict(sets), example.verdict) << example.why << ": " << example.targets;
  }
}

TEST(WriteTallyInSets, WhatCanBeReachedIsWhatWasAsked) {
  const auto reaches = [](std::string_view targets, const std::vector<TestSet>& sets,
                          uint8_t asked = 0) {
    return write_tally(targets_of(targets), asked).can_reach(sets_of(sets));
  };
  EXPECT_TRUE(reaches("1? 2?", kShifted));
  EXPECT_FALSE(reaches("0? 1? 2?", kApartSets));
  EXPECT_FALSE(reaches("0? 1?", kShifted)) << "one of the new set";
  EXPECT_TRUE(reaches("0? 1? 7/3?", kShifted)) << "a stand-in takes its place";
  EXPECT_FALSE(reaches("0? 1? 7/1?", kShifted)) << "not a second time";
  EXPECT_FALSE(reaches("0? 1? 7/8?", kShifted)) << "nor of who owns nothing";
  EXPECT_TRUE(reaches("0? 3?", kShifted, 1));
  EXPECT_FALSE(reaches("0? 1? 2?", kShifted, 3));
  EXPECT_TRUE(reaches("0? 1? 2? 3?", kShifted, 3));
  EXPECT_TRUE(reaches("0? 1?", {{"", 0, 0}, {"01", 2, 2}}));
  EXPECT_TRUE(reaches("0? 1?", {{"01", 1, 1}, {"01", 2, 2}}, 3)) << "all there are";
}

TEST(WriteTallyInSets, WhatWasSoftenedCountsAgain) {
  WriteTally tally = write_tally(targets_of("2+ 3+"), 0, true);
  EXPECT_EQ(tally.verdict(sets_of(kShifted)), Verdict::kEnough);
  tally.harden();
  EXPECT_EQ(tally.verdict(sets_of(kShifted)), Verdict::kImpossible) << "2 of 0, 1, 2";
  tally = write_tally(targets_of("1+ 2+"), 3, true);
  EXPECT_EQ(tally.verdict(sets_of(kShifted)), Verdict::kEnough);
  tally.harden();
  EXPECT_EQ(tally.verdict(sets_of(kShifted)), Verdict::kImpossible);
}

// ---- every state of five targets

// What is known of one place, whoever answered for it.
struct PlaceFacts {
  bool asked = false, whole = false, unwhole = false, weak = false, whole_primary = false;
};

// All that a rule may look at.
struct Facts {
  explicit Facts(const Targets& targets) {
    for (const Target& target : targets) {
      const bool awaited = target.state == State::kWaiting || target.state == State::kFetching ||
                           target.state == State::kApart;
      const bool primary = target.stands_for == kNoMember;
      any_open |= awaited;
      primary_open |= awaited && primary && !target.replaced;
      PlaceFacts& place = places[primary ? target.member : target.stands_for];
      place.asked = true;
      if (target.state == State::kAnswered) {
        any_answer = true;
        if (!place.whole && !place.unwhole) (target.whole ? place.whole : place.unwhole) = true;
        place.whole_primary |= primary && target.whole;
      }
      place.weak |= target.state == State::kWeak;
    }
  }

  PlaceFacts places[10];
  bool any_open = false, primary_open = false, any_answer = false;
};

// R whole copies of the set. Once no primary of any set is awaited: also places that have nothing
// but a stand-in without a hint, and copies that may lack writes where nobody can know more.
bool reads_enough(const Facts& facts, const OwnerSet& set, size_t r) {
  size_t whole = 0, unwhole = 0, weak = 0, knowing = 0;
  for (const MemberIndex owner : set.owners) {
    const PlaceFacts& place = facts.places[owner];
    whole += place.whole;
    unwhole += place.unwhole;
    weak += place.weak && !place.whole && !place.unwhole;
    knowing += place.whole_primary;
  }
  if (whole >= r) return true;
  if (facts.primary_open) return false;
  const bool nobody_knows_more = knowing == 0 || knowing + unwhole == set.owners.size();
  return whole + weak + (nobody_knows_more ? unwhole : 0) >= r;
}

Verdict judged(const Facts& facts, bool enough) {
  if (enough && facts.any_answer) return Verdict::kEnough;
  return facts.any_open ? Verdict::kNotYet : Verdict::kImpossible;
}

Verdict read_by_rule(const Facts& facts, const SetsInPlay& sets, size_t asked) {
  bool enough = true;
  for (size_t at = 0; at < sets.readable_sets; ++at) {
    const OwnerSet& set = sets.sets[at];
    enough &= reads_enough(facts, set, asked ? std::min(asked, set.owners.size()) : set.r);
  }
  return judged(facts, enough);
}

Verdict write_by_rule(const Facts& facts, const SetsInPlay& sets, size_t asked, bool softened) {
  bool enough = true;
  for (const OwnerSet& set : sets.sets) {
    size_t wanted = asked ? std::min(asked, set.owners.size()) : set.w;
    size_t votes = 0, alive = 0;
    for (const MemberIndex owner : set.owners) {
      votes += facts.places[owner].whole || facts.places[owner].unwhole;
      alive += facts.places[owner].asked;
    }
    if (softened) wanted = std::min(wanted, alive);
    enough &= votes >= wanted;
  }
  return judged(facts, enough);
}

// Calls fn(targets) with every state of the targets that a text without states names.
template <class Fn>
void each_state(std::string_view roster, Fn fn) {
  constexpr std::string_view kOfPrimary = "?sa+dnx", kOfStandIn = "?wa+dnx";
  const Targets asked = targets_of(roster);
  size_t cases = 1;
  for (size_t at = 0; at < asked.size(); ++at) cases *= kOfPrimary.size();
  for (size_t number = 0; number < cases; ++number) {
    Targets targets = asked;
    size_t rest = number;
    for (Target& target : targets) {
      const std::string_view states = target.stands_for == kNoMember ? kOfPrimary : kOfStandIn;
      set_state(target, states[rest % states.size()]);
      rest /= states.size();
    }
    fn(targets);
  }
}

std::string text_of(const Targets& targets) {
  std::string text;
  for (const Target& target : targets) {
    text += std::to_string(target.member);
    if (target.stands_for != kNoMember) text += '/' + std::to_string(target.stands_for);
    text += " state " + std::to_string(static_cast<int>(target.state));
    text += target.replaced ? " silent, " : target.whole ? ", " : " not whole, ";
  }
  return text;
}

class EveryState : public ::testing::TestWithParam<std::string_view> {
 protected:
  static std::vector<SetsInPlay> pairs() {
    return {sets_of(kShifted),
            sets_of({{"012", 1, 3}, {"234", 3, 1}}),
            sets_of({{"0", 1, 1}, {"012", 2, 2}}),
            sets_of({{"", 0, 0}, {"01", 1, 2}}),
            sets_of({{"012", 2, 2}, {"012", 3, 3}}),
            sets_of(kShifted, 1)};
  }
};

TEST_P(EveryState, OfAReadIsJudgedByTheRule) {
  const std::vector<SetsInPlay> all = pairs();
  each_state(GetParam(), [&](const Targets& targets) {
    const Facts facts(targets);
    for (size_t pair = 0; pair < all.size(); ++pair) {
      for (uint8_t asked = 0; asked <= 2; ++asked) {
        const ReadTally tally = read_tally(targets, asked);
        ASSERT_EQ(read_verdict(tally, all[pair]), read_by_rule(facts, all[pair], asked))
            << "sets " << pair << " R " << int{asked} << ": " << text_of(targets);
      }
    }
  });
}

TEST_P(EveryState, OfAWriteIsJudgedByTheRule) {
  const std::vector<SetsInPlay> all = pairs();
  each_state(GetParam(), [&](const Targets& targets) {
    const Facts facts(targets);
    for (size_t pair = 0; pair < all.size(); ++pair) {
      for (uint8_t asked = 0; asked <= 2; ++asked) {
        for (const bool softened : {false, true}) {
          const WriteTally tally = write_tally(targets, asked, softened);
          ASSERT_EQ(tally.verdict(all[pair]), write_by_rule(facts, all[pair], asked, softened))
              << "sets " << pair << " W " << int{asked} << " softened " << softened << ": "
              << text_of(targets);
        }
      }
    }
  });
}

// What is enough for two sets is enough for each of them, and the other way round.
TEST_P(EveryState, IsEnoughWhereItIsForEachSet) {
  const SetsInPlay both = sets_of(kShifted);
  const SetsInPlay older = sets_of({kShifted[0]}), newer = sets_of({kShifted[1]});
  each_state(GetParam(), [&](const Targets& targets) {
    const auto enough = [&](const SetsInPlay& sets) {
      return std::pair(read_verdict(read_tally(targets), sets) == Verdict::kEnough,
                       write_tally(targets).verdict(sets) == Verdict::kEnough);
    };
    ASSERT_EQ(enough(both).first, enough(older).first && enough(newer).first) << text_of(targets);
    ASSERT_EQ(enough(both).second, enough(older).second && enough(newer).second)
        << text_of(targets);
  });
}

INSTANTIATE_TEST_SUITE_P(Rosters, EveryState,
                         ::testing::Values("0 1 2 3 4", "0 1 2 3 7/0", "0 1 2 7/1 8/0",
                                           "1 2 3 7/1 8/1", "7/0 1 2 3 8/4", "7/2 8/3 9/0",
                                           "0 7/0"));

}  // namespace
}  // namespace kvorum::cluster

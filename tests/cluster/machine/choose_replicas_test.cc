// SPDX-License-Identifier: Apache-2.0
// Whom an operation asks, over every set of peers that are down: what the rules of sloppy and of
// strict quorums promise of it.
#include "cluster/machine/choose_replicas.h"

#include <gmock/gmock.h>

#include <set>

#include "cluster/ring/founding.h"
#include "tests/cluster/lone_core.h"
#include "tests/cluster/moving_view.h"

namespace kvorum::cluster::fixtures {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr MemberIndex kMembers = 5;
constexpr uint8_t kStrict = 3;  // a keyspace without stand-ins

class ChooseReplicas : public ::testing::TestWithParam<uint32_t> {
 protected:
  ChooseReplicas() : lone(shape()), key(lone.ref("k")) {
    for (MemberIndex peer = 1; peer < kMembers; ++peer) lone.link(peer, is_up(peer));
    list = lone.core.preference_list(key);
  }
  static LoneShape shape() {
    LoneShape shape{.members = kMembers};
    shape.adjust_founding = [](Founding& founding) { founding.keyspaces[kStrict].sloppy = false; };
    return shape;
  }

  // The parameter's bits are the peers that are up; this node always is.
  bool is_up(MemberIndex member) const { return member == 0 || (GetParam() >> member & 1) != 0; }
  void choose(uint8_t keyspace) {
    choose_replicas(now(), KeyRef{key.key, key.position, keyspace}, &targets, &uncovered);
  }
  Whereabouts now() const { return {*lone.core.view, lone.core.health}; }

  LoneCore lone;
  KeyRef key;
  std::span<const MemberIndex> list;
  Targets targets;
  InlineVector<MemberIndex, 4> uncovered;
};

TEST_P(ChooseReplicas, EveryPrimaryIsAskedOrStoodForOrUncovered) {
  choose(0);
  std::set<MemberIndex> asked, places;
  for (const Target& target : targets) {
    EXPECT_TRUE(is_up(target.member));
    EXPECT_TRUE(asked.insert(target.member).second) << "nobody is asked twice";
    EXPECT_TRUE(places.insert(place_of(target)).second) << "nor stood for twice";
    EXPECT_EQ(target.state, Target::State::kWaiting);
  }
  for (const MemberIndex dead : uncovered) {
    EXPECT_FALSE(is_up(dead));
    EXPECT_TRUE(places.insert(dead).second);
  }
  EXPECT_EQ(places, std::set<MemberIndex>(list.begin(), list.begin() + 3));
}

TEST_P(ChooseReplicas, AsManyAreAskedAsAreUpUntilThereAreN) {
  choose(0);
  const auto up = std::count_if(list.begin(), list.end(), [&](MemberIndex m) { return is_up(m); });
  EXPECT_EQ(targets.size(), std::min<size_t>(3, static_cast<size_t>(up)));
}

TEST_P(ChooseReplicas, StandInsAreTheNextHealthyOfTheListInOrder) {
  choose(0);
  std::vector<MemberIndex> stand_ins, expected;
  for (const Target& target : targets) {
    if (target.stands_for != kNoMember) stand_ins.push_back(target.member);
  }
  for (size_t at = 3; at < list.size(); ++at) {
    if (is_up(list[at]) && expected.size() < stand_ins.size()) expected.push_back(list[at]);
  }
  EXPECT_EQ(stand_ins, expected);
}

TEST_P(ChooseReplicas, AStrictKeyspaceHasNoStandIns) {
  choose(kStrict);
  for (const Target& target : targets) EXPECT_EQ(target.stands_for, kNoMember);
  EXPECT_EQ(targets.size() + uncovered.size(), 3u);
  EXPECT_EQ(spare_fallback(now(), KeyRef{key.key, key.position, kStrict}, targets), kNoMember);
}

TEST_P(ChooseReplicas, ASpareIsUpBehindThePrimariesAndNotAskedYet) {
  choose(0);
  const MemberIndex spare = spare_fallback(now(), key, targets);
  const auto may_be = [&](MemberIndex member) {
    if (!is_up(member) || member == lone.core.self()) return false;
    return std::none_of(targets.begin(), targets.end(),
                        [&](const Target& target) { return target.member == member; });
  };
  if (spare != kNoMember) {
    EXPECT_TRUE(may_be(spare));
    EXPECT_EQ(std::find(list.begin(), list.begin() + 3, spare), list.begin() + 3);
  } else {
    EXPECT_TRUE(std::none_of(list.begin() + 3, list.end(), may_be));
  }
}

INSTANTIATE_TEST_SUITE_P(AllSetsOfPeersThatAreUp, ChooseReplicas,
                         ::testing::Range(0u, 1u << kMembers, 2u));

// ---- where the partition moves

// The key's partition is at members 0, 1, 2, goes to 1, 2, 4, and is to go to 3, 4, 5, of which
// nobody voted for the last. Members 6 and 7 own nothing there.
constexpr MemberIndex kAll = 8;

class ChooseMoving : public ::testing::TestWithParam<uint32_t> {
 protected:
  ChooseMoving() : lone(shape()), key(lone.ref("k")) {
    lone.publish([&](ClusterView& view) {
      move_partition(view, view.ring.partition_of(key.position),
                     {owner_set(11, {0, 1, 2}), owner_set(12, {1, 2, 4}), owner_set(13, {3, 4, 5})},
                     2);
    });
    for (MemberIndex peer = 1; peer < kAll; ++peer) lone.link(peer, is_up(peer));
    list = lone.core.preference_list(key);
  }
  static LoneShape shape() {
    LoneShape shape{.members = kAll};
    shape.adjust_founding = [](Founding& founding) { founding.keyspaces[kStrict].sloppy = false; };
    return shape;
  }
  bool is_up(MemberIndex member) const { return member == 0 || (GetParam() >> member & 1) != 0; }
  void choose(Purpose purpose, uint8_t keyspace = 0) {
    choose_replicas(now(purpose), KeyRef{key.key, key.position, keyspace}, &targets, &uncovered);
  }
  Whereabouts now(Purpose purpose = Purpose::kRead) const {
    return {*lone.core.view, lone.core.health, 0, purpose};
  }
  // Who owns it in some set of that purpose, in the order of the sets.
  static std::vector<MemberIndex> places(Purpose purpose) {
    if (purpose == Purpose::kRead) return {0, 1, 2, 4};
    return {0, 1, 2, 4, 3, 5};
  }
  static bool is_owner(MemberIndex member) { return member < 6; }
  std::vector<MemberIndex> chosen_places() const {
    std::vector<MemberIndex> chosen(uncovered.begin(), uncovered.end());
    for (const Target& target : targets) chosen.push_back(place_of(target));
    std::sort(chosen.begin(), chosen.end());
    return chosen;
  }

  LoneCore lone;
  KeyRef key;
  std::span<const MemberIndex> list;
  Targets targets;
  InlineVector<MemberIndex, 4> uncovered;
};

TEST_P(ChooseMoving, EveryOwnerIsAskedOrStoodForOrUncovered) {
  for (const Purpose purpose : {Purpose::kRead, Purpose::kWrite}) {
    choose(purpose);
    std::vector<MemberIndex> expected = places(purpose);
    std::sort(expected.begin(), expected.end());
    EXPECT_EQ(chosen_places(), expected) << "each once";
    std::set<MemberIndex> asked;
    for (const Target& target : targets) {
      EXPECT_TRUE(is_up(target.member));
      EXPECT_TRUE(asked.insert(target.member).second);
      EXPECT_TRUE(target.stands_for == kNoMember || !is_up(target.stands_for));
    }
  }
}

TEST_P(ChooseMoving, OwnersComeFirstInTheOrderOfTheSets) {
  for (const Purpose purpose : {Purpose::kRead, Purpose::kWrite}) {
    choose(purpose);
    std::vector<MemberIndex> primaries, expected;
    for (const Target& target : targets) {
      if (target.stands_for != kNoMember) break;
      primaries.push_back(target.member);
    }
    for (const MemberIndex place : places(purpose)) {
      if (is_up(place)) expected.push_back(place);
    }
    EXPECT_EQ(primaries, expected);
  }
}

TEST_P(ChooseMoving, WhoOwnsItInAnySetStandsInForNobody) {
  for (const Purpose purpose : {Purpose::kRead, Purpose::kWrite}) {
    choose(purpose);
    std::vector<MemberIndex> stand_ins, expected;
    for (const Target& target : targets) {
      if (target.stands_for != kNoMember) stand_ins.push_back(target.member);
    }
    for (const MemberIndex member : list) {
      if (!is_owner(member) && is_up(member)) expected.push_back(member);
    }
    expected.resize(std::min(expected.size(), stand_ins.size() + uncovered.size()));
    EXPECT_EQ(stand_ins, expected) << "the next of the ring, as long as a place is left";
  }
}

TEST_P(ChooseMoving, ClaimsAreOfTheOldestSet) {
  choose(Purpose::kWrite);
  for (const Target& target : targets) {
    if (target.stands_for != kNoMember) continue;
    EXPECT_EQ(target.grants, target.member < 3);
  }
}

TEST_P(ChooseMoving, AStrictKeyspaceHasNoStandIns) {
  choose(Purpose::kWrite, kStrict);
  for (const Target& target : targets) EXPECT_EQ(target.stands_for, kNoMember);
  EXPECT_EQ(targets.size() + uncovered.size(), 6u);
  EXPECT_EQ(spare_fallback(now(), KeyRef{key.key, key.position, kStrict}, targets), kNoMember);
}

TEST_P(ChooseMoving, ASpareOwnsItInNoSet) {
  choose(Purpose::kRead);
  std::vector<MemberIndex> expected;
  for (const MemberIndex member : list) {
    const bool asked = std::any_of(targets.begin(), targets.end(),
                                   [&](const Target& target) { return target.member == member; });
    if (!is_owner(member) && is_up(member) && !asked) expected.push_back(member);
  }
  EXPECT_EQ(spare_fallback(now(), key, targets), expected.empty() ? kNoMember : expected[0]);
}

TEST_P(ChooseMoving, AnotherPartitionIsChosenAsBefore) {
  const std::string still = lone.key_in((lone.core.partition_for(key) + 1) % lone.kPartitions);
  const KeyRef other = lone.ref(still);
  ASSERT_EQ(lone.core.sets_in_play(other), nullptr);
  for (const Purpose purpose : {Purpose::kRead, Purpose::kWrite}) {
    choose_replicas(now(purpose), other, &targets, &uncovered);
    const auto primaries = lone.core.primaries(other);
    std::vector<MemberIndex> expected(primaries.begin(), primaries.end());
    std::sort(expected.begin(), expected.end());
    EXPECT_EQ(chosen_places(), expected);
    for (const Target& target : targets) EXPECT_TRUE(target.grants);
  }
}

INSTANTIATE_TEST_SUITE_P(AllSetsOfPeersThatAreUp, ChooseMoving,
                         ::testing::Range(0u, 1u << kAll, 2u));

// ---- owners who were struck

TEST(ChooseStruck, NobodyIsLeftOfAnySet) {
  LoneCore lone({.members = 5});
  const KeyRef key = lone.ref("k");
  lone.publish([&](ClusterView& view) {
    move_partition(view, view.ring.partition_of(key.position),
                   {owner_set(11, {}), owner_set(12, {})}, 1);
  });
  Targets targets;
  InlineVector<MemberIndex, 4> uncovered;
  choose_replicas({*lone.view, lone.core.health}, key, &targets, &uncovered);
  EXPECT_TRUE(targets.empty());
  EXPECT_TRUE(uncovered.empty());
}

TEST(ChooseStruck, TheSpareIsTheNextOfTheRingThatIsNotAsked) {
  LoneCore lone({.members = 8});
  const KeyRef key = lone.ref("k");
  lone.publish([&](ClusterView& view) {
    move_partition(view, view.ring.partition_of(key.position),
                   {owner_set(11, {0, 1, 2}), owner_set(12, {1, 2, 3})}, 2);
  });
  std::vector<MemberIndex> others;
  for (const MemberIndex member : lone.core.preference_list(key)) {
    if (member > 3) others.push_back(member);
  }
  for (MemberIndex peer = 1; peer < 8; ++peer) lone.link(peer);
  Targets targets;
  EXPECT_EQ(lone.core.spare_fallback(key, targets), others[0]);
  targets.push_back({.member = others[0]});
  EXPECT_EQ(lone.core.spare_fallback(key, targets), others[1]);
}

}  // namespace
}  // namespace kvorum::cluster::fixtures

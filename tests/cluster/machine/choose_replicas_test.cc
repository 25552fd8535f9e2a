// SPDX-License-Identifier: Apache-2.0
// Whom an operation asks, over every set of peers that are down: what the rules of sloppy and of
// strict quorums promise of it.
#include "cluster/machine/choose_replicas.h"

#include <gmock/gmock.h>

#include <set>

#include "cluster/ring/founding.h"
#include "tests/cluster/lone_core.h"

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

}  // namespace
}  // namespace kvorum::cluster::fixtures

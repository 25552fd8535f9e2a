// SPDX-License-Identifier: Apache-2.0
#include "cluster/history/set_placement.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <set>

#include "tests/cluster/random_history.h"

namespace kvorum::cluster {
namespace {

using fixtures::HistoryDraw;
using fixtures::make_change;
using fixtures::make_founding;
using fixtures::make_join;
using fixtures::make_newcomer;
using fixtures::make_replace;

std::vector<NodeId> ring_owners(const SetPlacement& placement) {
  std::vector<NodeId> ids;
  for (const MemberIndex owner : placement.ring.owners()) {
    ids.push_back(placement.members[owner].id);
  }
  return ids;
}

size_t partitions_of(const SetPlacement& placement, NodeId id) {
  const std::vector<NodeId> owners = ring_owners(placement);
  return static_cast<size_t>(std::count(owners.begin(), owners.end(), id));
}

class SetPlacementTest : public testing::Test {
 protected:
  static constexpr NodeId kNew = 100, kOther = 101;

  void begin(uint32_t founders) { history_ = History(make_founding(founders, 64)); }
  NodeId founder(uint32_t number) const { return fixtures::founder(history_, number); }
  // Later than all before it.
  uint64_t next() const { return history_.highest_hlc().value + 1; }
  void add(ChangeKind kind, NodeId member) { history_.add(make_change(next(), kind, member)); }
  void join(NodeId id, const std::string& name) { history_.add(make_join(next(), id, name)); }
  void replace(NodeId old, NodeId id, const std::string& name) {
    history_.add(make_replace(next(), old, make_newcomer(id, name)));
  }
  SetPlacement now() { return *placements_.of(history_, history_.newest()); }
  Standing standing(NodeId id) {
    const SetPlacement placement = now();
    const MemberIndex number = placement.find(id);
    EXPECT_NE(number, kNoMember);
    return placement.members.at(number).standing;
  }

  History history_{make_founding(3, 64)};
  SetPlacements placements_;
};

TEST_F(SetPlacementTest, TheFoundingIsThatOfTheFile) {
  const ClusterView view = found_view(make_founding(3, 64), "n0");
  EXPECT_EQ(now().ring, view.ring);
  EXPECT_EQ(now().keyspaces, view.keyspaces);
  EXPECT_EQ(now().members[1].id, view.members[1].id);
}

TEST_F(SetPlacementTest, ANewcomerIsPlacedBesideTheOthers) {
  const SetPlacement before = now();
  join(kNew, "m0");
  const SetPlacement after = now();
  const std::vector<MemberIndex> owners(before.ring.owners().begin(), before.ring.owners().end());
  const auto expected = place_newcomer(owners, after.members, before.ring.shape());
  EXPECT_TRUE(std::equal(expected.begin(), expected.end(), after.ring.owners().begin()));
  EXPECT_GE(partitions_of(after, kNew), 15U);  // a quarter, within one
  EXPECT_EQ(after.find(kNew), 3);
}

TEST_F(SetPlacementTest, WhoLeavesOrIsRemovedKeepsTheNumberAndOwnsNothing) {
  join(kNew, "m0");
  add(ChangeKind::kLeave, founder(1));
  add(ChangeKind::kRemove, founder(2));
  EXPECT_EQ(standing(founder(1)), Standing::kLeaving);
  EXPECT_EQ(standing(founder(2)), Standing::kRemoved);
  EXPECT_EQ(partitions_of(now(), founder(1)) + partitions_of(now(), founder(2)), 0U);
  EXPECT_EQ(now().find(kNew), 3);
  EXPECT_EQ(now().ring.placed_members(), 2U);
  EXPECT_TRUE(now().has_removed(founder(2)));
  EXPECT_FALSE(now().has_removed(founder(1)));
  EXPECT_FALSE(now().has_removed(12345));
  EXPECT_GE(partitions_of(now(), founder(0)), 31U);
}

TEST_F(SetPlacementTest, WhoLeavesMayBeRemovedStill) {
  add(ChangeKind::kLeave, founder(1));
  const std::vector<NodeId> owners = ring_owners(now());
  add(ChangeKind::kRemove, founder(1));
  EXPECT_EQ(standing(founder(1)), Standing::kRemoved);
  add(ChangeKind::kLeave, founder(1));
  EXPECT_EQ(standing(founder(1)), Standing::kRemoved);
  EXPECT_EQ(ring_owners(now()), owners);
}

TEST_F(SetPlacementTest, TheLastMemberStays) {
  begin(2);
  add(ChangeKind::kLeave, founder(0));
  add(ChangeKind::kLeave, founder(1));
  add(ChangeKind::kRemove, founder(1));
  EXPECT_EQ(standing(founder(1)), Standing::kMember);
  EXPECT_EQ(now().ring.placed_members(), 1U);
  EXPECT_EQ(now().quorum(0), (EffectiveQuorum{1, 1, 1}));
  replace(founder(1), kNew, "m0");  // leaves one
  EXPECT_EQ(standing(kNew), Standing::kMember);
  EXPECT_EQ(standing(founder(1)), Standing::kRemoved);
}

TEST_F(SetPlacementTest, ChangesAboutNobodyDoNothing) {
  const std::vector<NodeId> owners = ring_owners(now());
  for (const ChangeKind kind : {ChangeKind::kLeave, ChangeKind::kRemove, ChangeKind::kWeight,
                                ChangeKind::kPlace, ChangeKind::kAddress}) {
    add(kind, 12345);
  }
  EXPECT_EQ(ring_owners(now()), owners);
  EXPECT_EQ(now().members.size(), 3U);
}

TEST_F(SetPlacementTest, WhoDepartedNeverReturnsButTheNameMay) {
  add(ChangeKind::kRemove, founder(1));
  join(founder(1), "n1");
  EXPECT_EQ(standing(founder(1)), Standing::kRemoved);
  join(kNew, "n1");
  EXPECT_EQ(standing(kNew), Standing::kMember);
  EXPECT_EQ(now().members.size(), 4U);
}

TEST_F(SetPlacementTest, OfTwoWhoJoinByOneNameTheLaterLeaves) {
  join(kNew, "m0");
  const std::vector<NodeId> owners = ring_owners(now());
  join(kOther, "m0");
  EXPECT_EQ(standing(kNew), Standing::kMember);
  EXPECT_EQ(standing(kOther), Standing::kLeaving);
  EXPECT_EQ(ring_owners(now()), owners);
  join(kNew, "m9");  // is a member already
  EXPECT_EQ(now().members.size(), 5U);
}

TEST_F(SetPlacementTest, WhoReplacesTakesExactlyWhatTheOtherHad) {
  join(kNew, "m0");
  const std::vector<NodeId> before = ring_owners(now());
  replace(founder(1), kOther, "n1");
  EXPECT_EQ(standing(founder(1)), Standing::kRemoved);
  std::vector<NodeId> expected = before;
  std::replace(expected.begin(), expected.end(), founder(1), NodeId{kOther});
  EXPECT_EQ(ring_owners(now()), expected);
}

TEST_F(SetPlacementTest, WhoReplacesAndWeighsMoreTakesMore) {
  const size_t before = partitions_of(now(), founder(1));
  Member heavy = make_newcomer(kNew, "m0");
  heavy.weight = 2;
  history_.add(make_replace(next(), founder(1), heavy));
  EXPECT_GE(partitions_of(now(), kNew), 31U);  // half, within one
  EXPECT_LT(before, 31U);
}

TEST_F(SetPlacementTest, WhoCannotReplaceAnybodyLeaves) {
  replace(founder(1), kNew, "m0");
  replace(founder(1), kOther, "m1");  // the other side of a cut wished it too
  EXPECT_EQ(standing(kNew), Standing::kMember);
  EXPECT_EQ(standing(kOther), Standing::kLeaving);
  EXPECT_EQ(now().ring.placed_members(), 3U);
}

TEST_F(SetPlacementTest, WhoReplacesByATakenNameLeavesAndTheOtherGoesAllTheSame) {
  replace(founder(1), kNew, "n2");
  EXPECT_EQ(standing(kNew), Standing::kLeaving);
  EXPECT_EQ(standing(founder(1)), Standing::kRemoved);
  EXPECT_EQ(now().ring.placed_members(), 2U);
}

TEST_F(SetPlacementTest, WhoIsReplacedByAMemberIsRemoved) {
  replace(founder(1), founder(2), "n2");
  EXPECT_EQ(standing(founder(1)), Standing::kRemoved);
  EXPECT_EQ(standing(founder(2)), Standing::kMember);
  EXPECT_EQ(now().members.size(), 3U);
}

TEST_F(SetPlacementTest, WhoLeavesAndIsReplacedIsRemoved) {
  add(ChangeKind::kLeave, founder(1));
  replace(founder(1), kNew, "m0");
  EXPECT_EQ(standing(founder(1)), Standing::kRemoved);
  EXPECT_EQ(standing(kNew), Standing::kLeaving);
}

TEST_F(SetPlacementTest, WeightsMovePartitions) {
  Change change = make_change(next(), ChangeKind::kWeight, founder(0));
  change.described.weight = 2;
  history_.add(change);
  EXPECT_GE(partitions_of(now(), founder(0)), 31U);  // half, within one
  EXPECT_EQ(now().members[now().find(founder(0))].weight, 2U);
}

TEST_F(SetPlacementTest, PlacesAreThoseOfTheLastChange) {
  begin(6);
  for (uint32_t number = 0; number < 6; ++number) {
    Change change = make_change(next(), ChangeKind::kPlace, founder(number));
    change.described.rack = number % 2 == 0 ? "even" : "odd";
    change.described.zone = "z";
    history_.add(change);
  }
  EXPECT_EQ(now().members[now().find(founder(3))].rack, "odd");
  EXPECT_EQ(now().members[now().find(founder(4))].zone, "z");
}

TEST_F(SetPlacementTest, AddressesMoveNothing) {
  const std::vector<NodeId> owners = ring_owners(now());
  Change change = make_change(next(), ChangeKind::kAddress, founder(0));
  change.described.peer = {"10.9.9.9", 1};
  change.described.admin = {"10.9.9.9", 2};
  change.described.name = "other";
  history_.add(change);
  const Member member = now().members[now().find(founder(0))];
  EXPECT_EQ(member.peer, (Endpoint{"10.9.9.9", 1}));
  EXPECT_EQ(member.admin, (Endpoint{"10.9.9.9", 2}));
  EXPECT_EQ(member.name, "n0");
  EXPECT_EQ(ring_owners(now()), owners);
}

TEST_F(SetPlacementTest, ARaisedNIsAChangeOfOwnersAndMovesNoToken) {
  begin(6);
  const SetPlacement before = now();
  Change change = make_change(next(), ChangeKind::kPolicy, 0);
  change.policy = before.keyspaces[2];
  change.policy.n = 5;
  history_.add(change);
  EXPECT_EQ(now().owners(2, 7).size(), 5U);
  EXPECT_EQ(now().owners(1, 7).size(), 3U);
  EXPECT_EQ(ring_owners(now()), ring_owners(before));
  EXPECT_EQ(now().ring.shape().spread, 6U);
}

Change raising(uint64_t hlc, uint8_t placement) {
  Change change = make_change(hlc, ChangeKind::kPlacement, 0);
  change.placement = placement;
  return change;
}

// Partitions that have two of three copies in one zone.
uint32_t crowded(const SetPlacement& placement) {
  uint32_t count = 0;
  for (uint32_t partition = 0; partition < placement.ring.partitions(); ++partition) {
    std::set<std::string> zones;
    for (const MemberIndex owner : placement.owners(0, partition)) {
      zones.insert(placement.members[owner].zone);
    }
    count += zones.size() < 3;
  }
  return count;
}

TEST_F(SetPlacementTest, AFoundingHasThePlacementThatItSays) {
  history_ = History(fixtures::make_unmended_founding(6, 64));
  EXPECT_EQ(now().ring.shape().placement, kPlacementUnmended);
  join(kNew, "m0");
  EXPECT_EQ(now().ring.shape().placement, kPlacementUnmended);
  history_ = History(make_founding(6, 64));
  EXPECT_EQ(now().ring.shape().placement, kPlacementMended);
}

// As many nodes in each zone, or one more.
TEST_F(SetPlacementTest, ARaisedPlacementPutsOneCopyIntoEachZone) {
  uint32_t crowded_before = 0;
  for (uint32_t members = 3; members <= 30; ++members) {
    Founding founding = fixtures::make_unmended_founding(members, 256);
    for (uint32_t at = 0; at < members; ++at) {
      founding.members[at].zone = "z" + std::to_string(at % 3);
    }
    history_ = History(founding);
    const SetPlacement before = now();
    crowded_before += crowded(before);
    history_.add(raising(next(), kPlacementMended));
    const SetPlacement after = now();
    EXPECT_EQ(after.ring.shape().placement, kPlacementMended);
    EXPECT_EQ(crowded(after), 0U) << members;
    uint32_t moved = 0, copies = 0;
    for (uint32_t partition = 0; partition < 256; ++partition) {
      moved += before.ring.owner(partition) != after.ring.owner(partition);
      const auto had = before.owners(0, partition);
      for (const MemberIndex owner : after.owners(0, partition)) {
        copies += std::find(had.begin(), had.end(), owner) == had.end();
      }
    }
    EXPECT_LE(moved, 256U / 20) << members;
    RecordProperty("copies_moved_of_768_with_" + std::to_string(members), copies);
  }
  EXPECT_GT(crowded_before, 0U);
}

TEST_F(SetPlacementTest, APlacementNeverGoesBackAndRaisedAgainDoesNothing) {
  begin(5);
  const SetPlacement before = now();
  history_.add(raising(next(), kPlacementMended));
  EXPECT_EQ(now().ring, before.ring);
  history_.add(raising(next(), kPlacementUnmended));  // which nobody can wish
  EXPECT_EQ(now().ring.shape().placement, kPlacementMended);
}

TEST(KnowingOwners, OutnumberTheAcknowledgingOnesAndHalf) {
  EXPECT_EQ(knowing_owners({1, 1, 1}), 1U);
  EXPECT_EQ(knowing_owners({3, 2, 2}), 2U);
  EXPECT_EQ(knowing_owners({3, 1, 3}), 3U);
  EXPECT_EQ(knowing_owners({3, 3, 1}), 3U);
  EXPECT_EQ(knowing_owners({3, 3, 3}), 2U);
  EXPECT_EQ(knowing_owners({4, 4, 4}), 3U);
  EXPECT_EQ(knowing_owners({5, 3, 3}), 3U);
}

TEST(SetPlacements, KeepsWhatItComputedAndStaysSmall) {
  History history(make_founding(3, 64));
  SetPlacements placements;
  std::shared_ptr<const SetPlacement> last;
  for (uint64_t hlc = 1; hlc < 100; ++hlc) {
    history.add(make_change(hlc, ChangeKind::kLeave, 12345));
    last = placements.of(history, history.newest());
    EXPECT_EQ(placements.of(history, history.newest()), last);
  }
  EXPECT_LE(placements.kept(), SetPlacements::kKeptMax);
  EXPECT_NE(placements.of(history, history.cluster_id()), last);
}

TEST(SetPlacements, AnotherFoundingMakesAllAnew) {
  History history(make_founding(3, 64));
  SetPlacements placements;
  EXPECT_EQ(placements.of(history, history.cluster_id())->members[0].weight, 1U);
  Founding heavy = make_founding(3, 64);
  heavy.members[0].weight = 5;
  History other(heavy);
  other.add(make_join(5, 100, "m0"));
  history.merge(other);
  EXPECT_EQ(placements.of(history, history.cluster_id())->members[0].weight, 5U);
}

RC_GTEST_PROP(SetPlacementProperty, IsTheSameFromAnyKeptBeginning, ()) {
  const auto seed = *rc::gen::arbitrary<uint64_t>();
  History history(make_founding(3, 4));
  HistoryDraw draw(seed, 1);
  SetPlacements all_along;
  for (size_t step = *rc::gen::inRange<size_t>(1, 20); step > 0; --step) {
    history.add(draw.change(history));
    if (draw.rng().chance(0.7)) all_along.of(history, history.newest());
  }
  SetPlacements at_once;
  const SetPlacement a = *all_along.of(history, history.newest());
  const SetPlacement b = *at_once.of(history, history.newest());
  RC_ASSERT(ring_owners(a) == ring_owners(b));
  RC_ASSERT(a.keyspaces == b.keyspaces);
  RC_ASSERT(a.members.size() == b.members.size());
  for (size_t at = 0; at < a.members.size(); ++at) {
    RC_ASSERT(a.members[at].id == b.members[at].id);
    RC_ASSERT(a.members[at].standing == b.members[at].standing);
  }
}

// Whoever is a member under some set is numbered under every larger one.
RC_GTEST_PROP(SetPlacementProperty, NobodyIsForgotten, ()) {
  const auto seed = *rc::gen::arbitrary<uint64_t>();
  History history(make_founding(3, 4));
  HistoryDraw draw(seed, 1);
  for (size_t step = *rc::gen::inRange<size_t>(1, 14); step > 0; --step) {
    history.add(draw.change(history));
  }
  History less(make_founding(3, 4));
  for (const auto& [id, change] : history.changes()) {
    if (draw.rng().chance(0.6)) less.add(change);
  }
  SetPlacements placements, others;
  const SetPlacement of_all = *placements.of(history, history.newest());
  for (const Member& member : others.of(less, less.newest())->members) {
    RC_ASSERT(of_all.find(member.id) != kNoMember);
  }
  RC_ASSERT(of_all.ring.placed_members() > 0);
}

}  // namespace
}  // namespace kvorum::cluster

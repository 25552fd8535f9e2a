// SPDX-License-Identifier: Apache-2.0
#include "cluster/history/history_view.h"

#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

#include "tests/cluster/random_history.h"

namespace kvorum::cluster {
namespace {

using fixtures::founder;
using fixtures::HistoryDraw;
using fixtures::make_change;
using fixtures::make_founding;
using fixtures::make_join;
using testing::ElementsAre;
using testing::IsEmpty;

ClusterView view_of(const History& history, const ClusterView* previous = nullptr,
                    NodeId self = 0) {
  SetPlacements placements;
  return cluster::view_of(history, placements, previous, self);
}

// What views have in common whose members have other indexes.
std::string described(const ClusterView& view) {
  std::map<std::string, std::string> lines;
  std::string text = std::to_string(view.newest_set) + " " + std::to_string(view.hash());
  const auto id = [&](MemberIndex index) { return std::to_string(view.members[index].id) + " "; };
  for (MemberIndex index = 0; index < view.members.size(); ++index) {
    const Member& member = view.members[index];
    lines[id(index)] = member.name + std::to_string(static_cast<int>(member.standing)) +
                       std::to_string(member.weight) + member.rack + member.peer.to_text();
  }
  for (const auto& [of, line] : lines) text += of + line;
  for (uint32_t partition = 0; partition < view.ring.partitions(); ++partition) {
    text += "\n" + std::to_string(view.signature(partition)) + ": ";
    for (uint8_t keyspace = 0; keyspace < 3; ++keyspace) {
      for (const MemberIndex index : view.owners(keyspace, partition)) text += id(index);
      for (const MemberIndex index : view.readers(keyspace, partition)) text += id(index);
      const SetsInPlay* const sets = view.sets_in_play(keyspace, partition);
      if (sets == nullptr) continue;
      for (const OwnerSet& set : sets->sets) {
        text += std::to_string(set.set) + "/" + std::to_string(set.n) + std::to_string(set.r) +
                std::to_string(set.w) + " ";
      }
    }
  }
  return text;
}

TEST(HistoryView, WithoutChangesIsThatOfTheFile) {
  const History history(make_founding(4));
  const ClusterView found = found_view(make_founding(4), "n2");
  const ClusterView view = view_of(history, nullptr, founder(history, 2));
  EXPECT_EQ(view.hash(), found.hash());
  EXPECT_EQ(view.self, found.self);
  EXPECT_EQ(view.ring, found.ring);
  EXPECT_EQ(view.newest_set, view.cluster_id);
  EXPECT_EQ(view.cluster_name, found.cluster_name);
  EXPECT_TRUE(view.follows(found));
  EXPECT_THAT(view.moving, IsEmpty());
  EXPECT_FALSE(view.is_changed());
}

class JoinedView : public testing::Test {
 protected:
  static constexpr NodeId kNew = 100;

  JoinedView() { history_.add(make_join(5, kNew, "a")); }

  // A partition that the newcomer owns in the place of somebody.
  const MovingPartition& moving(const ClusterView& view) const {
    for (const MovingPartition& moving : view.moving) {
      if (moving.sets(0).sets.back().has(view.find_id(kNew))) return moving;
    }
    ADD_FAILURE();
    return view.moving.front();
  }

  History history_{make_founding(4)};
  const ClusterView found_ = found_view(make_founding(4), "n2");
};

TEST_F(JoinedView, MembersKeepTheirIndexAndNewOnesComeBehindThem) {
  const ClusterView view = view_of(history_, &found_, kNew);
  EXPECT_TRUE(view_of(history_, &found_, founder(history_, 2)).follows(found_));
  EXPECT_EQ(view.members.size(), 5U);
  EXPECT_EQ(view.members[4].name, "a");
  EXPECT_EQ(view.self, 4);
  EXPECT_EQ(view_of(history_, &found_, 999).self, kNoMember);
  EXPECT_THAT(validate(view.ring, view.members), IsEmpty());
}

TEST_F(JoinedView, WhatTheNewcomerIsToOwnIsInPlayUnderBothSets) {
  const ClusterView view = view_of(history_, &found_);
  const MovingPartition& partition = moving(view);
  const SetsInPlay& sets = partition.sets(0);
  ASSERT_EQ(sets.sets.size(), 2U);
  EXPECT_EQ(sets.sets[0].set, history_.cluster_id());
  EXPECT_EQ(sets.sets[1].set, history_.newest());
  EXPECT_EQ(sets.readable_sets, 1U);
  EXPECT_EQ(sets.owners.size(), 4U);
  EXPECT_EQ(sets.readable.size(), 3U);
  EXPECT_EQ(sets.sets[0].n, 3);
  EXPECT_EQ(sets.sets[0].w, 2);
  EXPECT_NE(partition.signature, 0U);
  EXPECT_NE(partition.signature, view.newest_set);
  EXPECT_EQ(partition.classes->size(), 1U);
  const auto is_earlier = [](const MovingPartition& a, const MovingPartition& b) {
    return a.partition < b.partition;
  };
  EXPECT_TRUE(std::is_sorted(view.moving.begin(), view.moving.end(), is_earlier));
}

TEST_F(JoinedView, PartitionsWithTheSameOwnersDoNotMove) {
  const ClusterView view = view_of(history_, &found_);
  EXPECT_FALSE(view.moving.empty());
  EXPECT_LT(view.moving.size(), view.ring.partitions());
  for (uint32_t partition = 0; partition < view.ring.partitions(); ++partition) {
    const auto before = found_.primaries(0, partition), after = view.primaries(0, partition);
    const bool same = std::equal(before.begin(), before.end(), after.begin(), after.end());
    EXPECT_EQ(view.find_moving(partition) == nullptr, same) << partition;
  }
}

TEST_F(JoinedView, AVotedSetIsReadAndASettledOneAloneInPlay) {
  const ClusterView first = view_of(history_, &found_);
  const uint32_t partition = moving(first).partition;
  const std::vector<NodeId> old{founder(history_, 0), founder(history_, 1), founder(history_, 2),
                                founder(history_, 3)};
  history_.add(Fact::confirmed(partition, kNew, history_.newest(), {history_.cluster_id()}));
  NodeId voter = 0;
  for (const MemberIndex index : found_.primaries(0, partition)) {
    voter = found_.members[index].id;
  }
  history_.add(Fact::vote(partition, voter, history_.newest()));
  const ClusterView voted = view_of(history_, &first);
  ASSERT_NE(voted.find_moving(partition), nullptr);
  EXPECT_EQ(voted.sets_in_play(0, partition)->readable_sets, 2U);
  EXPECT_NE(voted.signature(partition), first.signature(partition));
  for (const NodeId node : old) {
    history_.add(Fact::vote(partition, node, history_.newest()));
  }
  const ClusterView replaced = view_of(history_, &voted);
  EXPECT_EQ(replaced.find_moving(partition), nullptr);
  history_.add(Fact::settled(partition, history_.newest()));
  EXPECT_EQ(view_of(history_, &replaced).signature(partition), history_.newest());
}

TEST_F(JoinedView, WhoWasRemovedIsStruckFromEverySet) {
  const NodeId removed = founder(history_, 1);
  history_.add(make_change(6, ChangeKind::kRemove, removed));
  const ClusterView view = view_of(history_, &found_);
  const MemberIndex index = view.find_id(removed);
  EXPECT_EQ(view.members[index].standing, Standing::kRemoved);
  bool was_owner = false;
  for (const MovingPartition& partition : view.moving) {
    const SetsInPlay& sets = partition.sets(0);
    EXPECT_EQ(std::count(sets.owners.begin(), sets.owners.end(), index), 0);
    if (sets.sets[0].owners.size() == sets.sets[0].n) continue;
    was_owner = true;
    EXPECT_EQ(sets.sets[0].n, 3);
    EXPECT_EQ(sets.sets[0].owners.size(), 2U);
  }
  EXPECT_TRUE(was_owner);
}

TEST_F(JoinedView, WhoLeftIsGoneOnceItSaysSo) {
  history_.add(make_change(6, ChangeKind::kLeave, founder(history_, 1)));
  const ClusterView leaving = view_of(history_, &found_);
  const MemberIndex index = leaving.find_id(founder(history_, 1));
  EXPECT_EQ(leaving.members[index].standing, Standing::kLeaving);
  history_.add(Fact::gone(founder(history_, 1)));
  EXPECT_EQ(view_of(history_, &leaving).members[index].standing, Standing::kGone);
  history_.add(Fact::gone(founder(history_, 0)));  // a member: it means nothing
  EXPECT_EQ(view_of(history_, &leaving).members[0].standing, Standing::kMember);
}

TEST_F(JoinedView, TheSameNameMayComeAgain) {
  history_.add(make_change(6, ChangeKind::kRemove, kNew));
  history_.add(make_join(7, 101, "a"));
  const ClusterView view = view_of(history_, &found_);
  EXPECT_EQ(view.members.size(), 6U);
  EXPECT_EQ(view.members[view.find_id(101)].standing, Standing::kMember);
  EXPECT_EQ(view.members[view.find_id(kNew)].standing, Standing::kRemoved);
}

TEST_F(JoinedView, KeyspacesWithOtherNumbersHaveAClassOfTheirOwn) {
  Change policy = make_change(6, ChangeKind::kPolicy, 0);
  policy.policy = found_.keyspaces[2];
  policy.policy.n = 4;
  history_.add(policy);
  const ClusterView view = view_of(history_, &found_);
  EXPECT_EQ(view.moving.size(), view.ring.partitions());  // of the third keyspace all move
  const MovingPartition& partition = view.moving.front();
  EXPECT_EQ(partition.classes->size(), 2U);
  EXPECT_EQ(partition.class_of[0], 0);
  EXPECT_EQ(partition.class_of[2], 1);
  EXPECT_EQ(partition.sets(2).sets.back().n, 4);
  EXPECT_EQ(partition.sets(1).sets.back().n, 3);
}

RC_GTEST_PROP(HistoryViewProperty, IsTheSameInWhateverOrderThingsAreLearned, ()) {
  const auto seed = *rc::gen::arbitrary<uint64_t>();
  History a(make_founding(4, 4));
  HistoryDraw(seed, 1).grow(a, *rc::gen::inRange<size_t>(0, 15));
  History b = a;
  HistoryDraw(seed + 1, 2).grow(a, *rc::gen::inRange<size_t>(0, 15));
  HistoryDraw(seed + 2, 3).grow(b, *rc::gen::inRange<size_t>(0, 15));
  SetPlacements placements_a, placements_b;
  const NodeId self = founder(a, 1);
  const ClusterView before_a = cluster::view_of(a, placements_a, nullptr, self);
  const ClusterView before_b = cluster::view_of(b, placements_b, nullptr, 100);
  History both_a = a, both_b = b;
  both_a.merge(b);
  both_b.merge(a);
  const ClusterView view_a = cluster::view_of(both_a, placements_a, &before_a, self);
  const ClusterView view_b = cluster::view_of(both_b, placements_b, &before_b, 100);
  RC_ASSERT(view_a.follows(before_a));
  RC_ASSERT(view_b.follows(before_b) || !before_b.is_member());
  RC_ASSERT(described(view_a) == described(view_b));
  RC_ASSERT(described(view_a) == described(view_of(both_a)));
  RC_ASSERT(view_a.hash() == view_b.hash());
}

// What is known by the partition decides, whether the views between are built on or not.
RC_GTEST_PROP(HistoryViewProperty, IsTheSameStepByStepAsAtOnce, ()) {
  const auto seed = *rc::gen::arbitrary<uint64_t>();
  History history(make_founding(4, 4));
  HistoryDraw(seed, 1).grow(history, *rc::gen::inRange<size_t>(0, 10));
  SetPlacements placements;
  ClusterView view = cluster::view_of(history, placements, nullptr, 0);
  for (uint64_t step = 2; step < 12; ++step) {
    const History earlier = history;
    HistoryDraw(seed + step, static_cast<NodeId>(step)).grow(history, 3);
    const ClusterView before = std::move(view);
    view = cluster::view_of(history, placements, {&before, &earlier}, 0);
    RC_ASSERT(described(view) == described(view_of(history)));
    const auto changed = changed_partitions(before, view);
    for (uint32_t partition = 0; changed && partition < view.ring.partitions(); ++partition) {
      if (std::binary_search(changed->begin(), changed->end(), partition)) continue;
      for (uint8_t keyspace = 0; keyspace < kKeyspacesMax; ++keyspace) {
        const auto owned = before.owners(keyspace, partition);
        const auto owns = view.owners(keyspace, partition);
        RC_ASSERT(std::equal(owned.begin(), owned.end(), owns.begin(), owns.end()));
      }
    }
  }
}

// A partition always has somebody to write to, and all that is read is written.
RC_GTEST_PROP(HistoryViewProperty, EveryPartitionHasOwners, ()) {
  const auto seed = *rc::gen::arbitrary<uint64_t>();
  History history(make_founding(4, 4));
  HistoryDraw(seed, 1).grow(history, *rc::gen::inRange<size_t>(0, 40));
  const ClusterView view = view_of(history);
  for (uint32_t partition = 0; partition < view.ring.partitions(); ++partition) {
    const auto owners = view.owners(0, partition);
    RC_ASSERT(!owners.empty());
    for (const MemberIndex reader : view.readers(0, partition)) {
      RC_ASSERT(std::find(owners.begin(), owners.end(), reader) != owners.end());
    }
    for (const MemberIndex owner : owners) {
      RC_ASSERT(view.members[owner].standing != Standing::kRemoved);
      RC_ASSERT(view.members[owner].standing != Standing::kGone);
    }
    RC_ASSERT(view.signature(partition) != 0U);
  }
}

}  // namespace
}  // namespace kvorum::cluster

// SPDX-License-Identifier: Apache-2.0
// What a node makes of a partition that moves: who coordinates, who is read, whose claims count.
#include "cluster/machine/core.h"

#include <gmock/gmock.h>

#include "tests/cluster/lone_core.h"
#include "tests/cluster/moving_view.h"

namespace kvorum::cluster::fixtures {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::IsEmpty;

class MovingCore : public ::testing::Test {
 protected:
  void move(const std::vector<OwnerSet>& sets, size_t readable) {
    lone.publish([&](ClusterView& view) { move_partition(view, partition, sets, readable); });
  }

  LoneCore lone{{.members = 6}};
  const Core& core = lone.core;
  KeyRef key = lone.ref("k");
  uint32_t partition = lone.core.partition_for(key);
};

TEST_F(MovingCore, WithOneSetInPlayThePrimariesAreAll) {
  const auto primaries = core.primaries(key);
  EXPECT_THAT(core.coordinators(key), ElementsAreArray(primaries));
  EXPECT_THAT(core.readers(key), ElementsAreArray(primaries));
  EXPECT_EQ(core.sets_in_play(key), nullptr);
  EXPECT_EQ(core.signature(key), core.view->newest_set);
  EXPECT_EQ(core.coordinating_quorum(key), (EffectiveQuorum{3, 2, 2}));
  EXPECT_EQ(core.claim_quorum(key), 2u);
}

TEST_F(MovingCore, TheOldestCoordinatesTheVotedAreReadAndAllOwn) {
  move({owner_set(11, {0, 1, 2}), owner_set(12, {1, 2, 3}), owner_set(13, {3, 4})}, 2);
  EXPECT_THAT(core.coordinators(key), ElementsAre(0, 1, 2));
  EXPECT_THAT(core.readers(key), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(core.view->owners(0, partition), ElementsAre(0, 1, 2, 3, 4));
  for (MemberIndex member = 0; member < 6; ++member) {
    EXPECT_EQ(core.coordinates(member, key), member < 3);
    EXPECT_EQ(core.is_reader(member, key), member < 4);
    EXPECT_EQ(core.is_owner(member, key), member < 5);
  }
}

TEST_F(MovingCore, TheSignatureIsOfThePartition) {
  const KeyRef other = lone.ref("other");
  ASSERT_NE(core.partition_for(other), partition);
  move({owner_set(11, {0, 1, 2}), owner_set(12, {1, 2, 3})}, 1);
  const uint64_t unvoted = core.signature(key);
  EXPECT_EQ(core.signature(other), 12u);
  EXPECT_NE(unvoted, 12u);
  EXPECT_EQ(core.sets_in_play(other), nullptr);
  move({owner_set(11, {0, 1, 2}), owner_set(12, {1, 2, 3})}, 2);
  EXPECT_NE(core.signature(key), unvoted);
  EXPECT_EQ(core.signature(other), 12u);
}

TEST_F(MovingCore, PartitionsThatMoveAreFoundAmongMany) {
  for (const uint32_t moving : {9u, 2u, 14u}) {
    lone.publish([&](ClusterView& view) {
      move_partition(view, moving, {owner_set(moving, {1}), owner_set(100, {2})}, 1);
    });
  }
  for (uint32_t each = 0; each < LoneCore::kPartitions; ++each) {
    const SetsInPlay* const sets = core.view->sets_in_play(0, each);
    const bool moves = each == 9 || each == 2 || each == 14;
    ASSERT_EQ(sets != nullptr, moves) << each;
    if (moves) {
      EXPECT_EQ(sets->sets[0].set, each);
    }
  }
}

TEST_F(MovingCore, ClaimsAreOfTheOldestSet) {
  const auto quorum = [&](const OwnerSet& oldest) {
    move({oldest, owner_set(12, {1, 2, 3})}, 1);
    return core.claim_quorum(key);
  };
  EXPECT_EQ(quorum(owner_set(11, {0, 1, 2})), 2u);
  EXPECT_EQ(quorum(owner_set(11, {0, 1, 2, 3, 4}, 3, 3)), 3u);
  EXPECT_EQ(quorum(owner_set(11, {0, 1})), 2u) << "one of three was struck";
  EXPECT_EQ(quorum(owner_set(11, {0})), 0u) << "nobody else is asked";
  EXPECT_EQ(quorum(owner_set(11, {})), 0u);
  EXPECT_EQ(quorum(owner_set(11, {0, 1, 2}, 1, 2)), 0u) << "its quorums do not overlap";
}

TEST_F(MovingCore, NobodyCoordinatesWhereAllWereStruck) {
  move({owner_set(11, {}), owner_set(12, {1, 2})}, 1);
  EXPECT_THAT(core.coordinators(key), IsEmpty());
  EXPECT_THAT(core.readers(key), IsEmpty());
  EXPECT_EQ(core.coordinating_quorum(key), (EffectiveQuorum{0, 0, 0}));
}

TEST(MovingLoneCore, TheOnlyCopyIsNoneWhileThePartitionMoves) {
  LoneCore lone({.members = 1, .n = 1});
  const KeyRef key = lone.ref("k");
  EXPECT_TRUE(lone.core.has_only_copy(key));
  lone.publish([&](ClusterView& view) {
    Member joined = view.members[0];
    ++joined.id;
    view.members.push_back(joined);
    move_partition(view, view.ring.partition_of(key.position),
                   {owner_set(11, {0}), owner_set(12, {1})}, 1);
  });
  EXPECT_FALSE(lone.core.has_only_copy(key));
}

TEST(DepartedNode, TakesNoPart) {
  LoneCore lone;
  EXPECT_TRUE(lone.view->takes_part());
  const auto stands = [&](Standing standing) {
    lone.publish([&](ClusterView& view) { view.members[0].standing = standing; });
    return lone.core.view->takes_part();
  };
  EXPECT_TRUE(stands(Standing::kLeaving)) << "it still holds something";
  EXPECT_FALSE(stands(Standing::kGone));
  EXPECT_FALSE(stands(Standing::kRemoved));
  EXPECT_FALSE(LoneCore({.is_member = false}).view->takes_part());
}

}  // namespace
}  // namespace kvorum::cluster::fixtures

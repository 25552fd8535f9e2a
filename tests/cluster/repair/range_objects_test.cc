// SPDX-License-Identifier: Apache-2.0
// Which partitions two members compare while the ring changes, and what this node knows of each.
// The objects of stretches stand in exchange_asker_range_test.cc and exchange_server_range_test.cc.
#include "cluster/repair/range_objects.h"

#include <gmock/gmock.h>

#include "tests/cluster/lone_history.h"

namespace kvorum::cluster::fixtures {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr MemberIndex kLeaver = 1, kPeer = 2;

struct RangeObjectsTest : ::testing::Test {
  std::vector<uint32_t> moving(MemberIndex peer, uint8_t keyspace = 0) {
    return moving_partitions(lone.core, keyspace, peer);
  }
  std::vector<uint32_t> shared(MemberIndex peer) { return shared_partitions(lone.core, 0, peer); }

  LoneHistory lone;
  const uint32_t foreign = lone.partition_of_self(false), own = lone.partition_of_self(true);
};

TEST_F(RangeObjectsTest, NothingMovesWhereTheRingNeverChanged) {
  lone.put(lone.key_in(foreign), lone.object_of(1, 1, "v"));
  EXPECT_THAT(moving(kPeer), IsEmpty());
}

TEST_F(RangeObjectsTest, WhatIsHeldAndOwnedNoMoreIsHandedOver) {
  lone.touch();
  EXPECT_THAT(moving(kPeer), IsEmpty());
  lone.put(lone.key_in(foreign), lone.object_of(1, 1, "v"), 3);
  for (const MemberIndex owner : {kLeaver, kPeer}) {
    EXPECT_THAT(moving(owner, 3), ElementsAre(foreign));
    EXPECT_THAT(moving(owner, 0), IsEmpty()) << "of a keyspace without objects";
  }
  lone.put(lone.key_in(own), lone.object_of(1, 1, "v"), 3);
  EXPECT_THAT(moving(kPeer, 3), ElementsAre(foreign)) << "what is owned is compared as ever";
}

TEST(RangeObjectsOfOwners, WhoOwnsNothingIsHandedNothing) {
  LoneHistory lone({.members = 5, .n = 2});
  lone.touch();
  for (uint32_t partition = 0; partition < LoneCore::kPartitions; ++partition) {
    lone.put(lone.key_in(partition), lone.object_of(1, 1, "v"));
  }
  const std::vector<uint32_t> to_peer = moving_partitions(lone.core, 0, kPeer);
  size_t handed = 0;
  for (uint32_t partition = 0; partition < LoneCore::kPartitions; ++partition) {
    const bool hands_over = !lone.view->is_owner(0, 0, partition);
    const bool to = hands_over && lone.view->is_owner(kPeer, 0, partition);
    EXPECT_EQ(std::count(to_peer.begin(), to_peer.end(), partition), to) << partition;
    handed += to;
  }
  EXPECT_GT(handed, 0u);
  EXPECT_LT(handed, LoneCore::kPartitions);
}

TEST_F(RangeObjectsTest, WhatMovesIsComparedOneByOne) {
  EXPECT_THAT(shared(kPeer), Contains(own));
  lone.leave(kLeaver);
  ASSERT_NE(lone.view->find_moving(foreign), nullptr);
  for (const MemberIndex owner : {kLeaver, kPeer}) {
    EXPECT_THAT(moving(owner), Contains(foreign)) << "old owners and new ones";
    EXPECT_THAT(shared(owner), Not(Contains(foreign)));
  }
  for (const uint32_t partition : shared(kPeer)) {
    EXPECT_EQ(lone.view->find_moving(partition), nullptr);
    EXPECT_THAT(moving(kPeer), Not(Contains(partition)));
  }
  lone.learn({Fact::settled(foreign, lone.newest())});
  EXPECT_THAT(moving(kPeer), Not(Contains(foreign)));
  EXPECT_THAT(shared(kPeer), Contains(foreign));
  EXPECT_THAT(moving(kLeaver), Not(Contains(foreign))) << "it owns it no more";
}

// ---- fences

TEST_F(RangeObjectsTest, NothingIsFencedWhereTheRingNeverChanged) {
  lone.whole.set(0, own, false);
  EXPECT_EQ(fence_of(lone.core, 0, own), RootFence{});
}

TEST_F(RangeObjectsTest, AFenceSaysWhatIsKnownAndWhetherTheCopyIsWhole) {
  lone.leave(kLeaver);
  lone.whole.set(2, own, false);
  const uint64_t signature = lone.view->signature(own);
  EXPECT_EQ(fence_of(lone.core, 0, own), (RootFence{signature, true}));
  EXPECT_EQ(fence_of(lone.core, 2, own), (RootFence{signature, false}));
  EXPECT_EQ(fence_of(lone.core, 0, foreign).whole, false) << "a new copy is not";
  lone.learn({Fact::settled(own, lone.newest())});
  EXPECT_EQ(fence_of(lone.core, 0, own).signature, lone.newest());
  EXPECT_NE(signature, lone.newest());
}

// Another reactor of this node may still take a write that no new owner hears of.
TEST_F(RangeObjectsTest, AFenceIsZeroUntilAllReactorsKnow) {
  lone.touch();
  lone.shared.add(make_change(9, ChangeKind::kLeave, lone.founder(kLeaver)));
  lone.view = lone.shared.view();
  lone.core.publish(lone.view, lone.now);
  EXPECT_EQ(fence_of(lone.core, 0, own).signature, 0u);
  lone.shared.adopt(0, lone.view->generation);
  EXPECT_EQ(fence_of(lone.core, 0, own).signature, lone.view->signature(own));
}

TEST_F(RangeObjectsTest, DigestsDifferWhereWhatIsKnownDoes) {
  const std::vector<uint32_t> both = {foreign, own};
  const uint64_t founded = roots_digest(lone.core, 0, both);
  lone.touch();
  const uint64_t touched = roots_digest(lone.core, 0, both);
  lone.touch();
  const uint64_t again = roots_digest(lone.core, 0, both);
  EXPECT_NE(founded, touched);
  EXPECT_NE(touched, again);
  EXPECT_EQ(again, roots_digest(lone.core, 0, both));
}

}  // namespace
}  // namespace kvorum::cluster::fixtures

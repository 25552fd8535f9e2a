// SPDX-License-Identifier: Apache-2.0
#include "server/peers/link_board.h"

#include <gtest/gtest.h>

namespace kvorum::server {
namespace {

TEST(LinkBoard, APeerIsLinkedWhenAllReactorsHaveALinkToIt) {
  LinkBoard board(2, 256);
  EXPECT_FALSE(board.all_linked(1));
  board.note_link(1, true);
  EXPECT_FALSE(board.all_linked(1));
  board.note_link(2, true);
  board.note_link(1, true);
  EXPECT_TRUE(board.all_linked(1));
  EXPECT_FALSE(board.all_linked(2));
  board.note_link(1, false);
  EXPECT_FALSE(board.all_linked(1));
}

TEST(LinkPlan, EveryReactorDialsEachPeerWhileThatIsWithinTheBound) {
  const LinkPlan plan{8, 256};
  EXPECT_EQ(plan.dialers(0), 8u);
  EXPECT_EQ(plan.dialers(4), 8u);
  EXPECT_EQ(plan.dialers(32), 8u);
  for (cluster::MemberIndex member = 0; member < 32; ++member) {
    for (uint32_t reactor = 0; reactor < 8; ++reactor) {
      EXPECT_EQ(plan.carrier(member, reactor, 8), reactor);
    }
  }
}

TEST(LinkPlan, BeyondItThereAreAsManyLinksAsTheBoundOrThePeers) {
  const LinkPlan plan{8, 256};
  for (size_t peers = 1; peers < 1024; ++peers) {
    const uint32_t dialers = plan.dialers(peers);
    EXPECT_GE(dialers, 1u);
    EXPECT_LE(dialers * peers, std::max<size_t>(256, peers)) << peers;
    const bool could_be_more = dialers < 8 && (dialers + 1) * peers <= 256;
    EXPECT_FALSE(could_be_more) << peers;
  }
}

TEST(LinkPlan, ACarrierDialsAndCarriesNoMoreThanOthers) {
  const LinkPlan plan{8, 1};
  for (uint32_t dialers = 1; dialers <= 8; ++dialers) {
    std::vector<size_t> links(8);
    for (cluster::MemberIndex member = 0; member < 64; ++member) {
      std::vector<size_t> carried(8);
      for (uint32_t reactor = 0; reactor < 8; ++reactor) {
        const uint32_t carrier = plan.carrier(member, reactor, dialers);
        EXPECT_EQ(plan.carrier(member, carrier, dialers), carrier);
        ++carried[carrier];
      }
      size_t carriers = 0;
      for (uint32_t reactor = 0; reactor < 8; ++reactor) {
        carriers += carried[reactor] != 0;
        links[reactor] += carried[reactor] != 0;
        EXPECT_LE(carried[reactor], (8 + dialers - 1) / dialers);
      }
      EXPECT_EQ(carriers, dialers);
    }
    EXPECT_EQ(links, std::vector<size_t>(8, 64 * dialers / 8)) << dialers;
  }
}

// So that links stay when there are more dialers, or fewer.
TEST(LinkPlan, WithMoreDialersTheOnesBeforeDialStill) {
  const LinkPlan plan{5, 1};
  for (uint32_t dialers = 1; dialers < 5; ++dialers) {
    for (uint32_t reactor = 0; reactor < 5; ++reactor) {
      if (plan.carrier(3, reactor, dialers) != reactor) continue;
      EXPECT_EQ(plan.carrier(3, reactor, dialers + 1), reactor);
    }
  }
}

}  // namespace
}  // namespace kvorum::server

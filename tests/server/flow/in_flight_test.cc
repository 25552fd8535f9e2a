// SPDX-License-Identifier: Apache-2.0
#include "server/flow/in_flight.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

namespace kvorum::server {
namespace {

constexpr uint64_t kMegabyte = 1 << 20;

TEST(InFlight, AHolderGivesBackWhatItHeld) {
  InFlight node(256 * kMegabyte);
  InFlightShare share(node);
  {
    HeldBytes held(share, HeldFor::kReplies);
    held.set(1000);
    held.set(400);
    EXPECT_EQ(held.bytes(), 400u);
    EXPECT_EQ(share.used(), 400u);
    EXPECT_EQ(node.used(), 0u) << "told at the end of the turn";
    share.tell();
    EXPECT_EQ(node.used(), 400u);
    EXPECT_EQ(node.used(HeldFor::kReplies), 400u);
    EXPECT_EQ(node.used(HeldFor::kRequests), 0u);
  }
  share.tell();
  EXPECT_EQ(node.used(), 0u);
}

TEST(InFlight, LargeChangesAreToldAtOnceAndSeenByOtherReactors) {
  InFlight node(256 * kMegabyte);
  InFlightShare one(node), other(node);
  HeldBytes held(one, HeldFor::kOperations);
  held.set(100 * kMegabyte);
  EXPECT_EQ(other.used(), 100 * kMegabyte);
}

TEST(InFlight, AReactorThatGivesBackFirstDoesNotMakeTheSumNegative) {
  InFlight node(256 * kMegabyte);
  InFlightShare one(node), other(node);
  one.change(HeldFor::kReplies, 1000);
  other.change(HeldFor::kReplies, -1000);
  other.tell();
  EXPECT_EQ(node.used(), 0u);
  EXPECT_EQ(node.used(HeldFor::kReplies), 0u);
}

TEST(InFlight, APartIsASixteenthAndShrinksToTheFloor) {
  InFlight node(256 * kMegabyte);
  InFlightShare share(node);
  EXPECT_EQ(share.part(), 16 * kMegabyte);
  HeldBytes held(share, HeldFor::kReplies);
  held.set(250 * kMegabyte);
  EXPECT_EQ(share.part(), 6 * kMegabyte);
  held.set(256 * kMegabyte);
  EXPECT_EQ(share.part(), InFlightShare::kFloorBytes);
  held.set(2560 * kMegabyte);
  EXPECT_EQ(share.part(), InFlightShare::kFloorBytes);
}

TEST(InFlight, GreedyHoldersShareTheLimitAndLeaveRoomForAnother) {
  InFlight node(256 * kMegabyte);
  InFlightShare share(node);
  std::vector<std::unique_ptr<HeldBytes>> clients;
  for (int i = 0; i < 50; ++i) {
    clients.push_back(std::make_unique<HeldBytes>(share, HeldFor::kReplies));
  }
  bool grew = true;
  while (grew) {
    grew = false;
    for (const auto& client : clients) {
      if (client->bytes() > share.part()) continue;
      client->set(client->bytes() + 100'000);
      grew = true;
    }
  }
  EXPECT_LE(share.used(), share.limit());
  EXPECT_GE(share.part(), 4 * kMegabyte) << "for whoever comes now";
  for (const auto& client : clients) {
    EXPECT_LE(client->bytes(), 256 * kMegabyte / 50);
    EXPECT_GE(client->bytes(), 4 * kMegabyte);
  }
}

}  // namespace
}  // namespace kvorum::server

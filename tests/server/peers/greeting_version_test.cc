// SPDX-License-Identifier: Apache-2.0
// Releases that speak different versions of the peer protocol (server/peers/greeting.h).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/bytes.h"
#include "cluster/wire/frame.h"
#include "server/peers/greeting.h"
#include "tests/server/peers/greetings.h"

namespace kvorum::server {
namespace {

using cluster::Frame;
using testing::HasSubstr;

Node speaking(std::string_view name, SpokenVersions versions, uint16_t proposes = 0) {
  Node node(name, {"swordfish"}, "demo-cluster");
  node.identity.versions = versions;
  node.proposes = proposes;
  return node;
}

TEST(GreetingVersionTest, TheSameReleaseSpeaksItsNewest) {
  const Node a = speaking("a", {}), b = speaking("b", {});
  Greeting greeting(b, a);
  greeting.run();
  ASSERT_EQ(greeting.dialed, GreetingStep::kLinked) << greeting.dialer.trouble();
  ASSERT_EQ(greeting.accepted, GreetingStep::kLinked);
  EXPECT_EQ(greeting.dialer.version(), cluster::kProtocolVersion);
  EXPECT_EQ(greeting.dialer.peer().newest, cluster::kProtocolVersion);
  EXPECT_EQ(greeting.acceptor.peer().newest, cluster::kProtocolVersion);
}

TEST(GreetingVersionTest, AnOlderDialerIsSpokenToInItsVersion) {
  const Node a = speaking("a", {11, 12}), b = speaking("b", {11, 11});
  Greeting greeting(b, a);
  greeting.run();
  EXPECT_EQ(greeting.dialed, GreetingStep::kLinked) << greeting.dialer.trouble();
  EXPECT_EQ(greeting.accepted, GreetingStep::kLinked) << greeting.acceptor.trouble();
  EXPECT_EQ(greeting.dialer.version(), 11);
  EXPECT_EQ(greeting.acceptor.peer().node_name, "b");
}

TEST(GreetingVersionTest, ADialerComesAgainInTheVersionOfAnOlderPeer) {
  const Node a = speaking("a", {11, 11}), b = speaking("b", {11, 12});
  Greeting first(b, a);
  first.run();
  EXPECT_EQ(first.dialed, GreetingStep::kFailed);
  EXPECT_EQ(first.accepted, GreetingStep::kFailed);
  ASSERT_EQ(first.dialer.older_version(), 11);

  const Node lower = speaking("b", {11, 12}, first.dialer.older_version());
  Greeting again(lower, a);
  again.run();
  EXPECT_EQ(again.dialed, GreetingStep::kLinked) << again.dialer.trouble();
  EXPECT_EQ(again.accepted, GreetingStep::kLinked) << again.acceptor.trouble();
  EXPECT_EQ(again.dialer.peer().node_name, "a");
  EXPECT_EQ(again.dialer.peer().newest, 0);  // version 11 does not tell
}

TEST(GreetingVersionTest, ReleasesThatShareNoVersionNameBothSidesAndNothingElse) {
  const Node a = speaking("a", {11, 12}), b = speaking("b", {9, 10});
  Greeting greeting(b, a);
  greeting.run();
  EXPECT_EQ(greeting.accepted, GreetingStep::kFailed);
  EXPECT_EQ(greeting.acceptor.trouble(),
            "it speaks version 10 of the peer protocol, this node speaks 11 to 12: upgrade the "
            "older binary");
  EXPECT_EQ(greeting.dialed, GreetingStep::kFailed);
  EXPECT_EQ(greeting.dialer.older_version(), 0);
  EXPECT_THAT(greeting.dialer.trouble(), HasSubstr("it speaks version 12"));
  expect_nothing_told(greeting.wire(), a);
  // What an older binary understands of it: magic, version, a sentence.
  ByteReader reader(only_frame(greeting.welcome).payload);
  EXPECT_EQ(reader.u32(), kGreetingMagic);
  EXPECT_EQ(reader.u16(), 12);
  EXPECT_EQ(reader.bytes(),
            "version 11 to 12 of the peer protocol is spoken here, yours is 10: upgrade the older "
            "binary");

  Greeting newer(a, b, "b");
  newer.run();
  EXPECT_EQ(newer.dialer.older_version(), 0);  // 10 is too old to come again with
  EXPECT_THAT(newer.dialer.trouble(), HasSubstr("it speaks version 10"));
}

// Whoever sits in between can make the dialer believe that the peer is older, and that is all.
TEST(GreetingVersionTest, NobodyInBetweenLowersTheVersion) {
  const Node a = speaking("a", {11, 13}), b = speaking("b", {11, 13}, 12);
  Greeting lowered(b, a);
  lowered.run();
  EXPECT_EQ(lowered.accepted, GreetingStep::kFailed);
  EXPECT_THAT(lowered.acceptor.trouble(), HasSubstr("newer version"));
  // The peer is that old.
  const Node older = speaking("a", {11, 12});
  Greeting honest(b, older);
  honest.run();
  EXPECT_EQ(honest.dialed, GreetingStep::kLinked) << honest.dialer.trouble();
  EXPECT_EQ(honest.accepted, GreetingStep::kLinked);
}

// ---- placements of the founding

Node founded(std::string_view name, FoundedPlacement placement, SpokenVersions versions = {}) {
  Node node = speaking(name, versions);
  node.found(placement.version, placement.is_firm);
  return node;
}

TEST(GreetingPlacementTest, TheSameOneIsToldAndLinked) {
  const Node a = founded("a", {2, true}), b = founded("b", {2, false});
  Greeting greeting(b, a);
  greeting.run();
  EXPECT_EQ(greeting.dialed, GreetingStep::kLinked) << greeting.dialer.trouble();
  EXPECT_EQ(greeting.accepted, GreetingStep::kLinked) << greeting.acceptor.trouble();
  EXPECT_EQ(greeting.dialer.peer().founded, (FoundedPlacement{2, true}));
  EXPECT_EQ(greeting.acceptor.peer().founded, (FoundedPlacement{2, false}));
}

TEST(GreetingPlacementTest, ADialerYieldsToAnOlderFounding) {
  const Node a = founded("a", {1, true}), b = founded("b", {2, false});
  Greeting greeting(b, a);
  greeting.run();
  EXPECT_EQ(greeting.dialed, GreetingStep::kFailed);
  EXPECT_EQ(greeting.accepted, GreetingStep::kFailed);
  EXPECT_EQ(greeting.dialer.founded_as(), (FoundedPlacement{1, true}));
  EXPECT_EQ(greeting.acceptor.founded_as().version, 0);
  EXPECT_EQ(greeting.dialer.trouble(),
            "its cluster was founded with placement 1, this node has 2: this node begins anew with "
            "that one");
}

TEST(GreetingPlacementTest, AnAcceptorYieldsAndSaysSo) {
  const Node a = founded("a", {2, false}), b = founded("b", {1, false});
  Greeting greeting(b, a);
  greeting.run();
  EXPECT_EQ(greeting.accepted, GreetingStep::kFailed);
  EXPECT_EQ(greeting.acceptor.founded_as(), (FoundedPlacement{1, false}));
  EXPECT_EQ(greeting.dialer.founded_as().version, 0);
  EXPECT_THAT(greeting.dialer.trouble(), HasSubstr("node a begins anew with placement 1"));
}

TEST(GreetingPlacementTest, TwoFirmOnesNameBothValues) {
  const Node a = founded("a", {2, true}), b = founded("b", {1, true});
  Greeting greeting(b, a);
  greeting.run();
  EXPECT_EQ(greeting.dialed, GreetingStep::kFailed);
  EXPECT_EQ(greeting.dialer.founded_as().version, 0);
  EXPECT_EQ(greeting.acceptor.founded_as().version, 0);
  EXPECT_EQ(greeting.dialer.trouble(),
            "it refused this node: the cluster of node a was founded with placement 2, that of "
            "node b with 1: start the one that holds nothing with an empty data directory");
}

// An older release has the first placement, whatever it says.
TEST(GreetingPlacementTest, WhatIsNotFirmYieldsToAnOlderReleaseOnEitherSide) {
  const Node older = founded("a", {1, false}, {11, 12});
  Node newer = founded("b", {2, false});
  newer.proposes = 12;
  Greeting dialing(newer, older);
  dialing.run();
  EXPECT_EQ(dialing.dialed, GreetingStep::kFailed);
  EXPECT_EQ(dialing.dialer.founded_as(), (FoundedPlacement{1, false}));
  Greeting accepting(older, newer, "b");
  accepting.run();
  EXPECT_EQ(accepting.accepted, GreetingStep::kFailed);
  EXPECT_EQ(accepting.acceptor.founded_as(), (FoundedPlacement{1, false}));
}

TEST(GreetingPlacementTest, AFirstPlacementIsSharedWithAnOlderRelease) {
  const Node older = founded("b", {1, false}, {11, 12});
  const Node newer = founded("a", {1, true});
  Greeting greeting(older, newer);
  greeting.run();
  EXPECT_EQ(greeting.dialed, GreetingStep::kLinked) << greeting.dialer.trouble();
  EXPECT_EQ(greeting.accepted, GreetingStep::kLinked) << greeting.acceptor.trouble();
  EXPECT_EQ(greeting.acceptor.version(), 12);
}

TEST(GreetingPlacementTest, AFirmSecondOneIsSpokenOfByItsVersionAlone) {
  const Node older = founded("b", {1, false}, {11, 12});
  const Node newer = founded("a", {2, true});
  EXPECT_EQ(oldest_spoken(newer.identity, newer.view), 13);
  Greeting greeting(older, newer);
  greeting.run();
  EXPECT_EQ(greeting.accepted, GreetingStep::kFailed);
  const std::string newest = std::to_string(cluster::kProtocolVersion);
  EXPECT_EQ(greeting.acceptor.trouble(),
            "it speaks version 12 of the peer protocol, this node speaks 13 to " + newest +
                ": upgrade the older binary");
  EXPECT_EQ(greeting.dialer.trouble(), "it speaks version " + newest +
                                           " of the peer protocol, this node speaks 11 to 12: "
                                           "upgrade the older binary");
}

TEST(GreetingPlacementTest, AChangedHistoryMakesItFirm) {
  Node node = founded("a", {2, false});
  EXPECT_EQ(oldest_spoken(node.identity, node.view), 11);
  node.view.newest_set = 5;
  EXPECT_EQ(oldest_spoken(node.identity, node.view), 13);
}

// Admitted, it could not read the history.
TEST(GreetingPlacementTest, AnOlderReleaseDoesNotWaitAtASecondOneThatIsNotFirm) {
  const Node a = founded("a", {2, false});
  Node f = founded("b", {0, false}, {11, 12});
  f.wait_as("f", 77);
  Greeting greeting(f, a);
  greeting.run();
  EXPECT_FALSE(greeting.acceptor.waits());
  EXPECT_EQ(
      greeting.dialer.trouble(),
      "it refused this node: node f speaks version 12 of the peer protocol, and a cluster with "
      "placement 2 needs 13: upgrade the older binary");
}

TEST(GreetingPlacementTest, AWaitingNodeIsNotAskedForIt) {
  const Node a = founded("a", {2, true});
  Node f = founded("b", {1, true});
  f.wait_as("f", 77);
  Greeting greeting(f, a);
  greeting.run();
  EXPECT_TRUE(greeting.acceptor.waits());
  EXPECT_THAT(greeting.dialer.trouble(), HasSubstr("waits to be admitted"));
}

}  // namespace
}  // namespace kvorum::server

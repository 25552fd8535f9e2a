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

}  // namespace
}  // namespace kvorum::server

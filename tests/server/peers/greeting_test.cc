// SPDX-License-Identifier: Apache-2.0
#include "server/peers/greeting.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/bytes.h"
#include "tests/server/peers/greetings.h"

namespace kvorum::server {
namespace {

using cluster::Frame;
using cluster::FrameStatus;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

TEST(GreetingTest, NodesThatKnowTheSecretAreLinkedAndKnowEachOther) {
  const Node a("a", {"swordfish"}), b("b", {"swordfish"});
  Greeting greeting(b, a);
  greeting.run();
  EXPECT_EQ(greeting.dialed, GreetingStep::kLinked) << greeting.dialer.trouble();
  EXPECT_EQ(greeting.accepted, GreetingStep::kLinked) << greeting.acceptor.trouble();
  EXPECT_EQ(greeting.acceptor.peer().node_name, "b");
  EXPECT_EQ(greeting.acceptor.peer().node_id, b.identity.node_id);
  EXPECT_EQ(greeting.acceptor.peer().incarnation, 17u);
  EXPECT_EQ(greeting.dialer.peer().node_name, "a");
  EXPECT_EQ(greeting.dialer.peer().view_hash, a.identity.view_hash);
}

TEST(GreetingTest, WithoutASecretTheSameClusterIsEnough) {
  const Node a("a"), b("b"), other("b", {}, "other"), founded("b", {}, "demo", 128);
  Greeting same(b, a);
  same.run();
  EXPECT_EQ(same.accepted, GreetingStep::kLinked);
  for (const Node* const stranger : {&other, &founded}) {
    Greeting greeting(*stranger, a);
    greeting.run();
    EXPECT_EQ(greeting.accepted, GreetingStep::kFailed);
    EXPECT_THAT(greeting.acceptor.trouble(), HasSubstr("another cluster"));
    EXPECT_THAT(greeting.dialer.trouble(), HasSubstr("another cluster"));
  }
}

// Names, ids and words of the cluster, as bytes on the wire.
TEST(GreetingTest, AStrangerLearnsNothingOfTheCluster) {
  const Node a("a", {"swordfish"}, "demo-cluster"), stranger("b", {"guess"}, "demo-cluster");
  Greeting greeting(stranger, a);
  greeting.run();
  EXPECT_EQ(greeting.accepted, GreetingStep::kFailed);
  EXPECT_EQ(greeting.dialed, GreetingStep::kFailed);
  EXPECT_FALSE(greeting.acceptor.proved());
  expect_nothing_told(greeting.wire(), a);
  EXPECT_THAT(greeting.acceptor.trouble(), HasSubstr("cluster.secret differs"));
  EXPECT_THAT(greeting.dialer.trouble(), HasSubstr("cluster.secret differs"));
  // The last word is the same whoever asks and whatever differs.
  const Node third("b", {}, "x");
  Greeting another(third, a);
  another.run();
  EXPECT_EQ(another.done, greeting.done);
}

TEST(GreetingTest, WhoListensSeesNothingEither) {
  const Node a("a", {"swordfish"}, "demo-cluster"), b("b", {"swordfish"}, "demo-cluster");
  Greeting greeting(b, a);
  greeting.run();
  EXPECT_EQ(greeting.accepted, GreetingStep::kLinked);
  expect_nothing_told(greeting.wire(), a);
  expect_nothing_told(greeting.wire(), b);
}

// An attacker at a member's address gets the dialer's proof, and has none of his own to give.
TEST(GreetingTest, AnAcceptorWithoutTheSecretIsFoundOut) {
  const Node b("b", {"swordfish"}), thief("a", {"guess"});
  Greeting greeting(b, thief);
  greeting.run();
  EXPECT_EQ(greeting.dialed, GreetingStep::kFailed);

  // He says "welcome" all the same.
  Greeting forged(b, thief);
  forged.run();
  std::string payload;
  put_u8(payload, 2);
  put_bytes(payload, "anything");
  payload.append(32, 'x');
  DialerGreeting dialer(b.identity, b.member("a"), {1, 2});
  std::string out;
  EXPECT_EQ(dialer.on_frame(only_frame(forged.welcome), out), GreetingStep::kGoesOn);
  const Frame welcome{{cluster::MessageType::kWelcome, 0, kGreetingDone}, payload};
  EXPECT_EQ(dialer.on_frame(welcome, out), GreetingStep::kFailed);
  EXPECT_THAT(dialer.trouble(), HasSubstr("could not prove"));
}

TEST(GreetingTest, AProofThatWasRecordedIsNoGoodForAnotherGreeting) {
  const Node a("a", {"swordfish"}), b("b", {"swordfish"});
  Greeting recorded(b, a);
  recorded.run();
  ASSERT_EQ(recorded.accepted, GreetingStep::kLinked);
  AcceptorGreeting again(a.identity, a.shared_view(), {5, 6});
  std::string out;
  ASSERT_EQ(again.on_frame(only_frame(recorded.hello), out), GreetingStep::kGoesOn);
  EXPECT_EQ(again.on_frame(only_frame(recorded.proof), out), GreetingStep::kFailed);

  DialerGreeting dialer(b.identity, b.member("a"), {7, 8});
  ASSERT_EQ(dialer.on_frame(only_frame(recorded.welcome), out), GreetingStep::kGoesOn);
  EXPECT_EQ(dialer.on_frame(only_frame(recorded.done), out), GreetingStep::kFailed);
}

// Node b dials an attacker at a's address, who lets b answer its own questions.
TEST(GreetingTest, ANodeIsNotTakenForItsOwnPeer) {
  const Node b("b", {"swordfish"});
  Greeting reflected(b, b);
  reflected.run();
  EXPECT_EQ(reflected.accepted, GreetingStep::kFailed);
  EXPECT_EQ(reflected.dialed, GreetingStep::kFailed);

  DialerGreeting dialer(b.identity, b.member("a"), {1, 2});
  AcceptorGreeting mirror(b.identity, b.shared_view(), {1, 2});
  std::string hello, welcome, out;
  dialer.begin(hello);
  ASSERT_EQ(mirror.on_frame(only_frame(hello), welcome), GreetingStep::kGoesOn);
  EXPECT_EQ(dialer.on_frame(only_frame(welcome), out), GreetingStep::kFailed);
  EXPECT_THAT(out, IsEmpty());
}

TEST(GreetingTest, EveryChangedByteOfAProofIsNoticed) {
  const Node a("a", {"swordfish"}), b("b", {"swordfish"});
  Greeting recorded(b, a);
  recorded.run();
  const Frame proof = only_frame(recorded.proof);
  const Frame done = only_frame(recorded.done);
  std::string out;
  for (size_t at = 1; at < proof.payload.size(); ++at) {  // the first byte is only for the log
    std::string changed(proof.payload);
    changed[at] = static_cast<char>(changed[at] ^ 1);
    AcceptorGreeting acceptor(a.identity, a.shared_view(), {3, 4});
    ASSERT_EQ(acceptor.on_frame(only_frame(recorded.hello), out), GreetingStep::kGoesOn);
    EXPECT_EQ(acceptor.on_frame({proof.head, changed}, out), GreetingStep::kFailed) << at;
  }
  for (size_t at = 0; at < done.payload.size(); ++at) {
    std::string changed(done.payload);
    changed[at] = static_cast<char>(changed[at] ^ 1);
    DialerGreeting dialer(b.identity, b.member("a"), {1, 2});
    ASSERT_EQ(dialer.on_frame(only_frame(recorded.welcome), out), GreetingStep::kGoesOn);
    EXPECT_EQ(dialer.on_frame({done.head, changed}, out), GreetingStep::kFailed) << at;
  }
}

TEST(GreetingTest, ShortenedFramesAreRefused) {
  const Node a("a", {"s"}), b("b", {"s"});
  Greeting recorded(b, a);
  recorded.run();
  const Frame hello = only_frame(recorded.hello), proof = only_frame(recorded.proof);
  const Frame welcome = only_frame(recorded.welcome), done = only_frame(recorded.done);
  const auto shortened = [](const Frame& frame, size_t size) {
    return Frame{frame.head, frame.payload.substr(0, size)};
  };
  std::string out;
  for (size_t size = 0; size < hello.payload.size(); ++size) {
    AcceptorGreeting acceptor(a.identity, a.shared_view(), {3, 4});
    EXPECT_EQ(acceptor.on_frame(shortened(hello, size), out), GreetingStep::kFailed) << size;
  }
  for (size_t size = 0; size < proof.payload.size(); ++size) {
    AcceptorGreeting acceptor(a.identity, a.shared_view(), {3, 4});
    acceptor.on_frame(hello, out);
    EXPECT_EQ(acceptor.on_frame(shortened(proof, size), out), GreetingStep::kFailed) << size;
  }
  for (size_t size = 0; size < welcome.payload.size(); ++size) {
    DialerGreeting dialer(b.identity, b.member("a"), {1, 2});
    EXPECT_EQ(dialer.on_frame(shortened(welcome, size), out), GreetingStep::kFailed) << size;
  }
  for (size_t size = 0; size < done.payload.size(); ++size) {
    DialerGreeting dialer(b.identity, b.member("a"), {1, 2});
    dialer.on_frame(welcome, out);
    EXPECT_EQ(dialer.on_frame(shortened(done, size), out), GreetingStep::kFailed) << size;
  }
}

TEST(GreetingTest, WhoKnowsTheSecretIsToldWhyItDoesNotBelongHere) {
  const Node a("a", {"s"}), other("b", {"s"}, "other"), founded("b", {"s"}, "demo", 128);
  const Node b("b", {"s"}), twin("a", {"s"});
  const auto told = [&](const Node& dialing, std::string_view wanted) {
    Greeting greeting(dialing, a, wanted);
    greeting.run();
    EXPECT_EQ(greeting.accepted, GreetingStep::kFailed);
    EXPECT_EQ(greeting.dialed, GreetingStep::kFailed);
    EXPECT_TRUE(greeting.acceptor.proved());
    return greeting.dialer.trouble() + "\n" + greeting.acceptor.trouble();
  };
  EXPECT_THAT(told(other, "a"), testing::AllOf(HasSubstr("'demo'"), HasSubstr("'other'")));
  EXPECT_THAT(told(founded, "a"), HasSubstr("same cluster section"));
  EXPECT_THAT(told(b, "c"), HasSubstr("this is node a, not c"));
  EXPECT_THAT(told(twin, "a"), HasSubstr("name of its own"));
  Node unknown("b", {"s"});
  unknown.identity.node_id = 4711;
  EXPECT_THAT(told(unknown, "a"), HasSubstr("has to be admitted"));
}

TEST(GreetingTest, ASecretIsChangedWithoutACut) {
  using Secrets = std::vector<std::string>;
  const Secrets steps[] = {{"old"}, {"old", "new"}, {"new", "old"}, {"new"}};
  for (size_t step = 0; step + 1 < std::size(steps); ++step) {
    for (const auto& [dialing, accepting] :
         {std::pair(step, step + 1), std::pair(step + 1, step)}) {
      const Node b("b", steps[dialing]), a("a", steps[accepting]);
      Greeting held(b, a);
      held.run();
      EXPECT_EQ(held.accepted, GreetingStep::kLinked) << dialing << " dials " << accepting;
      EXPECT_EQ(held.dialed, GreetingStep::kLinked) << dialing << " dials " << accepting;
    }
  }
  const Node first("b", steps[0]), last("a", steps[3]);
  Greeting cut(first, last);
  cut.run();
  EXPECT_EQ(cut.accepted, GreetingStep::kFailed);
}

TEST(GreetingTest, WhatDiffersIsNamedInTheLog) {
  const Node with("a", {"s"}), without("a"), dialer_with("b", {"s"}), dialer_without("b");
  Greeting one(dialer_without, with), other(dialer_with, without);
  one.run();
  other.run();
  EXPECT_THAT(one.acceptor.trouble(), HasSubstr("it has no cluster.secret, this node has one"));
  EXPECT_THAT(other.acceptor.trouble(), HasSubstr("it has a cluster.secret, this node has none"));
}

TEST(GreetingTest, WhoIsNoMemberIsToldToWaitAndSaysWhatItWouldBe) {
  const Node a("a", {"swordfish"});
  Node newcomer("b", {"swordfish"});
  newcomer.wait_as("f", 77);
  Greeting greeting(newcomer, a);
  greeting.run();
  EXPECT_EQ(greeting.accepted, GreetingStep::kFailed);
  EXPECT_EQ(greeting.dialed, GreetingStep::kFailed);
  EXPECT_TRUE(greeting.acceptor.proved());
  EXPECT_TRUE(greeting.acceptor.waits());
  EXPECT_EQ(greeting.dialer.known_as(), 0u);
  EXPECT_THAT(greeting.dialer.trouble(), HasSubstr("node f waits to be admitted: kvorum join f"));
  const cluster::Member& offered = greeting.acceptor.peer().offered;
  EXPECT_EQ(offered.id, 77u);
  EXPECT_EQ(offered.peer.to_text(), "10.0.0.9:7379");
  EXPECT_EQ(offered.weight, 3u);
  EXPECT_EQ(offered.zone, "north");
  EXPECT_THAT(greeting.wire(), Not(HasSubstr("10.0.0.9")));
}

TEST(GreetingTest, ANodeThatLostItsDiskIsToldItsId) {
  const Node a("a");
  Node wiped("b");
  wiped.wait_as("b", 77);
  Greeting greeting(wiped, a, "a", [](cluster::MemberIndex) { return false; });
  greeting.run();
  EXPECT_EQ(greeting.dialed, GreetingStep::kFailed);
  EXPECT_EQ(greeting.dialer.known_as(), a.member("b").id);
  EXPECT_FALSE(greeting.acceptor.waits());
}

TEST(GreetingTest, TheNameOfAMemberThatIsThereIsNotGivenAway) {
  const Node a("a");
  Node twin("b");
  twin.wait_as("b", 77);
  Greeting greeting(twin, a, "a", [](cluster::MemberIndex) { return true; });
  greeting.run();
  EXPECT_EQ(greeting.dialer.known_as(), 0u);
  EXPECT_FALSE(greeting.acceptor.waits());
  EXPECT_THAT(greeting.dialer.trouble(), HasSubstr("start this node with another name"));
}

TEST(GreetingTest, TheNameOfOneWhoDepartedIsFree) {
  Node a("a");
  for (cluster::Member& member : a.view.members) {
    if (member.name == "b") member.standing = cluster::Standing::kRemoved;
  }
  Node newcomer("b");
  newcomer.wait_as("b", 77);
  Greeting greeting(newcomer, a);
  greeting.run();
  EXPECT_EQ(greeting.dialer.known_as(), 0u);
  EXPECT_TRUE(greeting.acceptor.waits());
}

TEST(GreetingTest, OneThatWaitsIsWelcomeOnceItWasAdmitted) {
  const Node a("a");
  Node newcomer("b");
  newcomer.identity.waits = true;
  newcomer.identity.offered.name = "b";
  Greeting greeting(newcomer, a);
  greeting.run();
  EXPECT_EQ(greeting.accepted, GreetingStep::kLinked) << greeting.acceptor.trouble();
}

TEST(GreetingTest, OneThatWaitsLetsNobodyIn) {
  Node waiting("a");
  waiting.identity.waits = true;
  waiting.identity.offered.name = "a";
  const Node b("b");
  Greeting greeting(b, waiting);
  greeting.run();
  EXPECT_EQ(greeting.dialed, GreetingStep::kFailed);
  EXPECT_TRUE(greeting.acceptor.proved());
  EXPECT_THAT(greeting.dialer.trouble(), HasSubstr("node a waits to be admitted"));
}

TEST(GreetingTest, OtherFramesEndIt) {
  const Node a("a"), b("b");
  std::string out;
  for (const auto type : {cluster::MessageType::kPing, cluster::MessageType::kForward,
                          cluster::MessageType::kWelcome}) {
    AcceptorGreeting acceptor(a.identity, a.shared_view(), {3, 4});
    EXPECT_EQ(acceptor.on_frame(Frame{{type}, "payload"}, out), GreetingStep::kFailed);
    EXPECT_THAT(out, IsEmpty());
  }
  DialerGreeting dialer(b.identity, b.member("a"), {1, 2});
  EXPECT_EQ(dialer.on_frame(Frame{{cluster::MessageType::kPong}, "x"}, out), GreetingStep::kFailed);
}

}  // namespace
}  // namespace kvorum::server

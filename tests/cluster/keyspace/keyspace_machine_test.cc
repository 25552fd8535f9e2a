// SPDX-License-Identifier: Apache-2.0
#include "cluster/keyspace/keyspace_machine.h"

#include <gmock/gmock.h>

#include "tests/cluster/keyspace_cluster.h"

namespace kvorum::cluster {
namespace {

using fixtures::fill;
using fixtures::KeyspaceCluster;
using testing::IsEmpty;
using testing::UnorderedElementsAre;
using Kind = KeyspaceRequest::Kind;

TEST(KeyspaceMachine, SweepsInBoundedTurns) {
  KeyspaceCluster cluster({.members = 1});
  Rng rng(10);
  fill(cluster, 20'000, rng);
  cluster.flush(0);
  int turns = 0;
  while (!cluster.node(0).marks.swept(0)) {
    ASSERT_TRUE(cluster.advance());
    ++turns;
  }
  EXPECT_GE(turns, 4);
  EXPECT_FALSE(cluster.advance());  // and then it rests
}

TEST(KeyspaceMachine, ShowsAndCountsNothingThatIsFlushedButNotSweptYet) {
  KeyspaceCluster cluster({.members = 2, .n = 2, .r = 1, .w = 2});
  Rng rng(12);
  fill(cluster, 20'000, rng);
  EXPECT_EQ(cluster.flush(0).outcome, Outcome::kOk);
  ASSERT_FALSE(cluster.node(1).marks.swept(0));
  EXPECT_THAT(cluster.scan_all(1, 1000), IsEmpty());
  ASSERT_FALSE(cluster.node(1).marks.swept(0));
  EXPECT_EQ(cluster.count(0).count, 0U);
  EXPECT_TRUE(cluster.node(1).marks.swept(0));
}

TEST(KeyspaceMachine, ANodeThatIsNoMemberRefuses) {
  KeyspaceCluster cluster;
  auto waiting = std::make_shared<ClusterView>(cluster.view());
  waiting->self = kNoMember;
  KeyspaceMachine& machine = *cluster.node(0).machine;
  machine.publish(waiting);
  for (const Kind kind : {Kind::kScan, Kind::kCount, Kind::kFlush}) {
    const auto tag = static_cast<uint64_t>(kind) + 100;
    machine.submit({.kind = kind, .name = {}}, tag, cluster.now_at(0));
    EXPECT_EQ(cluster.node(0).completions[tag].completion.outcome, Outcome::kClusterDown);
  }
  EXPECT_FALSE(cluster.node(0).marks.any(0));
}

TEST(KeyspaceMachine, DamagedAndForeignFramesAreRefusedAndChangeNothing) {
  KeyspaceCluster cluster;
  cluster.write(0, "key", {0, 1, 2});
  Rng rng(11);
  KeyspaceMachine& machine = *cluster.node(0).machine;
  const MemberIndex peer = cluster.node(1).view->self;
  int refused = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string payload(rng.below(60), '\0');
    for (char& byte : payload) byte = static_cast<char>(rng.below(rng.chance(0.6) ? 3 : 256));
    Frame frame;
    frame.head.type = static_cast<MessageType>(rng.between(30, 42));
    if (frame.head.type == MessageType::kFlushMark) continue;  // a whole one is obeyed: see marks
    frame.head.keyspace = static_cast<uint8_t>(rng.below(20));
    frame.head.operation = rng.below(1ULL << 34);
    frame.payload = payload;
    refused += !machine.on_message(peer, frame, cluster.now_at(0));
  }
  EXPECT_GT(refused, 5000);
  Frame mark;
  mark.head.type = MessageType::kFlushMark;
  mark.payload = "damaged";
  EXPECT_FALSE(machine.on_message(peer, mark, cluster.now_at(0)));
  cluster.settle();
  EXPECT_THAT(cluster.scan_all(0), UnorderedElementsAre("key"));
}

}  // namespace
}  // namespace kvorum::cluster

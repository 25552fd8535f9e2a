// SPDX-License-Identifier: Apache-2.0
#include "cluster/keyspace/flush_operation.h"

#include <gmock/gmock.h>

#include "tests/cluster/keyspace_cluster.h"

namespace kvorum::cluster {
namespace {

using fixtures::fill;
using fixtures::KeyspaceCluster;
using testing::IsEmpty;
using testing::UnorderedElementsAre;
using Kind = KeyspaceRequest::Kind;

TEST(KeyspaceFlush, LeavesNothingAndGivesMemoryBack) {
  for (const uint32_t members : {1U, 3U, 5U}) {
    Rng rng(members);
    KeyspaceCluster cluster({.members = members});
    fill(cluster, 2000, rng);
    cluster.write(0, "elsewhere", cluster.primaries("elsewhere"), 1);
    EXPECT_EQ(cluster.flush(members - 1).outcome, Outcome::kOk);
    EXPECT_THAT(cluster.scan_all(0), IsEmpty());
    EXPECT_EQ(cluster.count(0).count, 0U);  // waits for the sweep
    EXPECT_EQ(cluster.count(0, 1).count, 1U);
    cluster.settle();
    for (size_t at = 0; at < members; ++at) {
      for (uint32_t partition = 0; partition < 256; ++partition) {
        ASSERT_EQ(cluster.node(at).table.record_count(0, partition), 0U);
        ASSERT_EQ(cluster.node(at).table.digest(0, partition), 0U);
      }
    }
  }
}

TEST(KeyspaceFlush, OfAllKeyspacesLeavesNothingInAny) {
  KeyspaceCluster cluster;
  for (uint8_t keyspace = 0; keyspace < kKeyspacesMax; ++keyspace) {
    cluster.write(keyspace % 3u, "key", {0, 1, 2}, keyspace);
  }
  const auto done = cluster.perform(1, {.kind = Kind::kFlush, .all_keyspaces = true, .name = {}});
  EXPECT_EQ(done.outcome, Outcome::kOk);
  for (uint8_t keyspace = 0; keyspace < kKeyspacesMax; ++keyspace) {
    EXPECT_EQ(cluster.count(0, keyspace).count, 0U);
  }
}

// The shell stores a mark after the turn that made it, and nobody else has to be waited for.
TEST(KeyspaceFlush, OfALoneMemberEndsWhenItsMarkIsStored) {
  KeyspaceCluster cluster({.members = 1});
  const uint64_t tag = cluster.submit(0, {.kind = Kind::kFlush, .name = {}});
  EXPECT_EQ(cluster.node(0).marks.stored(), cluster.node(0).marks.generation());
  const uint64_t before_us = cluster.now_at(0).steady_us;
  EXPECT_EQ(cluster.await(0, tag).outcome, Outcome::kOk);
  EXPECT_LE(cluster.now_at(0).steady_us - before_us, 1000U);
}

TEST(KeyspaceFlush, EatsAFastNodesOlderWritesAndSparesASlowNodesLaterOnes) {
  for (const size_t asker : {0U, 1U, 2U}) {
    KeyspaceCluster cluster;
    cluster.node(0).ahead_ms = 3'600'000;
    cluster.node(1).ahead_ms = -3'600'000;
    for (size_t author = 0; author < 3; ++author) {
      cluster.write(author, "before:" + std::to_string(author), {0, 1, 2});
    }
    EXPECT_EQ(cluster.flush(asker).outcome, Outcome::kOk);
    EXPECT_THAT(cluster.scan_all(0), IsEmpty());
    for (size_t author = 0; author < 3; ++author) {
      cluster.write(author, "after:" + std::to_string(author), {0, 1, 2});
    }
    cluster.settle();
    EXPECT_THAT(cluster.scan_all(1), UnorderedElementsAre("after:0", "after:1", "after:2"));
    EXPECT_EQ(cluster.count(2).count, 3U);
  }
}

// A write at every moment of a flush: one from before goes, one from after its node said its clock
// stays, whatever its replicas did in between.
TEST(KeyspaceFlush, SparesWhatANodeWritesAfterItSaidItsClock) {
  int spared = 0;
  for (int moment = 0; moment < 30; ++moment) {
    KeyspaceCluster cluster;
    cluster.node(1).ahead_ms = -5000;
    cluster.write(1, "before", {0, 1, 2});
    cluster.pass_ms(10);
    const uint64_t tag = cluster.submit(0, {.kind = Kind::kFlush, .name = {}});
    for (int frame = 0; frame < moment; ++frame) cluster.deliver_one();
    const bool said = cluster.taken(1, MessageType::kFlushClocks) > 0;
    cluster.write(1, "during", {0, 1, 2});
    EXPECT_EQ(cluster.await(0, tag).outcome, Outcome::kOk);
    cluster.settle();
    const auto keys = cluster.scan_all(2);
    if (said) {
      EXPECT_THAT(keys, UnorderedElementsAre("during"));
    } else {
      EXPECT_THAT(keys, IsEmpty());
    }
    spared += said;
  }
  EXPECT_GT(spared, 20);
  EXPECT_LT(spared, 30);
}

TEST(KeyspaceFlush, CoversDotsThatRanAheadOfTheirNodesClock) {
  for (const uint32_t members : {1U, 3U}) {
    KeyspaceCluster cluster({.members = members});
    const size_t author = members - 1;
    Version version = cluster.mint(author);
    version.dot.hlc = Hlc{version.dot.hlc.value + (1ULL << 30)};
    Object object;
    update(object, {}, version);
    cluster.store(cluster.primaries("ahead"), "ahead", object);
    EXPECT_EQ(cluster.flush(0).outcome, Outcome::kOk);
    EXPECT_THAT(cluster.scan_all(0), IsEmpty());
    cluster.write(author, "later", cluster.primaries("later"));
    EXPECT_THAT(cluster.scan_all(0), UnorderedElementsAre("later"));
  }
}

TEST(KeyspaceFlush, ANodeMintsAboveWhatTheMarkSaysOfIt) {
  KeyspaceCluster cluster;
  Version version = cluster.mint(1);
  version.dot.hlc = Hlc{version.dot.hlc.value + (1ULL << 30)};
  Object object;
  update(object, {}, version);
  cluster.store({0, 2}, "lost by its author", object);
  EXPECT_EQ(cluster.flush(0).outcome, Outcome::kOk);
  cluster.write(1, "later", {0, 1, 2});
  EXPECT_THAT(cluster.scan_all(0), UnorderedElementsAre("later"));
}

// A last write may lie above its node's clock. The node is away during the flush and knows nothing
// of the mark, which is made of what others saw of it: what it wrote since is above that all the
// same.
TEST(KeyspaceFlush, SparesWhatANodeThatWasAwayWroteAfterADotAheadOfItsClock) {
  KeyspaceCluster cluster;
  auto& author = cluster.node(1);
  const Hlc ahead = Hlc::from_ms(cluster.now_at(1).wall_ms + 300'000);
  Version version = cluster.mint(1);
  version.dot.hlc = author.clock.mint(ahead);
  Object object;
  update(object, {}, version);
  cluster.store({0, 1, 2}, "ahead", object);
  cluster.isolate(1);
  EXPECT_EQ(cluster.flush(0).outcome, Outcome::kOk);
  cluster.write(1, "later", {1});
  cluster.isolate(1, false);
  cluster.settle();
  EXPECT_THAT(cluster.scan_all(0), UnorderedElementsAre("later"));
  EXPECT_LT(author.clock.reading(0), ahead) << "deadlines are judged by it";
}

// In the same millisecond, on every node, and on a clock that was not read since.
TEST(KeyspaceFlush, SparesWhatIsWrittenNext) {
  for (size_t author = 0; author < 3; ++author) {
    KeyspaceCluster cluster;
    cluster.write(author, "before", {0, 1, 2});
    cluster.pass_ms(10);
    const uint64_t tag = cluster.submit(0, {.kind = Kind::kFlush, .name = {}});
    cluster.run();
    cluster.write(author, "next", {0, 1, 2});
    EXPECT_EQ(cluster.await(0, tag).outcome, Outcome::kOk);
    cluster.settle();
    EXPECT_THAT(cluster.scan_all(0), UnorderedElementsAre("next"));
  }
}

TEST(KeyspaceFlush, CoversAuthorsThatAreAwayAndIncarnationsThatEnded) {
  KeyspaceCluster cluster;
  cluster.write(1, "ended", {0, 2});
  cluster.node(1).start(2);
  cluster.isolate(1, false);
  cluster.write(2, "away", {0, 1});  // only node 1 tells of it, and that node is still there
  cluster.write(2, "unheard", {2});  // nobody reachable saw it
  cluster.isolate(2);
  EXPECT_EQ(cluster.flush(0).outcome, Outcome::kOk);
  EXPECT_THAT(cluster.scan_all(0), IsEmpty());
  cluster.isolate(2, false);
  cluster.settle();
  EXPECT_THAT(cluster.scan_all(0), UnorderedElementsAre("unheard"));
}

TEST(KeyspaceFlush, AMemberThatWasAwayGetsTheMarkWhenItComesBack) {
  KeyspaceCluster cluster;
  cluster.write(0, "everywhere", {0, 1, 2});
  cluster.isolate(2);
  EXPECT_EQ(cluster.flush(0).outcome, Outcome::kOk);
  EXPECT_FALSE(cluster.node(2).marks.any(0));
  cluster.isolate(2, false);
  cluster.settle();
  EXPECT_EQ(cluster.node(2).marks.mark(0), cluster.node(0).marks.mark(0));
  const uint32_t partition = cluster.view().ring.partition_of(position_of("everywhere"));
  EXPECT_EQ(cluster.node(2).table.record_count(0, partition), 0U);
}

TEST(KeyspaceFlush, ASilentMemberMakesItUncertainButItIsDoneElsewhere) {
  KeyspaceCluster cluster;
  cluster.write(0, "key", {0, 1, 2});
  cluster.node(2).silent = true;
  const uint64_t before_us = cluster.now_at(0).steady_us;
  const KeyspaceCompletion done = cluster.flush(0);
  EXPECT_EQ(done.outcome, Outcome::kUncertain);
  EXPECT_EQ(done.text, "2 of 3 reachable nodes acknowledged the flush");
  EXPECT_EQ(cluster.now_at(0).steady_us - before_us, 1'000'000U);
  cluster.settle();
  EXPECT_THAT(cluster.scan_all(1), IsEmpty());
  EXPECT_TRUE(cluster.node(2).marks.any(0));  // its link carried the mark
}

TEST(KeyspaceFlush, AMemberThatDidNotSayItsClockInTimeMakesItUncertain) {
  KeyspaceCluster cluster;
  cluster.node(2).silent = true;
  const uint64_t tag = cluster.submit(0, {.kind = Kind::kFlush, .name = {}});
  cluster.run();
  cluster.write(2, "unheard", {0, 1, 2});
  cluster.node(2).silent = false;  // it acknowledges the mark that follows
  EXPECT_EQ(cluster.await(0, tag).outcome, Outcome::kUncertain);
}

TEST(KeyspaceFlush, IsAcknowledgedOnlyWhenEveryNodeStoredTheMark) {
  for (const size_t slow : {0U, 1U}) {
    KeyspaceCluster cluster;
    cluster.write(0, "key", {0, 1, 2});
    cluster.node(slow).stores_marks = false;
    const uint64_t tag = cluster.submit(0, {.kind = Kind::kFlush, .name = {}});
    for (int turn = 0; turn < 50; ++turn) {
      cluster.run();
      ASSERT_TRUE(cluster.advance());
    }
    EXPECT_THAT(cluster.node(0).completions, IsEmpty());
    cluster.node(slow).stores_marks = true;
    EXPECT_EQ(cluster.await(0, tag).outcome, Outcome::kOk);
  }
}

TEST(KeyspaceFlush, AStoreThatFailsMakesItUncertain) {
  KeyspaceCluster cluster({.members = 1});
  cluster.node(0).stores_marks = false;
  EXPECT_EQ(cluster.flush(0).outcome, Outcome::kUncertain);
}

TEST(KeyspaceFlush, ConcurrentOnesAllComplete) {
  KeyspaceCluster cluster;
  Rng rng(9);
  for (int round = 0; round < 5; ++round) {
    fill(cluster, 50, rng);
    std::vector<uint64_t> tags;
    for (size_t at = 0; at < 3; ++at)
      tags.push_back(cluster.submit(at, {.kind = Kind::kFlush, .name = {}}));
    for (size_t at = 0; at < 3; ++at) {
      EXPECT_EQ(cluster.await(at, tags[at]).outcome, Outcome::kOk);
    }
    EXPECT_THAT(cluster.scan_all(0), IsEmpty());
  }
  cluster.settle();
  EXPECT_EQ(cluster.node(0).marks.mark(0), cluster.node(1).marks.mark(0));
  EXPECT_EQ(cluster.node(0).marks.mark(0), cluster.node(2).marks.mark(0));
}

}  // namespace
}  // namespace kvorum::cluster

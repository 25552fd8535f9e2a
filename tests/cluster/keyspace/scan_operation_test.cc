// SPDX-License-Identifier: Apache-2.0
#include "cluster/keyspace/scan_operation.h"

#include <gmock/gmock.h>

#include "tests/cluster/keyspace_cluster.h"

namespace kvorum::cluster {
namespace {

using fixtures::fill;
using fixtures::key_number;
using fixtures::KeyspaceCluster;
using fixtures::some_primaries;
using testing::IsEmpty;
using testing::SizeIs;
using testing::UnorderedElementsAre;
using testing::UnorderedElementsAreArray;
using Kind = KeyspaceRequest::Kind;

TEST(KeyspaceScan, ShowsEveryKeyOnceInAnyClusterAtAnyPageSize) {
  for (const uint32_t members : {1U, 2U, 3U, 5U, 12U}) {
    Rng rng(members);
    KeyspaceCluster cluster({.members = members});
    const auto written = fill(cluster, 1500, rng);
    for (const uint32_t count : {1U, 10U, 333U, 5000U}) {
      EXPECT_THAT(cluster.scan_all(members / 2, count), UnorderedElementsAreArray(written));
    }
  }
}

TEST(KeyspaceScan, IsCompleteWithAPrimaryDown) {
  Rng rng(1);
  for (const uint32_t members : {3U, 5U}) {
    for (size_t dead = 0; dead < members; ++dead) {
      KeyspaceCluster cluster({.members = members});
      const auto written = fill(cluster, 800, rng);
      cluster.isolate(dead);
      const size_t asker = (dead + 1) % members;
      EXPECT_THAT(cluster.scan_all(asker, 50), UnorderedElementsAreArray(written));
    }
  }
}

TEST(KeyspaceScan, ACursorIsValidAtAnyNode) {
  Rng rng(2);
  KeyspaceCluster cluster({.members = 4});
  const auto written = fill(cluster, 1000, rng);
  const auto next_node = [](size_t at) { return (at + 1) % 4; };
  EXPECT_THAT(cluster.scan_all(0, 7, next_node), UnorderedElementsAreArray(written));
}

TEST(KeyspaceScan, WhatIsThereAllTheTimeIsReturnedWhileOthersComeAndGo) {
  Rng rng(3);
  KeyspaceCluster cluster({.members = 3});
  const auto written = fill(cluster, 400, rng);
  uint64_t number = 10'000;
  const auto churn = [&](size_t at) {
    for (int n = 0; n < 5; ++n) {
      const std::string key = key_number(++number);
      cluster.write(at, key, some_primaries(cluster, key, rng));
    }
    if (rng.chance(0.3)) {
      cluster.isolate(2, true);
      cluster.isolate(2, false);
    }
    return at;
  };
  const auto keys = cluster.scan_all(0, 20, churn);
  EXPECT_THAT(std::set<std::string>(keys.begin(), keys.end()), testing::IsSupersetOf(written));
}

TEST(KeyspaceScan, ItsCursorsFitIntoADouble) {
  Rng rng(7);
  KeyspaceCluster cluster;
  const auto written = fill(cluster, 2000, rng);
  std::set<std::string> seen;
  uint64_t cursor = 0;
  do {
    const KeyspaceCompletion page = cluster.scan(0, cursor, 20);
    ASSERT_EQ(page.outcome, Outcome::kOk);
    ASSERT_LT(page.cursor, uint64_t{1} << 53);
    ASSERT_TRUE(page.cursor > cursor || page.cursor == 0);
    seen.insert(page.keys.begin(), page.keys.end());
    cursor = static_cast<uint64_t>(static_cast<double>(page.cursor));
  } while (cursor != 0);
  EXPECT_EQ(seen, written);
}

// With few bits, so that many keys have them in common: a page has all of them or none, whatever
// its size, and each node goes on where another one stopped.
TEST(KeyspaceScan, KeysOfOneCursorComeTogether) {
  for (const int bits : {1, 8, 9, 12, 40}) {
    for (const uint32_t members : {1U, 3U}) {
      Rng rng(static_cast<uint64_t>(bits));
      KeyspaceCluster cluster({.members = members, .scan_cursor_bits = bits});
      const auto written = fill(cluster, 4000, rng);
      std::set<std::string> seen;
      uint64_t cursor = 0;
      for (size_t at = 0;; at = (at + 1) % members) {
        const KeyspaceCompletion page = cluster.scan(at, cursor, 3);
        ASSERT_EQ(page.outcome, Outcome::kOk) << page.text;
        ASSERT_EQ(page.cursor >> bits, 0U);
        ASSERT_TRUE(page.cursor > cursor || page.cursor == 0);
        for (const std::string& key : page.keys) {
          const uint64_t place = position_of(key).high >> (64 - bits);
          EXPECT_GE(place, cursor);
          EXPECT_TRUE(place < page.cursor || page.cursor == 0);
          EXPECT_TRUE(seen.insert(key).second) << "twice: " << key;
        }
        cursor = page.cursor;
        if (cursor == 0) break;
      }
      EXPECT_EQ(seen, written) << bits << " bits, " << members << " members";
    }
  }
}

// A cursor that a node of an earlier version gave: a whole position.
TEST(KeyspaceScan, TakesTheCursorsOfEarlierVersions) {
  Rng rng(8);
  KeyspaceCluster cluster;
  const auto written = fill(cluster, 500, rng);
  const uint64_t middle = uint64_t{1} << 63;
  std::set<std::string> behind;
  for (const std::string& key : written) {
    if (position_of(key).high >= middle) behind.insert(key);
  }
  const KeyspaceCompletion page = cluster.scan(0, middle, 1000);
  EXPECT_EQ(std::set<std::string>(page.keys.begin(), page.keys.end()), behind);
}

TEST(KeyspaceScan, WalksASparseKeyspaceInOneRoundTrip) {
  KeyspaceCluster cluster;
  for (int number = 0; number < 3; ++number) {
    cluster.write(0, key_number(static_cast<uint64_t>(number)), {0, 1, 2});
  }
  const uint64_t before = cluster.frames_sent();
  const KeyspaceCompletion page = cluster.scan(0, 0);
  EXPECT_EQ(page.cursor, 0U);
  EXPECT_THAT(page.keys, SizeIs(3));
  EXPECT_EQ(cluster.frames_sent() - before, 4U);  // two members asked, two answers
}

TEST(KeyspaceScan, CollectsManyKeysInFewRoundTrips) {
  Rng rng(4);
  KeyspaceCluster cluster;
  fill(cluster, 5000, rng);
  const uint64_t before = cluster.frames_sent();
  EXPECT_THAT(cluster.scan_all(0, 1000), SizeIs(5000));
  EXPECT_LT(cluster.frames_sent() - before, 4U * 16);
}

TEST(KeyspaceScan, WithoutEnoughReplicasSaysSo) {
  Rng rng(5);
  KeyspaceCluster cluster;
  fill(cluster, 100, rng);
  cluster.isolate(0);
  EXPECT_EQ(cluster.scan(0, 0).outcome, Outcome::kNoQuorum);
  cluster.isolate(0, false);
  EXPECT_EQ(cluster.scan(0, 0).outcome, Outcome::kOk);
}

// Two of five away: some partitions have only one primary left. What comes before them is shown,
// the cursor stays in front of them, and the iteration goes on when the nodes are back.
TEST(KeyspaceScan, StopsInFrontOfAStretchThatNobodyCanAnswerFor) {
  Rng rng(6);
  KeyspaceCluster cluster({.members = 5});
  const auto written = fill(cluster, 600, rng);
  cluster.isolate(3);
  cluster.isolate(4);
  std::set<std::string> seen;
  uint64_t cursor = 0;
  int refused = 0;
  for (int calls = 0; calls < 1000; ++calls) {
    const KeyspaceCompletion page = cluster.scan(0, cursor, 20);
    if (page.outcome == Outcome::kNoQuorum) {
      ++refused;
      cluster.isolate(3, false);
      cluster.isolate(4, false);
      continue;
    }
    ASSERT_EQ(page.outcome, Outcome::kOk);
    seen.insert(page.keys.begin(), page.keys.end());
    cursor = page.cursor;
    if (cursor == 0) break;
  }
  EXPECT_EQ(refused, 1);
  EXPECT_EQ(seen, written);
}

TEST(KeyspaceScan, ASilentMemberCostsPatienceNotTheAnswer) {
  Rng rng(7);
  KeyspaceCluster cluster;
  const auto written = fill(cluster, 300, rng);
  cluster.node(2).silent = true;
  const uint64_t before_us = cluster.now_at(0).steady_us;
  const KeyspaceCompletion page = cluster.scan(0, 0, 1000);
  EXPECT_EQ(page.outcome, Outcome::kOk);
  EXPECT_THAT(page.keys, UnorderedElementsAreArray(written));
  EXPECT_EQ(cluster.now_at(0).steady_us - before_us, 250'000U);
}

TEST(KeyspaceScan, TooManySilentMembersAreNoQuorumAtTheDeadline) {
  KeyspaceCluster cluster;
  cluster.node(1).silent = cluster.node(2).silent = true;
  const uint64_t before_us = cluster.now_at(0).steady_us;
  EXPECT_EQ(cluster.scan(0, 0).outcome, Outcome::kNoQuorum);
  EXPECT_EQ(cluster.now_at(0).steady_us - before_us, 1'000'000U);
}

TEST(KeyspaceScan, AMemberThatDiesWhileAskedIsDoneWithout) {
  Rng rng(8);
  KeyspaceCluster cluster;
  const auto written = fill(cluster, 200, rng);
  const uint64_t tag = cluster.submit(0, {.kind = Kind::kScan, .count = 1000, .name = {}});
  cluster.isolate(1);
  const uint64_t before_us = cluster.now_at(0).steady_us;
  EXPECT_THAT(cluster.await(0, tag).keys, UnorderedElementsAreArray(written));
  EXPECT_EQ(cluster.now_at(0).steady_us, before_us);  // nothing was waited for
}

TEST(KeyspaceScan, ADeletedKeyIsNotShownThoughItsRemoversClockIsSlow) {
  KeyspaceCluster cluster;
  Object written = cluster.write(0, "gone", {0, 1, 2});
  cluster.node(1).ahead_ms = -60'000;
  Version tombstone = cluster.mint(1, {});
  tombstone.type = TypeTag::kTombstone;
  ASSERT_LT(tombstone.dot.hlc, written.versions[0].dot.hlc);
  update(written, Context{written.vector, {}}, tombstone);
  cluster.store({1}, "gone", written);  // the others have not heard yet
  EXPECT_THAT(cluster.scan_all(0), IsEmpty());
}

TEST(KeyspaceScan, AConcurrentDeleteDoesNotHideASibling) {
  KeyspaceCluster cluster;
  cluster.write(0, "kept", {0, 2});
  Version tombstone = cluster.mint(1, {});
  tombstone.type = TypeTag::kTombstone;
  tombstone.dot.hlc = Hlc{tombstone.dot.hlc.value + (1 << 20)};
  Object deleted;
  update(deleted, {}, tombstone);
  cluster.store({1}, "kept", deleted);
  EXPECT_THAT(cluster.scan_all(0), UnorderedElementsAre("kept"));
}

TEST(KeyspaceScan, InALastWriteWinsKeyspaceTheNewestDecides) {
  KeyspaceCluster cluster({.conflicts = ConflictPolicy::kLww});
  cluster.write(0, "gone", {0, 2});
  Version tombstone = cluster.mint(1, {});
  tombstone.type = TypeTag::kTombstone;
  tombstone.dot.hlc = Hlc{tombstone.dot.hlc.value + (1 << 20)};
  Object deleted;
  update(deleted, {}, tombstone);
  cluster.store({1}, "gone", deleted);
  EXPECT_THAT(cluster.scan_all(0), IsEmpty());
}

TEST(KeyspaceScan, AnExpiredKeyIsNotShown) {
  KeyspaceCluster cluster;
  Version version = cluster.mint(0);
  version.deadline_ms = cluster.now_at(0).wall_ms + 100;
  Object object;
  update(object, {}, version);
  cluster.store({0, 1, 2}, "short", object);
  EXPECT_THAT(cluster.scan_all(1), SizeIs(1));
  cluster.pass_ms(101);
  EXPECT_THAT(cluster.scan_all(1), IsEmpty());
}

TEST(KeyspaceScan, KeyspacesAreApart) {
  KeyspaceCluster cluster;
  cluster.write(0, "a", {0, 1, 2}, 0);
  cluster.write(0, "b", {0, 1, 2}, 5);
  EXPECT_THAT(cluster.scan_all(0), UnorderedElementsAre("a"));
  const auto page = cluster.perform(0, {.kind = Kind::kScan, .keyspace = 5, .name = {}});
  EXPECT_THAT(page.keys, UnorderedElementsAre("b"));
}

TEST(KeyspaceScan, ManyTombstonesEndACallWithoutKeysAndWithACursor) {
  KeyspaceCluster cluster({.members = 1});
  for (uint64_t number = 0; number < 3 * ScanServer::kShownMax; ++number) {
    Version tombstone = cluster.mint(0, {});
    tombstone.type = TypeTag::kTombstone;
    Object object;
    update(object, {}, tombstone);
    cluster.store({0}, key_number(number), object);
  }
  EXPECT_THAT(cluster.scan_all(0), IsEmpty());
}

}  // namespace
}  // namespace kvorum::cluster

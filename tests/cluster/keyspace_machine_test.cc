// SPDX-License-Identifier: Apache-2.0
#include "cluster/keyspace_machine.h"

#include <gmock/gmock.h>

#include "cluster/scan_server.h"
#include "tests/cluster/keyspace_cluster.h"
#include "tests/engine/map_store.h"

namespace kvorum::cluster {
namespace {

using fixtures::ClusterShape;
using fixtures::KeyspaceCluster;
using testing::IsEmpty;
using testing::SizeIs;
using testing::UnorderedElementsAre;
using testing::UnorderedElementsAreArray;
using Kind = KeyspaceRequest::Kind;

std::string key_number(uint64_t number) { return "key:" + std::to_string(number); }

// Any w of a key's primaries, as after a write with one of them unreachable.
std::vector<size_t> some_primaries(const KeyspaceCluster& cluster, std::string_view key, Rng& rng) {
  std::vector<size_t> holders = cluster.primaries(key);
  const size_t w = cluster.view().quorum(0).w;
  while (holders.size() > w) {
    holders.erase(holders.begin() + static_cast<std::ptrdiff_t>(rng.below(holders.size())));
  }
  return holders;
}

std::set<std::string> fill(KeyspaceCluster& cluster, uint64_t keys, Rng& rng) {
  std::set<std::string> written;
  for (uint64_t number = 0; number < keys; ++number) {
    const std::string key = key_number(number);
    const std::vector<size_t> holders = some_primaries(cluster, key, rng);
    cluster.write(holders[0], key, holders);
    written.insert(key);
  }
  return written;
}

// ---- SCAN

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
  const uint64_t tag = cluster.submit(0, {.kind = Kind::kScan, .count = 1000});
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
  const auto page = cluster.perform(0, {.kind = Kind::kScan, .keyspace = 5});
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

TEST(KeyspaceScan, ATableThatIsNotCompleteIsReadFromItsStore) {
  engine::testing::MapStore store;
  AuthorTable authors;
  StoredRecordCodec codec(&authors, 42);
  HybridClock clock;
  FlushMarks marks;
  Founding founding;
  founding.members = fixtures::make_members(1);
  const auto view = std::make_shared<ClusterView>(found_view(founding, "n0"));
  engine::StoreBatch batch;
  std::set<std::string> written;
  for (uint64_t number = 0; number < 500; ++number) {
    Version version;
    version.dot = {{view->members[0].id, 1, Hlc{number + 1}}, Hlc{number + 1}};
    version.bytes = "value";
    Object object;
    update(object, {}, version);
    const std::string key = key_number(number);
    std::string bytes;
    encode_object(object, bytes);
    batch.changes.push_back({engine::store_key({key, position_of(key), 0}), bytes, false});
    written.insert(key);
  }
  ASSERT_TRUE(store.write(batch, true).ok());
  engine::TableOptions options;
  options.store = &store;
  options.codec = &codec;
  engine::ObjectTable table(options);
  NodeParts parts;
  parts.table = &table;
  parts.authors = &authors;
  parts.clock = &clock;
  parts.marks = &marks;
  struct Sink : KeyspaceSink {
    void on_keyspace_complete(uint64_t, const KeyspaceCompletion& completion) override {
      done = true;
      last = completion;
    }
    bool done = false;
    KeyspaceCompletion last;
  } sink;
  Outbox outbox;
  KeyspaceMachine machine(parts, outbox, {.timeout_ms = 1000});
  machine.set_sink(&sink);
  machine.publish(view);
  std::vector<std::string> seen;
  const Now now{1, 1};
  uint64_t cursor = 0;
  do {
    sink.done = false;
    machine.submit({.kind = Kind::kScan, .cursor = cursor, .count = 20}, 1, now);
    while (!sink.done) {
      ASSERT_EQ(outbox.range_loads.size(), 1U);
      const RangeLoad load = outbox.range_loads[0];
      outbox.range_loads.clear();
      machine.on_scanned(load.operation, read_stored_page(parts, load), now);
    }
    ASSERT_EQ(sink.last.outcome, Outcome::kOk);
    seen.insert(seen.end(), sink.last.keys.begin(), sink.last.keys.end());
    cursor = sink.last.cursor;
  } while (cursor != 0);
  EXPECT_THAT(seen, UnorderedElementsAreArray(written));

  machine.submit({.kind = Kind::kScan}, 2, now);
  ScanPage failed;
  failed.access = engine::Access::kRefused;
  sink.done = false;
  machine.on_scanned(outbox.range_loads.at(0).operation, failed, now);
  ASSERT_TRUE(sink.done);
  EXPECT_EQ(sink.last.outcome, Outcome::kNoQuorum);
}

// ---- DBSIZE

TEST(KeyspaceCount, IsExactWhenReplicasAgree) {
  for (const uint32_t members : {1U, 3U, 6U}) {
    KeyspaceCluster cluster({.members = members});
    for (uint64_t number = 0; number < 700; ++number) {
      const std::string key = key_number(number);
      cluster.write(0, key, cluster.primaries(key));
    }
    for (size_t at = 0; at < members; ++at) EXPECT_EQ(cluster.count(at).count, 700U);
    EXPECT_EQ(cluster.count(0, 3).count, 0U);
  }
}

TEST(KeyspaceCount, IsExactWithAPrimaryDownAndInOneRoundTrip) {
  KeyspaceCluster cluster({.members = 5});
  for (uint64_t number = 0; number < 700; ++number) {
    const std::string key = key_number(number);
    cluster.write(0, key, cluster.primaries(key));
  }
  cluster.isolate(2);
  const uint64_t before = cluster.frames_sent();
  EXPECT_EQ(cluster.count(0).count, 700U);
  EXPECT_EQ(cluster.frames_sent() - before, 6U);
}

TEST(KeyspaceCount, AMemberThatDiesOrIsSilentIsDoneWithout) {
  KeyspaceCluster cluster;
  for (uint64_t number = 0; number < 200; ++number) {
    cluster.write(0, key_number(number), {0, 1, 2});
  }
  const uint64_t tag = cluster.submit(0, {.kind = Kind::kCount});
  cluster.isolate(1);
  EXPECT_EQ(cluster.await(0, tag).count, 200U);
  cluster.isolate(1, false);
  cluster.node(1).silent = true;
  EXPECT_EQ(cluster.count(0).count, 200U);
}

TEST(KeyspaceCount, APartitionWithoutReachablePrimaryIsNoQuorum) {
  KeyspaceCluster cluster({.members = 4, .n = 1, .r = 1, .w = 1});
  cluster.isolate(3);
  EXPECT_EQ(cluster.count(0).outcome, Outcome::kNoQuorum);
  cluster.isolate(3, false);
  cluster.node(3).silent = true;
  EXPECT_EQ(cluster.count(0).outcome, Outcome::kNoQuorum);
}

// ---- FLUSHDB, FLUSHALL

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
  const auto done = cluster.perform(1, {.kind = Kind::kFlush, .all_keyspaces = true});
  EXPECT_EQ(done.outcome, Outcome::kOk);
  for (uint8_t keyspace = 0; keyspace < kKeyspacesMax; ++keyspace) {
    EXPECT_EQ(cluster.count(0, keyspace).count, 0U);
  }
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
    const uint64_t tag = cluster.submit(0, {.kind = Kind::kFlush});
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

// In the same millisecond, on every node, and on a clock that was not read since.
TEST(KeyspaceFlush, SparesWhatIsWrittenNext) {
  for (size_t author = 0; author < 3; ++author) {
    KeyspaceCluster cluster;
    cluster.write(author, "before", {0, 1, 2});
    cluster.pass_ms(10);
    const uint64_t tag = cluster.submit(0, {.kind = Kind::kFlush});
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
  const uint64_t tag = cluster.submit(0, {.kind = Kind::kFlush});
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
    const uint64_t tag = cluster.submit(0, {.kind = Kind::kFlush});
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
    for (size_t at = 0; at < 3; ++at) tags.push_back(cluster.submit(at, {.kind = Kind::kFlush}));
    for (size_t at = 0; at < 3; ++at) {
      EXPECT_EQ(cluster.await(at, tags[at]).outcome, Outcome::kOk);
    }
    EXPECT_THAT(cluster.scan_all(0), IsEmpty());
  }
  cluster.settle();
  EXPECT_EQ(cluster.node(0).marks.mark(0), cluster.node(1).marks.mark(0));
  EXPECT_EQ(cluster.node(0).marks.mark(0), cluster.node(2).marks.mark(0));
}

// ---- the machine

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
    machine.submit({.kind = kind}, tag, cluster.now_at(0));
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

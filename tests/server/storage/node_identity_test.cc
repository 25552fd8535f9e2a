// SPDX-License-Identifier: Apache-2.0
#include "server/storage/node_identity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>

#include "base/bytes.h"
#include "tests/engine/map_store.h"

namespace kvorum::server {
namespace {

using engine::testing::MapStore;
using testing::HasSubstr;

StoreClaim claim_of(const std::string& name, size_t members = 1) {
  StoreClaim claim;
  claim.directory = "data/x";
  claim.node_name = name;
  claim.cluster_name = "demo";
  claim.node_id = 11;
  claim.cluster_id = 22;
  claim.partitions = 16;
  claim.addressed_cluster_id = 21;
  for (size_t i = 0; i < members; ++i)
    claim.member_names.emplace_back(1, 'a' + static_cast<char>(i));
  claim.alone = members == 1;
  claim.configuration.id_seed = claim.cluster_id;
  for (const std::string& member : claim.member_names) {
    claim.configuration.members.push_back({member, 1, {}, {}});
  }
  for (uint8_t db = 0; db < kKeyspacesMax; ++db) claim.configuration.keyspaces[db].db = db;
  return claim;
}

SessionStart begin(MapStore& store, const StoreClaim& claim, uint64_t fresh) {
  auto started = begin_session(store, claim, fresh);
  EXPECT_TRUE(started.ok()) << started.status().message();
  return started.ok() ? std::move(started).value() : SessionStart();
}

TEST(NodeIdentityTest, AnEmptyStoreIsClaimed) {
  MapStore store;
  const SessionStart start = begin(store, claim_of("a"), 77);
  EXPECT_EQ(start.incarnation, 77u);
  EXPECT_FALSE(start.was_clean);
  EXPECT_EQ(start.clock_least, Hlc{});
}

TEST(NodeIdentityTest, WhoWaitsClaimsNothing) {
  MapStore store;
  StoreClaim waiting = claim_of("f", 3);
  waiting.waits = true;
  EXPECT_TRUE(begin(store, waiting, 77).configurations.empty());
  StoreClaim admitted = claim_of("f", 3);
  admitted.node_id = 99;
  EXPECT_EQ(begin(store, admitted, 78).configurations.size(), 1u);
  waiting.node_id = 98;
  EXPECT_FALSE(begin_session(store, waiting, 79).ok());
}

TEST(NodeIdentityTest, AnIncarnationIsKeptByWhoIsAlone) {
  MapStore store;
  StoreClaim claim = claim_of("a", 1);
  begin(store, claim, 77);
  ASSERT_TRUE(end_session(store, 77, Hlc{5}).ok());
  EXPECT_EQ(begin(store, claim, 78).incarnation, 77u);
  ASSERT_TRUE(end_session(store, 77, Hlc{6}).ok());
  claim.alone = false;  // another node joined
  EXPECT_EQ(begin(store, claim, 79).incarnation, 79u);
}

TEST(NodeIdentityTest, AStoreOfAnotherNodeIsRefusedWithBothNames) {
  MapStore store;
  begin(store, claim_of("b"), 1);
  const auto refused = begin_session(store, claim_of("a"), 2);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.status().code(), Code::kExists);
  EXPECT_THAT(refused.status().message(),
              testing::AllOf(HasSubstr("data/x"), HasSubstr("belongs to node b of cluster demo"),
                             HasSubstr("this is node a")));
}

std::string refusal(MapStore& store, const StoreClaim& claim) {
  const auto begun = begin_session(store, claim, 2);
  EXPECT_FALSE(begun.ok());
  return begun.status().message();
}

TEST(NodeIdentityTest, AStoreOfAnotherFoundingIsRefusedWithBothValues) {
  MapStore store;
  begin(store, claim_of("a", 3), 1);
  StoreClaim other = claim_of("a", 3);
  other.partitions = 32;
  EXPECT_THAT(refusal(store, other), HasSubstr("cluster.partitions 16, the configuration says 32"));
  other = claim_of("a", 3);
  other.partitioner = Partitioner::kSlots;
  EXPECT_THAT(refusal(store, other), HasSubstr("partitioner md5, the configuration says slots"));
  other = claim_of("a", 3);
  other.member_names.back() = "x";
  EXPECT_THAT(refusal(store, other), HasSubstr("members a, b, c, the configuration says a, b, x"));
  other = claim_of("a", 3);
  other.cluster_id = 23;
  EXPECT_THAT(refusal(store, other), HasSubstr("cluster id"));
  EXPECT_TRUE(begin_session(store, claim_of("a", 3), 3).ok());
}

// As version 1 wrote it: names, node id, cluster id.
void write_addressed_identity(MapStore& store, uint64_t cluster_id) {
  std::string identity;
  put_u8(identity, 1);
  put_bytes(identity, "a");
  put_bytes(identity, "demo");
  put_u64(identity, 10);
  put_u64(identity, cluster_id);
  engine::StoreBatch batch;
  const std::string fact(1, engine::kFactPrefix);
  batch.put(fact + "identity", identity);
  batch.put(fact + "tree/x", "a page");
  ASSERT_TRUE(store.write(batch, true).ok());
}

TEST(NodeIdentityTest, AStoreOfAnEarlierVersionIsTakenOver) {
  for (const uint64_t cluster_id : {21, 99}) {  // under the same addresses, and under others
    MapStore store;
    write_addressed_identity(store, cluster_id);
    ASSERT_TRUE(end_session(store, 7, Hlc{500}).ok());
    const SessionStart start = begin(store, claim_of("a", 3), 1);
    EXPECT_EQ(start.former_cluster_id, cluster_id);
    EXPECT_TRUE(start.was_clean);
    EXPECT_THAT(start.taken_over, HasSubstr("taken over"));
    EXPECT_EQ(start.taken_over.find("other addresses") == std::string::npos, cluster_id == 21);
    ASSERT_EQ(start.configurations.size(), 2u);
    EXPECT_EQ(start.configurations[1], claim_of("a", 3).configuration);
    EXPECT_EQ(start.configurations[0].id_seed, cluster_id) << "who owned what went by it";
    std::string page;
    EXPECT_EQ(store.read(std::string(1, engine::kFactPrefix) + "tree/x", &page).code(),
              Code::kNotFound)
        << "its digests are of the former id";
    const SessionStart next = begin(store, claim_of("a", 3), 2);
    EXPECT_EQ(next.former_cluster_id, 0u);
    EXPECT_EQ(next.configurations, start.configurations);
  }
}

TEST(NodeIdentityTest, AnEarlierVersionsStoreOfAnotherPartitionerOrRingIsRefused) {
  MapStore store;
  write_addressed_identity(store, 99);
  std::string roots;
  put_u8(roots, 1);
  put_u32(roots, 64);
  ASSERT_TRUE(end_session(store, 7, Hlc{500}, roots).ok());
  EXPECT_THAT(refusal(store, claim_of("a", 3)), HasSubstr("partitions 64"));
  MapStore slots;
  write_addressed_identity(slots, 99);
  engine::StoreBatch batch;
  batch.put(engine::store_key({"k", position_of("k", Partitioner::kSlots), 0}), "record");
  ASSERT_TRUE(slots.write(batch, true).ok());
  EXPECT_THAT(refusal(slots, claim_of("a", 3)), HasSubstr("partitioner slots"));
}

TEST(SessionFactsTest, ConfigurationsAreKeptInTheirOrder) {
  MapStore store;
  cluster::HybridClock clock;
  cluster::FlushMarks marks;
  SessionFacts facts(&store, &clock, &marks, false);
  const SessionStart first = begin(store, claim_of("a"), 1);
  EXPECT_EQ(first.configurations, std::vector{claim_of("a").configuration});
  std::vector<cluster::Configuration> kept = first.configurations;
  kept.push_back(kept[0]);
  kept[1].keyspaces[3].n = 5;
  ASSERT_TRUE(facts.keep_configurations(kept).ok());
  EXPECT_EQ(begin(store, claim_of("a"), 2).configurations, kept);
}

TEST(NodeIdentityTest, ADamagedIdentityIsNotOverwritten) {
  MapStore store;
  begin(store, claim_of("a"), 1);
  engine::StoreBatch damaged;
  damaged.put(std::string(1, engine::kFactPrefix) + "identity", "?");
  ASSERT_TRUE(store.write(damaged, true).ok());
  const auto refused = begin_session(store, claim_of("a"), 2);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.status().code(), Code::kInvalid);
}

TEST(NodeIdentityTest, ALoneNodeKeepsItsIncarnationThroughACleanStopOnce) {
  MapStore store;
  begin(store, claim_of("a"), 1);
  ASSERT_TRUE(end_session(store, 1, Hlc{500}).ok());
  const SessionStart clean = begin(store, claim_of("a"), 2);
  EXPECT_TRUE(clean.was_clean);
  EXPECT_EQ(clean.incarnation, 1u);
  EXPECT_EQ(clean.clock_least, Hlc{500});
  // The marker is gone: what ends now without end_session() is a crash.
  const SessionStart crashed = begin(store, claim_of("a"), 3);
  EXPECT_FALSE(crashed.was_clean);
  EXPECT_EQ(crashed.incarnation, 3u);
}

TEST(NodeIdentityTest, AMemberOfALargerClusterAlwaysBeginsANewIncarnation) {
  MapStore store;
  begin(store, claim_of("a", 3), 1);
  ASSERT_TRUE(end_session(store, 1, Hlc{500}).ok());
  const SessionStart start = begin(store, claim_of("a", 3), 2);
  EXPECT_TRUE(start.was_clean);
  EXPECT_EQ(start.incarnation, 2u);
}

TEST(NodeIdentityTest, AStoreThatCannotBeReadOrWrittenIsAnError) {
  MapStore store;
  store.set_broken(true);
  EXPECT_FALSE(begin_session(store, claim_of("a"), 1).ok());
}

TEST(SessionFactsTest, TheClockIsReservedAheadOfItsReadings) {
  MapStore store;
  cluster::HybridClock clock;
  cluster::FlushMarks marks;
  SessionFacts facts(&store, &clock, &marks, false);
  begin(store, claim_of("a"), 1);
  for (uint64_t wall_ms = 1000; wall_ms < 3000; wall_ms += 10) {
    const Hlc reading = clock.tick(wall_ms);
    ASSERT_TRUE(facts.keep_clock(wall_ms).ok());
    // A crash here, and a wall clock set back: the next session starts above.
    const SessionStart next = begin(store, claim_of("a"), 2);
    ASSERT_GT(next.clock_least, reading);
    ASSERT_LE(next.clock_least.ms(), reading.ms() + SessionFacts::kReservedMs);
  }
}

TEST(SessionFactsTest, TheClockIsNotWrittenEveryTime) {
  MapStore store;
  cluster::HybridClock clock;
  cluster::FlushMarks marks;
  SessionFacts facts(&store, &clock, &marks, false);
  for (uint64_t i = 0; i < 100; ++i) ASSERT_TRUE(facts.keep_clock(1000 + i).ok());
  EXPECT_EQ(store.writes(), 1u);
}

TEST(SessionFactsTest, FlushMarksAreStoredBeforeTheyAreCalledSo) {
  MapStore store;
  cluster::HybridClock clock;
  cluster::FlushMarks marks;
  SessionFacts facts(&store, &clock, &marks, true);
  ASSERT_TRUE(marks.merge(0, {{5, 6, Hlc{700}}}));
  EXPECT_LT(marks.stored(), marks.generation());
  store.set_broken(true);
  EXPECT_FALSE(facts.keep_marks().ok());
  EXPECT_LT(marks.stored(), marks.generation());
  store.set_broken(false);
  EXPECT_TRUE(facts.keep_marks().ok());
  EXPECT_EQ(marks.stored(), marks.generation());

  cluster::FlushMarks again;
  ASSERT_TRUE(again.merge_encoded(begin(store, claim_of("a"), 1).flush_marks));
  EXPECT_EQ(again.mark(0), marks.mark(0));
}

TEST(SessionFactsTest, OlderMarksDoNotReplaceLaterOnes) {
  MapStore store;
  cluster::HybridClock clock;
  cluster::FlushMarks marks;
  SessionFacts facts(&store, &clock, &marks, true);
  ASSERT_TRUE(marks.merge(0, {{5, 6, Hlc{700}}}));
  std::atomic<bool> is_first{true};
  std::future<Status> other;
  store.on_write = [&] {
    if (!is_first.exchange(false)) return;
    ASSERT_TRUE(marks.merge(0, {{5, 6, Hlc{800}}}));
    other = std::async(std::launch::async, [&] { return facts.keep_marks(); });
    // It is made to wait for this write, or ends before it.
    other.wait_for(std::chrono::milliseconds(100));
  };
  ASSERT_TRUE(facts.keep_marks().ok());
  ASSERT_TRUE(other.get().ok());
  EXPECT_EQ(marks.stored(), marks.generation());

  cluster::FlushMarks again;
  ASSERT_TRUE(again.merge_encoded(begin(store, claim_of("a"), 1).flush_marks));
  EXPECT_EQ(again.mark(0), marks.mark(0));
}

TEST(SessionFactsTest, WhatASalvageMayHaveLostIsWrittenAgain) {
  MapStore store;
  cluster::HybridClock clock;
  cluster::FlushMarks marks;
  SessionFacts facts(&store, &clock, &marks, true);
  ASSERT_TRUE(marks.merge(0, {{5, 6, Hlc{700}}}));
  ASSERT_TRUE(facts.keep_clock(5000).ok());
  ASSERT_TRUE(facts.keep_marks().ok());
  for (const auto& [key, value] : store.values()) store.lose(key);
  ASSERT_TRUE(facts.write_again(5000).ok());
  const SessionStart next = begin(store, claim_of("a"), 1);
  EXPECT_GE(next.clock_least.ms(), 5000u);
  cluster::FlushMarks again;
  ASSERT_TRUE(again.merge_encoded(next.flush_marks));
  EXPECT_EQ(again.mark(0), marks.mark(0));
}

}  // namespace
}  // namespace kvorum::server

// SPDX-License-Identifier: Apache-2.0
#include "server/node_identity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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
  claim.members = members;
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

TEST(NodeIdentityTest, AStoreOfAnotherFoundingIsRefused) {
  MapStore store;
  begin(store, claim_of("a"), 1);
  StoreClaim other = claim_of("a");
  other.cluster_id = 23;
  const auto refused = begin_session(store, other, 2);
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.status().message(), HasSubstr("other founding members"));
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

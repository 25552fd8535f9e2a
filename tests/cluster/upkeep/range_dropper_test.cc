// SPDX-License-Identifier: Apache-2.0
// What this node gives up of partitions that it owns no more, turn by turn: it is n0 of four, with
// objects of partitions of the three others.
#include "cluster/upkeep/range_dropper.h"

#include <gmock/gmock.h>

#include "tests/cluster/lone_history.h"
#include "tests/engine/map_store.h"

namespace kvorum::cluster::fixtures {
namespace {

using ::testing::IsEmpty;

constexpr uint64_t kTurnUs = RangeDropper::kTurnUs, kLookUs = RangeDropper::kLookUs;

struct LoneDropper : LoneHistory {
  explicit LoneDropper(const LoneShape& shape = {.members = 4}) : LoneHistory(shape) {}

  void put_many(uint32_t partition, size_t count, uint8_t keyspace = 0) {
    for (const std::string& key : keys_in(partition, count)) {
      put(key, object_of(1, 1, "v"), keyspace);
    }
  }
  uint64_t records(uint32_t partition, uint8_t keyspace = 0) const {
    return table.record_count(keyspace, partition);
  }
  // Another view came, and its turn is due.
  void look() {
    dropper.publish(now);
    turn();
  }
  void turn() {
    ASSERT_NE(dropper.next_deadline_us(), 0u);
    if (dropper.next_deadline_us() > now.steady_us) {
      pass_us(dropper.next_deadline_us() - now.steady_us);
    }
    dropper.on_time(now);
  }
  uint64_t due_in_us() const { return dropper.next_deadline_us() - now.steady_us; }
  // As gossip tells it.
  void tell_run(uint32_t number, uint64_t run) {
    FrontierRounds of_peer({founder(number)}, founder(number), run);
    std::string bytes;
    of_peer.encode(bytes);
    ASSERT_TRUE(frontier->merge_gossip(bytes));
  }
  uint64_t dropped() const { return core.counters.ranges_dropped; }

  RangeDropper dropper{core};
};

struct RangeDropperTest : ::testing::Test {
  RangeDropperTest() { lone.touch(); }
  explicit RangeDropperTest(const LoneShape& shape) : lone(shape) { lone.touch(); }

  LoneDropper lone;
  const uint32_t foreign = lone.partition_of_self(false), own = lone.partition_of_self(true);
};

TEST_F(RangeDropperTest, WhatEveryOwnerHasGoes) {
  lone.put_many(foreign, 20);
  lone.put_many(own, 20);
  lone.note_with({1, 2, 3}, foreign);
  lone.note_with({1, 2, 3}, own);
  lone.look();
  EXPECT_EQ(lone.records(foreign), 0u);
  EXPECT_EQ(lone.table.digest(0, foreign), 0u);
  EXPECT_EQ(lone.records(own), 20u);
  EXPECT_EQ(lone.dropped(), 1u);
  lone.turn();
  EXPECT_EQ(lone.dropper.left(), 0u);
  EXPECT_EQ(lone.dropper.next_deadline_us(), 0u) << "nothing is left to do";
}

TEST_F(RangeDropperTest, WaitsForEachOwner) {
  lone.put_many(foreign, 3);
  lone.look();
  for (const uint32_t founder : {1u, 2u, 3u}) {
    EXPECT_EQ(lone.records(foreign), 3u) << founder;
    EXPECT_EQ(lone.dropper.left(), 1u);
    EXPECT_EQ(lone.due_in_us(), kLookUs);
    lone.note_with({founder}, foreign);
    lone.pass_us(kLookUs - 1);
    lone.dropper.on_time(lone.now);
    EXPECT_EQ(lone.records(foreign), 3u) << "not before it is due";
    lone.turn();
  }
  EXPECT_EQ(lone.records(foreign), 0u);
}

TEST_F(RangeDropperTest, ExchangesThatDoNotCount) {
  lone.put_many(foreign, 3);
  lone.note_with({1, 2}, foreign);
  const std::vector<std::pair<const char*, std::function<void(CleanExchange&)>>> cases = {
      {"begun by what was known before",
       [&](CleanExchange& one) { one.signature = lone.founded(); }},
      {"of who knew something else", [](CleanExchange& one) { one.signature = 0; }},
      {"in an earlier run", [](CleanExchange& one) { one.run = LoneCore::kIncarnation - 1; }},
  };
  for (const auto& [why, spoil] : cases) {
    CleanExchange exchange = lone.exchange_with(3, foreign);
    spoil(exchange);
    lone.note(foreign, exchange);
    lone.look();
    EXPECT_EQ(lone.records(foreign), 3u) << why;
  }
  lone.note(foreign, lone.exchange_with(3, foreign), 1);
  lone.look();
  EXPECT_EQ(lone.records(foreign), 3u) << "of another keyspace";
  lone.note_with({3}, foreign);
  lone.look();
  EXPECT_EQ(lone.records(foreign), 0u);
}

// Whoever learned of a change in between exchanges once more.
TEST_F(RangeDropperTest, AnotherChangeAsksForNewExchanges) {
  lone.put_many(foreign, 3);
  lone.note_with({1, 2, 3}, foreign);
  lone.touch();
  lone.look();
  EXPECT_EQ(lone.records(foreign), 3u);
  lone.note_with({1, 2, 3}, foreign);
  lone.look();
  EXPECT_EQ(lone.records(foreign), 0u);
}

TEST_F(RangeDropperTest, EachKeyspaceByItself) {
  lone.put_many(foreign, 3);
  lone.put_many(foreign, 4, 2);
  for (const uint32_t founder : {1u, 2u, 3u}) {
    lone.note(foreign, lone.exchange_with(founder, foreign), 2);
  }
  lone.look();
  EXPECT_EQ(lone.records(foreign), 3u);
  EXPECT_EQ(lone.records(foreign, 2), 0u);
}

TEST_F(RangeDropperTest, NotWhileItIsOwnedUnderASetInPlay) {
  lone.put_many(own, 3);
  lone.leave(0);
  ASSERT_NE(lone.view->find_moving(own), nullptr);
  lone.note_with({1, 2, 3}, own);
  lone.look();
  EXPECT_EQ(lone.records(own), 3u);
  lone.learn({Fact::settled(own, lone.newest())});
  lone.note_with({1, 2, 3}, own);
  lone.look();
  EXPECT_EQ(lone.records(own), 0u);
}

TEST_F(RangeDropperTest, NotForOwnersThatAreStillToCome) {
  lone.put_many(foreign, 3);
  lone.leave(1);  // n0 is to own it
  lone.note_with({1, 2, 3}, foreign);
  lone.look();
  EXPECT_EQ(lone.records(foreign), 3u);
}

TEST(RangeDropperUnchanged, WhereTheRingNeverChangedNothingIsLookedAt) {
  LoneDropper lone;
  const uint32_t foreign = lone.partition_of_self(false);
  lone.put_many(foreign, 3);
  lone.note_with({1, 2, 3}, foreign);
  lone.look();
  EXPECT_EQ(lone.records(foreign), 3u);
  EXPECT_EQ(lone.dropper.next_deadline_us(), 0u);
}

TEST(RangeDropperWithoutExchanges, DropsNothing) {
  LoneDropper lone(
      {.members = 4, .adjust_parts = [](NodeParts& parts) { parts.exchanges = nullptr; }});
  lone.touch();
  lone.put_many(lone.partition_of_self(false), 3);
  lone.look();
  EXPECT_EQ(lone.dropper.left(), 1u);
}

TEST_F(RangeDropperTest, ATurnIsBounded) {
  uint32_t other = foreign + 1;
  while (found_view(lone.founding, "n0").is_primary(0, 0, other)) ++other;
  lone.put_many(foreign, 10);
  lone.put_many(other, RangeDropper::kRecordsPerTurn);
  for (const uint32_t partition : {foreign, other}) lone.note_with({1, 2, 3}, partition);
  lone.look();
  EXPECT_EQ(lone.records(other), 0u);
  EXPECT_EQ(lone.records(foreign), 10u);
  EXPECT_EQ(lone.due_in_us(), kTurnUs);
  lone.turn();
  EXPECT_EQ(lone.records(foreign), 0u);
  EXPECT_EQ(lone.dropped(), 2u);
}

TEST_F(RangeDropperTest, WhatIsOwnedAgainBeforeItsTurnStays) {
  uint32_t other = foreign + 1;
  while (found_view(lone.founding, "n0").is_primary(0, 0, other)) ++other;
  lone.put_many(foreign, 10);
  lone.put_many(other, RangeDropper::kRecordsPerTurn);
  for (const uint32_t partition : {foreign, other}) lone.note_with({1, 2, 3}, partition);
  lone.look();
  ASSERT_EQ(lone.records(foreign), 10u);
  lone.leave(1);
  ASSERT_TRUE(lone.view->is_owner(0, 0, foreign));
  lone.turn();
  EXPECT_EQ(lone.records(foreign), 10u);
}

// ---- the frontier

struct DropperWithFrontier : RangeDropperTest {
  DropperWithFrontier() : RangeDropperTest({.members = 4, .has_frontier = true}) {
    lone.raise_frontier(Hlc::from_ms(LoneCore::kWallMs));
    lone.put_many(foreign, 3);
    for (const uint32_t founder : {1u, 2u, 3u}) {
      lone.tell_run(founder, LoneCore::run_of(static_cast<MemberIndex>(founder)));
    }
    lone.note_with({1, 2, 3}, foreign);
  }
  Hlc frontier(uint32_t partition, uint8_t keyspace = 0) const {
    return lone.frontier->copies().of(keyspace, partition);
  }
};

TEST_F(DropperWithFrontier, WhatIsDroppedKnowsNothing) {
  lone.look();
  EXPECT_EQ(lone.records(foreign), 0u);
  EXPECT_EQ(frontier(foreign), Hlc{});
  EXPECT_NE(frontier(foreign, 1), Hlc{});
  EXPECT_NE(frontier(own), Hlc{});
}

// Between the last write of the disk and its end it may have forgotten what it was given.
TEST_F(DropperWithFrontier, AnOwnerThatStartedAnewIsAskedAgain) {
  FrontierEntry later;
  later.node = lone.founder(2);
  later.run = LoneCore::run_of(2) + 50;
  later.sequence = 2;
  std::string bytes;
  for (const uint64_t number : {later.node, later.run, later.sequence}) put_u64(bytes, number);
  for (int report = 0; report < 6; ++report) put_u64(bytes, 0);
  ASSERT_TRUE(lone.frontier->merge_gossip(bytes));
  ASSERT_EQ(lone.frontier->run_of(later.node), later.run);
  lone.look();
  EXPECT_EQ(lone.records(foreign), 3u);
  EXPECT_NE(frontier(foreign), Hlc{});
  CleanExchange exchange = lone.exchange_with(2, foreign);
  exchange.peer_run = later.run;
  lone.note(foreign, exchange);
  lone.look();
  EXPECT_EQ(lone.records(foreign), 0u);
}

// ---- from the store

class DropperOverStore : public ::testing::Test {
 protected:
  static constexpr size_t kStored = RangeDropper::kStoredPerPage + 100;

  DropperOverStore() {
    LoneDropper before({.members = 4, .store = &store});
    foreign = before.partition_of_self(false);
    before.put_many(foreign, kStored);
    KVORUM_CHECK(before.table.commits().commit(true).ok());
    lone = std::make_unique<LoneDropper>(
        LoneShape{.members = 4, .has_frontier = true, .store = &store, .memory_bytes_max = 1});
    lone->touch();
    lone->raise_frontier(Hlc::from_ms(LoneCore::kWallMs));
    for (const uint32_t founder : {1u, 2u, 3u}) {
      lone->tell_run(founder, LoneCore::run_of(static_cast<MemberIndex>(founder)));
    }
    lone->note_with({1, 2, 3}, foreign);
    lone->look();
  }
  RangeLoad take_load() {
    KVORUM_CHECK(lone->core.outbox.range_loads.size() == 1);
    const RangeLoad load = lone->core.outbox.range_loads.at(0);
    lone->core.outbox.range_loads.clear();
    return load;
  }
  bool asks() const { return !lone->core.outbox.range_loads.empty(); }
  void answer(const ScanPage& page) { lone->dropper.on_scanned(page, lone->now); }
  Hlc frontier() const { return lone->frontier->copies().of(0, foreign); }

  engine::testing::MapStore store;
  std::unique_ptr<LoneDropper> lone;
  uint32_t foreign = 0;
};

TEST_F(DropperOverStore, PageAfterPageIsDropped) {
  EXPECT_EQ(frontier(), Hlc{}) << "before the first object goes";
  int pages = 0;
  while (asks()) {
    const RangeLoad load = take_load();
    EXPECT_EQ(load.reader, RangeLoad::Reader::kRangeDropper);
    EXPECT_EQ(load.partition, foreign);
    EXPECT_EQ(load.count_min, RangeDropper::kStoredPerPage);
    EXPECT_EQ(lone->dropper.next_deadline_us(), 0u) << "it waits for the store";
    lone->pass_us(10 * kLookUs);
    lone->dropper.on_time(lone->now);
    EXPECT_FALSE(asks()) << "one page at a time";
    answer(read_stored_page(lone->core.parts, load));
    ASSERT_LT(++pages, 5);
  }
  EXPECT_EQ(pages, 2);
  EXPECT_EQ(lone->records(foreign), 0u);
  EXPECT_EQ(lone->dropped(), 1u);
  EXPECT_EQ(lone->table.digest(0, foreign), 0u);
  lone->turn();
  while (lone->dropper.next_deadline_us() != 0) lone->turn();
  EXPECT_FALSE(asks());
  KVORUM_CHECK(lone->table.commits().commit(true).ok());
  EXPECT_THAT(store.values(), IsEmpty());
}

TEST_F(DropperOverStore, TheNextPageBeginsWhereTheLastOneEnded) {
  EXPECT_EQ(take_load().from, Position{});
  ScanPage page;
  page.done = false;
  page.next = Position{(uint64_t{foreign} << 60) + 77, 0};
  answer(page);
  EXPECT_EQ(take_load().from, page.next);
}

TEST_F(DropperOverStore, WhatArrivedMeanwhileIsDroppedToo) {
  take_load();
  ScanPage page;  // the end was reached, but something is there
  answer(page);
  EXPECT_EQ(lone->dropped(), 0u);
  EXPECT_EQ(lone->due_in_us(), 0u);
  lone->turn();
  EXPECT_TRUE(asks());
}

TEST_F(DropperOverStore, WhereTheStoreRefusesItTriesAgainLater) {
  take_load();
  ScanPage page;
  page.access = engine::Access::kRefused;
  answer(page);
  EXPECT_EQ(lone->dropped(), 0u);
  EXPECT_EQ(lone->due_in_us(), RangeDropper::kRetryUs);
  lone->turn();
  EXPECT_TRUE(asks());
}

TEST_F(DropperOverStore, WhatIsOwnedAgainIsReadNoFurther) {
  take_load();
  const uint64_t left = lone->records(foreign);
  lone->leave(1);
  ASSERT_TRUE(lone->view->is_owner(0, 0, foreign));
  ScanPage page;
  page.done = false;
  answer(page);
  EXPECT_FALSE(asks());
  EXPECT_EQ(lone->dropped(), 0u);
  lone->turn();
  EXPECT_FALSE(asks());
  EXPECT_GT(left, 0u);
  EXPECT_EQ(lone->records(foreign), left);
}

}  // namespace
}  // namespace kvorum::cluster::fixtures

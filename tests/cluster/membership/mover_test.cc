// SPDX-License-Identifier: Apache-2.0
// What a node states of the partitions that move: it is n0 of four, another one leaves, and it is a
// new owner of some partitions and an old one of the others.
#include "cluster/membership/mover.h"

#include <gmock/gmock.h>

#include "tests/cluster/lone_history.h"

namespace kvorum::cluster::fixtures {
namespace {

constexpr uint64_t kLookUs = Mover::kLookUs;

struct LoneMover : LoneHistory {
  explicit LoneMover(const LoneShape& shape = {.members = 4}) : LoneHistory(shape) {}

  // One look, as after a new view.
  void look() {
    mover.publish(now);
    pass_us(mover.next_deadline_us() - now.steady_us);
    mover.on_time(now);
    follow();
  }
  size_t facts() const {
    size_t facts = shared.history()->gone().size();
    for (const auto& [partition, known] : shared.history()->facts()) facts += known->size();
    return facts;
  }
  Fact confirmation(uint32_t partition, NodeId node) const {
    return Fact::confirmed(partition, node, newest(), {founded()});
  }
  Fact vote(uint32_t partition, NodeId node) const { return Fact::vote(partition, node, newest()); }
  bool confirmed(uint32_t partition) const {
    return knows(confirmation(partition, core.self_id()));
  }
  bool voted(uint32_t partition) const { return knows(vote(partition, core.self_id())); }
  bool settled(uint32_t partition) const { return knows(Fact::settled(partition, newest())); }
  void settle_all(uint32_t but = kPartitions) {
    std::vector<Fact> facts;
    for (uint32_t partition = 0; partition < kPartitions; ++partition) {
      if (partition != but) facts.push_back(Fact::settled(partition, newest()));
    }
    learn(facts);
  }

  Mover mover{core};
};

struct MoverTest : ::testing::Test {
  LoneMover lone;
  const uint32_t gained = lone.partition_of_self(false), kept = lone.partition_of_self(true);
};

// ---- when it looks

TEST_F(MoverTest, DoesNothingWhereNothingChanged) {
  lone.look();
  EXPECT_EQ(lone.mover.next_deadline_us(), 0u);
  lone.touch();  // no partition moves
  lone.look();
  EXPECT_EQ(lone.mover.next_deadline_us(), 0u);
  EXPECT_EQ(lone.facts(), 0u);
}

TEST(MoverWithoutHistory, DoesNothing) {
  LoneCore lone;
  Mover mover(lone.core);
  mover.on_time(lone.now);
  EXPECT_EQ(mover.next_deadline_us(), 0u);
}

TEST_F(MoverTest, LooksAgainWhileSomethingMoves) {
  lone.leave(1);
  lone.look();
  EXPECT_EQ(lone.mover.next_deadline_us(), lone.now.steady_us + kLookUs);
  lone.note_with({2, 3}, gained);
  lone.pass_us(kLookUs - 1);
  lone.mover.on_time(lone.now);
  EXPECT_FALSE(lone.confirmed(gained)) << "not before it is due";
  lone.pass_us(1);
  lone.mover.on_time(lone.now);
  EXPECT_TRUE(lone.confirmed(gained));
}

TEST_F(MoverTest, LooksAtOnceAfterANewView) {
  lone.leave(1);
  lone.mover.publish(lone.now);
  EXPECT_EQ(lone.mover.next_deadline_us(), lone.now.steady_us + 1);
}

TEST_F(MoverTest, FactsThatComeInABunchAreLookedAtTogether) {
  lone.leave(1);
  lone.look();
  const uint64_t looked_us = lone.now.steady_us;
  lone.mover.publish(lone.now);
  EXPECT_EQ(lone.mover.next_deadline_us(), looked_us + Mover::kNewsUs);
  lone.pass_us(2 * Mover::kNewsUs);
  lone.mover.publish(lone.now);
  EXPECT_EQ(lone.mover.next_deadline_us(), lone.now.steady_us + 1);
}

TEST_F(MoverTest, WhoWasRemovedStatesNothing) {
  lone.leave(1);
  lone.note_with({2, 3}, gained);
  lone.remove(0);
  lone.note_with({2, 3}, gained);
  lone.look();
  EXPECT_EQ(lone.facts(), 0u);
  EXPECT_EQ(lone.mover.next_deadline_us(), 0u);
}

TEST_F(MoverTest, WhoIsNoMemberYetStatesNothing) {
  SharedHistory shared({4711, 1}, History(lone.founding),
                       std::make_shared<const ClusterView>(found_view(lone.founding, "")));
  LoneCore waiting(
      {.is_member = false, .adjust_parts = [&](NodeParts& parts) { parts.history = &shared; }});
  shared.add(make_change(5, ChangeKind::kLeave, lone.founder(1)));
  waiting.view = shared.view();
  waiting.core.view = shared.view();
  Mover mover(waiting.core);
  mover.on_time(waiting.now);
  EXPECT_EQ(mover.next_deadline_us(), 0u);
}

// ---- confirmed

TEST_F(MoverTest, ConfirmsWithKWholeSources) {
  lone.leave(1);
  lone.look();
  EXPECT_FALSE(lone.confirmed(gained));
  lone.note_with({2}, gained);
  lone.look();
  EXPECT_FALSE(lone.confirmed(gained)) << "one of three does not know all";
  EXPECT_FALSE(lone.whole.is_whole(0, gained));
  lone.note_with({1}, gained);  // who leaves is a source
  lone.look();
  EXPECT_TRUE(lone.confirmed(gained));
  for (uint8_t keyspace = 0; keyspace < kKeyspacesMax; ++keyspace) {
    EXPECT_TRUE(lone.whole.is_whole(keyspace, gained));
  }
  EXPECT_EQ(lone.facts(), 1u) << "of no other partition";
}

TEST_F(MoverTest, OtherCopiesAreNotMadeWhole) {
  lone.whole.set(0, kept, false);
  lone.leave(1);
  lone.note_with({2, 3}, gained);
  lone.look();
  ASSERT_TRUE(lone.confirmed(gained));
  EXPECT_FALSE(lone.whole.is_whole(0, kept));
}

TEST_F(MoverTest, ExchangesThatDoNotCount) {
  lone.leave(1);
  const std::vector<std::pair<const char*, std::function<void(CleanExchange&)>>> cases = {
      {"begun by what was known before",
       [&](CleanExchange& one) { one.signature = lone.founded(); }},
      {"of who knew something else", [](CleanExchange& one) { one.signature = 0; }},
      {"in an earlier run", [](CleanExchange& one) { one.run = LoneCore::kIncarnation - 1; }},
      {"of a copy that is not whole", [](CleanExchange& one) { one.peer_whole = false; }},
  };
  for (const auto& [why, spoil] : cases) {
    CleanExchange exchange = lone.exchange_with(3, gained);
    spoil(exchange);
    lone.note(gained, exchange);
    lone.note_with({2}, gained);
    lone.look();
    EXPECT_FALSE(lone.confirmed(gained)) << why;
  }
  lone.note_with({3}, gained + 1);
  lone.look();
  EXPECT_FALSE(lone.confirmed(gained)) << "of another partition";
  lone.note(gained, lone.exchange_with(3, gained), 1);
  lone.look();
  EXPECT_FALSE(lone.confirmed(gained)) << "of another keyspace";
  lone.note_with({3}, gained);
  lone.look();
  EXPECT_TRUE(lone.confirmed(gained));
}

TEST_F(MoverTest, AfterAFailureOfItsStoreItComparesAnew) {
  std::atomic<uint64_t> run{LoneCore::kIncarnation};
  LoneMover renewed(
      {.members = 4, .adjust_parts = [&](NodeParts& parts) { parts.renewed_incarnation = &run; }});
  renewed.leave(1);
  renewed.note_with({2, 3}, gained);
  run = LoneCore::kIncarnation + 7;
  renewed.look();
  EXPECT_FALSE(renewed.confirmed(gained));
}

TEST_F(MoverTest, AnotherChangeAsksForNewExchanges) {
  lone.leave(1);
  lone.note_with({2, 3}, gained);
  lone.join();
  lone.look();
  EXPECT_EQ(lone.facts(), 0u);
}

TEST_F(MoverTest, AllOfThemAreEnoughWholeOrNot) {
  lone.leave(1);
  CleanExchange exchange;
  for (const uint32_t founder : {1u, 2u, 3u}) {
    lone.look();
    EXPECT_FALSE(lone.confirmed(gained)) << founder;
    exchange = lone.exchange_with(founder, gained);
    exchange.peer_whole = false;
    lone.note(gained, exchange);
  }
  lone.look();
  EXPECT_TRUE(lone.confirmed(gained));
}

TEST_F(MoverTest, WhoWasRemovedIsNoSource) {
  lone.remove(1);
  CleanExchange exchange = lone.exchange_with(2, gained);
  exchange.peer_whole = false;
  lone.note(gained, exchange);
  lone.note(gained, lone.exchange_with(1, gained));
  lone.look();
  EXPECT_FALSE(lone.confirmed(gained));
  lone.note_with({3}, gained);
  lone.look();
  EXPECT_TRUE(lone.confirmed(gained)) << "those are all that are left";
}

// The keyspaces share the facts of a partition, but each has copies of its own.
TEST(MoverOfKeyspaces, EachClassNeedsItsSources) {
  LoneMover lone({.members = 4, .adjust_founding = [](Founding& founding) {
                    founding.keyspaces[2].r = 3;
                    founding.keyspaces[2].w = 3;
                  }});
  const uint32_t gained = lone.partition_of_self(false);
  lone.leave(1);
  for (const uint32_t founder : {2u, 3u}) {
    for (uint8_t keyspace = 0; keyspace < kKeyspacesMax; ++keyspace) {
      if (keyspace != 2) lone.note(gained, lone.exchange_with(founder, gained), keyspace);
    }
  }
  lone.look();
  EXPECT_FALSE(lone.confirmed(gained));
  for (const uint32_t founder : {2u, 3u}) {
    lone.note(gained, lone.exchange_with(founder, gained), 2);
  }
  lone.look();
  EXPECT_TRUE(lone.confirmed(gained));
}

// Where w grows, all owners have to look at each other: the own copy is one of the sources.
TEST(MoverOfARaisedW, TheOwnCopyCountsIfItIsWhole) {
  LoneMover lone({.members = 5, .n = 5, .adjust_founding = [](Founding& founding) {
                    for (KeyspacePolicy& policy : founding.keyspaces) policy.r = 5;
                  }});
  Change raised = make_change(5, ChangeKind::kPolicy, 0);
  raised.policy = lone.founding.keyspaces[0];
  raised.policy.w = 3;
  lone.shared.add(raised);
  lone.follow();
  lone.whole.set(0, 7, false);
  for (const uint32_t partition : {6u, 7u}) {
    lone.note_with({1, 2}, partition);
    lone.look();
    EXPECT_FALSE(lone.confirmed(partition)) << "four of five are needed";
    lone.note_with({3}, partition);
  }
  lone.look();
  EXPECT_TRUE(lone.confirmed(6));
  EXPECT_FALSE(lone.confirmed(7));
  lone.note_with({4}, 7);
  lone.look();
  EXPECT_TRUE(lone.confirmed(7)) << "all were compared";
}

// ---- votes

TEST_F(MoverTest, VotesOnceAllNewOwnersConfirmed) {
  lone.leave(1);
  lone.look();
  EXPECT_FALSE(lone.voted(kept));
  // Whoever of n2 and n3 did not own it.
  const ClusterView founding_view = found_view(lone.founding, "n0");
  const uint32_t fresh = founding_view.is_primary(2, 0, kept) ? 3 : 2;
  lone.learn({lone.confirmation(kept, lone.founder(fresh == 2 ? 3 : 2))});
  lone.look();
  EXPECT_FALSE(lone.voted(kept)) << "that was an old owner";
  lone.learn({lone.confirmation(kept, lone.founder(fresh))});
  lone.look();
  EXPECT_TRUE(lone.voted(kept));
  const size_t facts = lone.facts();
  lone.look();
  EXPECT_EQ(lone.facts(), facts) << "once";
}

TEST_F(MoverTest, ANewOwnerVotesAfterItConfirmed) {
  lone.leave(1);
  lone.note_with({2, 3}, gained);
  lone.look();
  EXPECT_TRUE(lone.confirmed(gained));
  EXPECT_FALSE(lone.voted(gained));
  lone.look();
  EXPECT_TRUE(lone.voted(gained));
}

TEST_F(MoverTest, ConfirmsFromEachSetInPlay) {
  lone.leave(1);
  const SetId first = lone.newest();
  lone.learn({lone.confirmation(gained, lone.core.self_id()), lone.vote(gained, lone.founder(2))});
  lone.leave(2);
  ASSERT_EQ(lone.view->sets_in_play(0, gained)->readable_sets, 2u);
  lone.note_with({1, 2, 3}, gained);
  lone.look();
  std::vector<SetId> from = {lone.founded(), first};
  std::sort(from.begin(), from.end());
  const Fact expected = Fact::confirmed(gained, lone.core.self_id(), lone.newest(), from);
  EXPECT_TRUE(lone.knows(expected));
}

// ---- settled

struct SettlingMover : MoverTest {
  // All but `gained` is done, and that is voted for by those that suffice.
  void vote_by(std::initializer_list<uint32_t> founders) {
    lone.leave(1);
    lone.settle_all(gained);
    std::vector<Fact> facts = {lone.confirmation(gained, lone.core.self_id())};
    for (const uint32_t founder : founders) {
      facts.push_back(lone.vote(gained, lone.founder(founder)));
    }
    lone.learn(facts);
  }
};

TEST_F(SettlingMover, SettlesWhatIsReplaced) {
  vote_by({2, 3});
  ASSERT_TRUE(lone.view->moving.empty());
  ASSERT_FALSE(lone.settled(gained));
  lone.look();
  EXPECT_TRUE(lone.settled(gained));
  lone.look();
  EXPECT_EQ(lone.mover.next_deadline_us(), 0u) << "nothing is under way";
}

TEST_F(SettlingMover, NotWhatMoves) {
  vote_by({2});
  ASSERT_FALSE(lone.view->moving.empty());
  lone.look();
  EXPECT_FALSE(lone.settled(gained));
}

TEST_F(SettlingMover, NotForOthers) {
  lone.leave(0);
  lone.settle_all(kept);
  const ClusterView founding_view = found_view(lone.founding, "n0");
  std::vector<Fact> facts;
  for (const uint32_t founder : {1u, 2u, 3u}) {
    const auto index = static_cast<MemberIndex>(founder);
    if (!founding_view.is_primary(index, 0, kept)) {
      facts.push_back(lone.confirmation(kept, lone.founder(founder)));
    }
    facts.push_back(lone.vote(kept, lone.founder(founder)));
  }
  lone.learn(facts);
  ASSERT_TRUE(lone.view->moving.empty());
  lone.put(lone.key_in(kept), lone.object_of(1, 1, "v"));
  lone.look();
  EXPECT_FALSE(lone.settled(kept)) << "it owns it no more";
}

// ---- losses

TEST_F(MoverTest, StatesWhereAllCopiesOfAWriteMayBeGone) {
  lone.remove(1);
  lone.look();
  EXPECT_EQ(lone.facts(), 0u) << "another copy of each write is left";
  lone.remove(2);
  lone.look();
  std::vector<NodeId> removed = {lone.founder(1), lone.founder(2)};
  std::sort(removed.begin(), removed.end());
  EXPECT_TRUE(lone.knows(Fact::lost(gained, lone.founded(), removed)));
  const size_t facts = lone.facts();
  lone.look();
  EXPECT_EQ(lone.facts(), facts) << "once";
}

// ---- gone

struct LeavingMover : MoverTest {
  LeavingMover() { lone.leave(0); }
  bool gone() const { return lone.shared.history()->is_gone(lone.core.self_id()); }
};

TEST_F(LeavingMover, IsGoneOnceItOwnsNothing) {
  lone.look();
  EXPECT_FALSE(gone());
  lone.settle_all(kept);
  lone.look();
  EXPECT_FALSE(gone()) << "one partition is not settled";
  EXPECT_NE(lone.mover.next_deadline_us(), 0u);
  lone.settle_all();
  lone.look();
  EXPECT_TRUE(gone());
  EXPECT_EQ(lone.view->members[0].standing, Standing::kGone);
  lone.look();
  EXPECT_EQ(lone.mover.next_deadline_us(), 0u);
}

TEST_F(LeavingMover, NotWhileItHoldsAnObject) {
  lone.settle_all();
  lone.put(lone.key_in(gained), lone.object_of(1, 1, "v"), kKeyspacesMax - 1);
  lone.look();
  EXPECT_FALSE(gone());
  EXPECT_EQ(lone.mover.next_deadline_us(), lone.now.steady_us + kLookUs) << "it looks again";
  lone.lose(lone.key_in(gained), kKeyspacesMax - 1);
  lone.look();
  EXPECT_TRUE(gone());
}

TEST_F(LeavingMover, NotWhileItHoldsAHint) {
  lone.settle_all();
  lone.hints.store({lone.founder(2), lone.ref("k")}, lone.object_of(1, 1, "v"));
  ASSERT_EQ(lone.hints.pending(), 1u);
  lone.look();
  EXPECT_FALSE(gone());
}

TEST_F(LeavingMover, NotWhileARequestIsOpen) {
  lone.settle_all();
  SlotId id;
  lone.core.open.requests.acquire(&id);
  lone.look();
  EXPECT_FALSE(gone());
  lone.core.open.requests.release(id);
  lone.look();
  EXPECT_TRUE(gone());
}

TEST(MoverOfADrainedMember, WhoDoesNotLeaveIsNeverGone) {
  LoneMover lone({.members = 4, .n = 1, .adjust_founding = [](Founding& founding) {
                    founding.members[0].weight = 0;
                  }});
  lone.leave(1);
  ASSERT_FALSE(lone.view->moving.empty());
  for (uint32_t partition = 0; partition < LoneCore::kPartitions; ++partition) {
    ASSERT_FALSE(lone.view->is_owner(0, 0, partition)) << "it owns nothing";
  }
  lone.look();
  EXPECT_TRUE(lone.shared.history()->gone().empty());
}

}  // namespace
}  // namespace kvorum::cluster::fixtures

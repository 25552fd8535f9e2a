// SPDX-License-Identifier: Apache-2.0
// The replay of hints without a cluster: what is sent when, what an answer, a silence or a broken
// link makes of it, and hints that move.
#include <gmock/gmock.h>

#include "base/check.h"
#include "cluster/upkeep/hint_replay.h"
#include "tests/cluster/lone_requests.h"
#include "tests/engine/map_store.h"

namespace kvorum::cluster::fixtures {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class Replays : public ::testing::Test {
 protected:
  static constexpr MemberIndex kTarget = 1;
  static constexpr uint64_t kIntervalUs = 5'000'000;

  explicit Replays(const LoneShape& shape = {}) : lone(shape) { lone.link_all(); }

  // Older ones first, by their milliseconds.
  void hint(std::string_view key, uint64_t ms, std::string_view bytes = "v",
            MemberIndex target = kTarget) {
    KVORUM_CHECK(lone.hints.store({lone.id_of(target), lone.ref(key)}, lone.object_of(0, ms, bytes))
                     .access == engine::Access::kDone);
  }
  void scan() {
    machine.on_time(lone.now);
    take_sent();
  }
  void turn(uint64_t us) {
    lone.pass_us(us);
    scan();
  }
  void take_sent() {
    for (const Frame& frame : lone.sent(kTarget)) {
      const ReplicaWrite write = parsed(frame, parse_replica_write);
      EXPECT_TRUE(write.repair);
      EXPECT_EQ(write.hint_for, 0u);
      keys.emplace_back(write.key.key);
      ids.push_back(frame.head.operation);
    }
  }
  void answer(SlotId id, ReplicaVerdict verdict = ReplicaVerdict::kOk) {
    const ReplicaWriteReply reply = LoneRequests::written(verdict);
    machine.on_write_reply(id, {kTarget, reply}, lone.now);
    take_sent();
  }
  HintWait wait() const { return lone.hints.ledger().wait_of(lone.id_of(kTarget)); }
  uint64_t left() const { return lone.hints.ledger().count_for(lone.id_of(kTarget)); }
  const CoordinatorCounters& counters() const { return lone.core.counters; }

  LoneRequests lone;
  HintReplay machine{lone.core};
  std::vector<std::string> keys;  // sent to the target, and under which operations
  std::vector<SlotId> ids;
};

TEST_F(Replays, GoOldestFirstAndAHintGoesWithItsAcknowledgement) {
  hint("b", 2);
  hint("a", 3);
  hint("c", 1);
  scan();
  EXPECT_THAT(keys, ElementsAre("c", "b", "a"));
  EXPECT_EQ(left(), 3u);
  EXPECT_EQ(machine.open(), 3u);
  EXPECT_EQ(machine.unfinished(), 0u);
  answer(ids[1]);
  EXPECT_EQ(left(), 2u);
  EXPECT_EQ(counters().hints_replayed, 1u);
  answer(ids[1]);
  EXPECT_EQ(counters().hints_replayed, 1u) << "a second answer to it";
  answer(ids[0]);
  answer(ids[2]);
  EXPECT_EQ(left(), 0u);
  EXPECT_EQ(wait(), HintWait::kScan);
  EXPECT_EQ(lone.core.open.held_bytes, 0u);
}

TEST_F(Replays, AreLookedForInTheirInterval) {
  scan();
  hint("a", 1);
  turn(kIntervalUs - 1);
  EXPECT_THAT(keys, IsEmpty());
  EXPECT_EQ(machine.next_deadline_us(), lone.now.steady_us + 1);
  turn(1);
  EXPECT_THAT(keys, ElementsAre("a"));
}

TEST_F(Replays, ALinkThatComesUpIsAReasonToLookSoon) {
  lone.link(kTarget, false);
  hint("a", 1);
  scan();
  EXPECT_THAT(keys, IsEmpty());
  EXPECT_EQ(wait(), HintWait::kUnreachable);
  lone.link(kTarget);
  machine.on_link_up(kTarget, lone.now);
  turn(10'000);
  EXPECT_THAT(keys, ElementsAre("a"));
  EXPECT_EQ(wait(), HintWait::kNone);
}

TEST_F(Replays, NoMoreThanTheWindowIsInFlight) {
  for (uint64_t number = 0; number < 20; ++number) {
    hint("k" + std::to_string(number), number + 1);
  }
  scan();
  EXPECT_EQ(keys.size(), ReplayPace::kWindowFirst);
  answer(ids[0]);
  EXPECT_EQ(keys.size(), ReplayPace::kWindowFirst + 1);
}

TEST_F(Replays, WhatWasMergedIntoAHintMeanwhileHasItsTurnLater) {
  hint("a", 1, "first");
  scan();
  hint("a", 2, "second");
  answer(ids[0]);
  EXPECT_EQ(left(), 1u);
  turn(10'000);
  EXPECT_THAT(keys, ElementsAre("a", "a"));
  answer(ids[1]);
  EXPECT_EQ(left(), 0u);
}

TEST_F(Replays, OfLargeOnesOneGoesAtATimeAndSmallOnesPassIt) {
  const std::string large(200'000, 'x');
  hint("large", 1, large);
  hint("larger", 2, large);
  hint("small", 3);
  scan();
  EXPECT_THAT(keys, ElementsAre("large", "small"));
  answer(ids[1]);
  answer(ids[0]);
  turn(10'000);
  EXPECT_THAT(keys, ElementsAre("large", "small", "larger"));
}

// ---- what goes wrong

TEST_F(Replays, ARefusalLeavesTheTargetAloneForAWhile) {
  hint("a", 1);
  hint("b", 2);
  scan();
  answer(ids[0], ReplicaVerdict::kRefused);
  EXPECT_EQ(wait(), HintWait::kRefused);
  EXPECT_EQ(left(), 2u);
  answer(ids[1]);
  EXPECT_EQ(left(), 1u) << "what was in flight counts all the same";
  turn(HintReplay::kRetryUs - 1);
  EXPECT_EQ(keys.size(), 2u);
  EXPECT_EQ(wait(), HintWait::kRefused);
  turn(10'000);
  EXPECT_THAT(keys, ElementsAre("a", "b", "a"));
}

TEST_F(Replays, SilenceIsAnUnansweredQuestion) {
  hint("a", 1);
  scan();
  lone.pass_ms(1000);
  machine.on_timer(ids[0], lone.now);
  EXPECT_EQ(wait(), HintWait::kSilent);
  EXPECT_EQ(lone.core.health.report(kTarget).timeouts, 1u);
  EXPECT_EQ(machine.open(), 0u);
  answer(ids[0]);
  EXPECT_EQ(left(), 1u) << "its answer comes too late: it is sent again";
  turn(HintReplay::kRetryUs);
  EXPECT_EQ(keys.size(), 2u);
}

TEST_F(Replays, AfterSilenceOneIsTriedAlone) {
  hint("a", 1);
  hint("b", 2);
  scan();
  lone.pass_ms(1000);
  machine.on_timer(ids[0], lone.now);
  machine.on_timer(ids[1], lone.now);
  keys.clear();
  turn(HintReplay::kRetryUs);
  EXPECT_THAT(keys, ElementsAre("a"));
}

TEST_F(Replays, BytesThatFlowHoldSilenceBack) {
  hint("a", 1);
  scan();
  lone.pass_ms(900);
  machine.on_flow(ids[0], lone.now);
  lone.pass_ms(100);
  machine.on_timer(ids[0], lone.now);
  EXPECT_EQ(machine.open(), 1u);
}

TEST_F(Replays, ABrokenLinkEndsWhatIsInFlight) {
  hint("a", 1);
  scan();
  lone.link(kTarget, false);
  machine.on_link_down(2, lone.now);
  EXPECT_EQ(machine.open(), 1u) << "another one's";
  machine.on_link_down(kTarget, lone.now);
  EXPECT_EQ(machine.open(), 0u);
  EXPECT_EQ(wait(), HintWait::kUnreachable);
  EXPECT_EQ(left(), 1u);
  lone.link(kTarget);
  machine.on_link_up(kTarget, lone.now);
  turn(10'000);
  EXPECT_THAT(keys, ElementsAre("a", "a"));
}

TEST_F(Replays, ASuspectedTargetIsNotAsked) {
  hint("a", 1);
  lone.suspect(kTarget);
  scan();
  EXPECT_THAT(keys, IsEmpty());
  EXPECT_EQ(wait(), HintWait::kSilent);
  lone.core.health.heard(kTarget, lone.now.steady_us);
  turn(10'000);
  EXPECT_THAT(keys, ElementsAre("a"));
}

struct BudgetedReplays : Replays {
  explicit BudgetedReplays(NotedBudget* held)
      : Replays({.adjust_parts = [held](NodeParts& parts) { parts.budget = held; }}) {}
};
struct HasBudget {
  NotedBudget budget;
};
struct PoorReplays : HasBudget, BudgetedReplays {
  PoorReplays() : BudgetedReplays(&budget) {}
};

TEST_F(PoorReplays, WithoutABudgetTheSameHintWaits) {
  budget.batches = 1;
  hint("a", 1);
  hint("b", 2);
  scan();
  EXPECT_THAT(keys, ElementsAre("a"));
  EXPECT_EQ(wait(), HintWait::kForeground);
  EXPECT_EQ(budget.work, BackgroundWork::kHints);
  budget.batches = 5;
  turn(1000);
  EXPECT_THAT(keys, ElementsAre("a", "b"));
}

// ---- hints that move: with five members, the target is no primary of the key

class Moves : public Replays {
 protected:
  explicit Moves(LoneShape shape = {}) : Replays(five(std::move(shape))) {}
  static LoneShape five(LoneShape shape) {
    shape.members = 5;
    return shape;
  }
  // A hint for the last of the preference list, where this node has that place.
  void hint_for_stranger(size_t own_place) {
    lone.stand_at(own_place);
    stranger = lone.at(own_place == 4 ? 3 : 4);
    hint(lone.key, 1, "moved", stranger);
  }
  bool has_hint_for(MemberIndex member) {
    bool found = false;
    lone.hints.read({lone.id_of(member), lone.ref(lone.key)}, [&](const Record&) { found = true; });
    return found;
  }
  MemberIndex stranger = kNoMember;
};

TEST_F(Moves, AHintGoesToThePrimariesOfToday) {
  hint_for_stranger(4);
  machine.on_time(lone.now);
  for (size_t place = 0; place < 3; ++place) EXPECT_TRUE(has_hint_for(lone.at(place)));
  EXPECT_FALSE(has_hint_for(stranger));
  EXPECT_FALSE(lone.holds(lone.key));
  EXPECT_EQ(counters().hints_moved, 1u);
  EXPECT_EQ(machine.open(), 0u);
}

TEST_F(Moves, AndIntoTheOwnCopyWhereThisNodeIsOne) {
  hint_for_stranger(1);
  machine.on_time(lone.now);
  EXPECT_THAT(lone.own(lone.key), ElementsAre("moved"));
  EXPECT_TRUE(has_hint_for(lone.at(0)));
  EXPECT_TRUE(has_hint_for(lone.at(2)));
  EXPECT_FALSE(has_hint_for(stranger));
}

TEST_F(Moves, ATargetThatIsAwayDoesNotKeepItsHints) {
  hint_for_stranger(4);
  lone.link(stranger, false);
  machine.on_time(lone.now);
  EXPECT_FALSE(has_hint_for(stranger));
}

// From a reactor that had another view a while longer; or, where it has departed, from wherever
// (moving seed 5375: hints for a node that was gone stayed for ever).
TEST_F(Moves, AHintThatComesLateForOneThatIsAwayMovesToo) {
  lone.stand_at(4);
  stranger = lone.at(3);
  std::string kept = "own0";  // the stranger is a primary of it: it waits
  for (int number = 1; lone.core.preference_list(lone.ref(kept))[0] != stranger; ++number) {
    kept = "own" + std::to_string(number);
  }
  lone.link(stranger, false);
  hint(kept, 1, "kept", stranger);
  const auto moves_after = [&](uint64_t us) {
    machine.on_time(lone.now);
    hint(lone.key, 2, "late", stranger);
    lone.pass_us(us);
    machine.on_time(lone.now);
    return !has_hint_for(stranger);
  };
  EXPECT_TRUE(moves_after(kIntervalUs));
  lone.pass_us(HintReplay::kFollowUs);
  EXPECT_FALSE(moves_after(kIntervalUs))
      << "nothing comes any more, and all are not looked at again";
  lone.publish([&](ClusterView& view) { view.members[stranger].standing = Standing::kGone; });
  lone.pass_us(kIntervalUs);
  machine.on_time(lone.now);
  lone.pass_us(2 * HintReplay::kFollowUs);
  EXPECT_TRUE(moves_after(kIntervalUs));
}

struct MoveStores {
  engine::testing::MapStore store, hint_store;
};
struct StoredMoves : MoveStores, Moves {
  StoredMoves() : Moves({.store = &store, .hint_store = &hint_store}) {}
};

TEST_F(StoredMoves, TheOldHintGoesOnceAllTheNewCopiesAreCommitted) {
  hint_for_stranger(1);
  machine.on_time(lone.now);
  ASSERT_EQ(lone.core.open.awaited_commits.size(), 1u);
  ASSERT_EQ(lone.core.open.awaited_hint_commits.size(), 2u);
  const SlotId id = lone.core.open.awaited_commits[0].operation;
  machine.on_own_commit(id, {.hinted = false, .ok = true}, lone.now);
  machine.on_own_commit(id, {.hinted = true, .ok = true}, lone.now);
  EXPECT_TRUE(has_hint_for(stranger));
  EXPECT_EQ(counters().hints_moved, 0u);
  answer(id);
  EXPECT_TRUE(has_hint_for(stranger)) << "it was not sent to anybody";
  machine.on_own_commit(id, {.hinted = true, .ok = true}, lone.now);
  EXPECT_FALSE(has_hint_for(stranger));
  EXPECT_EQ(counters().hints_moved, 1u);
}

TEST_F(StoredMoves, AFailedCommitLeavesTheOldHint) {
  hint_for_stranger(1);
  machine.on_time(lone.now);
  const SlotId id = lone.core.open.awaited_commits[0].operation;
  machine.on_own_commit(id, {.hinted = false, .ok = false}, lone.now);
  machine.on_own_commit(id, {.hinted = true, .ok = true}, lone.now);
  machine.on_own_commit(id, {.hinted = true, .ok = true}, lone.now);
  EXPECT_TRUE(has_hint_for(stranger));
  EXPECT_EQ(counters().hints_moved, 0u);
  EXPECT_EQ(machine.open(), 0u);
  EXPECT_EQ(lone.hints.ledger().wait_of(lone.id_of(stranger)), HintWait::kMoving);
}

struct MovedKey {
  MovedKey() {
    LoneRequests before({.members = 5, .store = &store});
    before.stand_at(1);
    before.put(before.key, before.object_of(2, 1, "here"));
    before.put(before.key_in(0, 50), before.object_of(1, 1, "fills the memory"));
    KVORUM_CHECK(before.table.commits().commit(true).ok());
  }
  engine::testing::MapStore store;
};
struct LoadingMoves : MovedKey, Moves {
  LoadingMoves() : Moves({.store = &store, .memory_bytes_max = 1}) {}
};

TEST_F(LoadingMoves, TheOwnCopyIsLoadedBeforeAnythingMoves) {
  hint_for_stranger(1);
  machine.on_time(lone.now);
  ASSERT_EQ(lone.core.outbox.loads.size(), 1u);
  EXPECT_FALSE(has_hint_for(lone.at(0)));
  const Load load = lone.core.outbox.loads[0];
  ASSERT_TRUE(lone.table.store_reader().load(load.ref()).ok());
  machine.on_loaded(load.operation, true, lone.now);
  EXPECT_THAT(lone.own(lone.key), UnorderedElementsAre("moved", "here"));
  EXPECT_TRUE(has_hint_for(lone.at(0)));
}

TEST_F(LoadingMoves, WhereItCannotBeLoadedTheHintStays) {
  hint_for_stranger(1);
  machine.on_time(lone.now);
  machine.on_loaded(lone.core.outbox.loads.at(0).operation, false, lone.now);
  EXPECT_TRUE(has_hint_for(stranger));
  EXPECT_FALSE(has_hint_for(lone.at(0)));
  EXPECT_EQ(machine.open(), 0u);
}

}  // namespace
}  // namespace kvorum::cluster::fixtures

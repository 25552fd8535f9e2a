// SPDX-License-Identifier: Apache-2.0
// The repair of one key: what is asked of the peer and pushed to it, and all the ways to fail.
#include "cluster/repair/key_repair.h"

#include <gmock/gmock.h>

#include "base/check.h"
#include "tests/cluster/lone_requests.h"
#include "tests/engine/map_store.h"

namespace kvorum::cluster::fixtures {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class Repairs : public ::testing::Test, public KeyRepairSink {
 protected:
  static constexpr MemberIndex kPeer = 1;
  static constexpr SlotId kExchange = 88;
  static constexpr uint64_t kTimeUs = 2'000'000;

  explicit Repairs(const LoneShape& shape = {}) : lone(shape) {
    machine.set_sink(this);
    lone.link_all();
  }
  void on_key_repaired(SlotId exchange, bool ok, Now) override {
    EXPECT_EQ(exchange, kExchange);
    ended.push_back(ok);
  }
  void pull() { machine.begin({kExchange, kPeer, 0}, {"k", true, false}, lone.now); }
  void push() { machine.begin({kExchange, kPeer, 0}, {"k", false, false}, lone.now); }
  void look_later() { machine.begin({kExchange, kPeer, 0}, {"k", true, true}, lone.now); }
  // The one question that is out, and its operation.
  ReplicaRead question() {
    const Frame frame = lone.only(kPeer);
    id = frame.head.operation;
    return parsed(frame, parse_replica_read);
  }
  ReplicaWrite pushed() {
    const Frame frame = lone.only(kPeer);
    id = frame.head.operation;
    return parsed(frame, parse_replica_write);
  }
  void reply(const ReplicaReadReply& reply, MemberIndex from = kPeer) {
    machine.on_read_reply(id, {from, reply}, lone.now);
  }
  void reply(const ReplicaWriteReply& reply, MemberIndex from = kPeer) {
    machine.on_write_reply(id, {from, reply}, lone.now);
  }
  void live_us(uint64_t us) {
    const uint64_t until_us = lone.now.steady_us + us;
    while (lone.core.open.timers.size() != 0 && lone.core.open.timers.next_due_us() <= until_us) {
      lone.pass_us(lone.core.open.timers.next_due_us() - lone.now.steady_us);
      machine.on_timer(*lone.core.open.timers.take_due(lone.now.steady_us), lone.now);
    }
    lone.pass_us(until_us - lone.now.steady_us);
  }
  void expect_end(bool ok) {
    EXPECT_THAT(ended, ElementsAre(ok));
    EXPECT_EQ(machine.open(), 0u);
    EXPECT_EQ(lone.core.open.held_bytes, 0u);
    EXPECT_TRUE(lone.sent_nothing());
  }
  Object mine() const { return lone.object_of(0, 1, "mine"); }
  Object theirs() const { return lone.object_of(1, 2, "theirs"); }
  const CoordinatorCounters& counters() const { return lone.core.counters; }

  LoneRequests lone;
  KeyRepair machine{lone.core};
  std::vector<bool> ended;
  SlotId id = 0;
};

TEST_F(Repairs, APullTakesTheWholeObject) {
  pull();
  const ReplicaRead asked = question();
  EXPECT_TRUE(asked.full);
  EXPECT_EQ(asked.key.key, "k");
  EXPECT_EQ(asked.claimant, 0u);
  reply(lone.full(theirs()));
  EXPECT_THAT(lone.own("k"), ElementsAre("theirs"));
  EXPECT_EQ(counters().keys_pulled, 1u);
  EXPECT_EQ(counters().keys_pushed, 0u);
  expect_end(true);
}

TEST_F(Repairs, WhatThePeerLacksOfThemIsPushedBehindThePull) {
  lone.put("k", mine());
  pull();
  question();
  reply(lone.full(theirs()));
  EXPECT_THAT(lone.own("k"), UnorderedElementsAre("theirs", "mine"));
  EXPECT_THAT(ended, IsEmpty());
  const ReplicaWrite write = pushed();
  EXPECT_TRUE(write.repair);
  EXPECT_EQ(write.hint_for, 0u);
  EXPECT_THAT(LoneRequests::values_of(write), UnorderedElementsAre("theirs", "mine"));
  reply(LoneRequests::written());
  EXPECT_EQ(counters().keys_pushed, 1u);
  expect_end(true);
}

TEST_F(Repairs, APullOfWhatIsKnownChangesNothing) {
  Context all;
  all.vector = theirs().vector;
  Object newer = theirs();
  update(newer, all, lone.version_of(0, 3, "newer"));
  lone.put("k", newer);
  pull();
  question();
  reply(lone.full(theirs()));
  EXPECT_EQ(counters().keys_pulled, 0u);
  EXPECT_THAT(LoneRequests::values_of(pushed()), ElementsAre("newer"));
}

TEST_F(Repairs, APushIsOfTheOwnObject) {
  lone.put("k", mine());
  push();
  EXPECT_THAT(LoneRequests::values_of(pushed()), ElementsAre("mine"));
  EXPECT_EQ(machine.unfinished(), 0u) << "a stop does not wait for it";
  EXPECT_EQ(machine.open(), 1u);
  reply(LoneRequests::written());
  EXPECT_EQ(counters().keys_pushed, 1u);
  expect_end(true);
}

TEST_F(Repairs, APushOfNothingEndsAtOnce) {
  push();
  expect_end(true);
}

struct FrontierRepairs : Repairs {
  FrontierRepairs() : Repairs({.has_frontier = true}) {
    lone.raise_frontier(Hlc::from_ms(LoneCore::kWallMs + 100));
  }
};

TEST_F(FrontierRepairs, NothingIsPushedWhereItsFrontierSaysSomething) {
  push();
  const ReplicaWrite write = pushed();
  EXPECT_EQ(write.frontier, Hlc::from_ms(LoneCore::kWallMs + 100));
  EXPECT_THAT(LoneRequests::values_of(write), IsEmpty());
}

TEST_F(FrontierRepairs, WhatIsDeadHereIsNotPulledAndThePeerIsTold) {
  pull();
  question();
  reply(lone.full(theirs()));
  EXPECT_THAT(lone.own("k"), IsEmpty());
  EXPECT_EQ(counters().dead_versions, 1u);
  EXPECT_EQ(pushed().frontier, Hlc::from_ms(LoneCore::kWallMs + 100));
}

TEST_F(Repairs, WhatIsDeadThereDiesHere) {
  lone.put("k", mine());
  push();
  pushed();
  reply(LoneRequests::written(ReplicaVerdict::kDead));
  EXPECT_TRUE(question().full);
  ReplicaReadReply absent = lone.full({});
  absent.verdict = ReplicaVerdict::kAbsent;
  absent.frontier = Hlc::from_ms(LoneCore::kWallMs + 100);
  reply(absent);
  EXPECT_THAT(lone.own("k"), IsEmpty());
  EXPECT_EQ(lone.core.outbox.quarantined.size(), 1u) << "for a person to look at";
  EXPECT_EQ(counters().keys_pushed, 0u);
  expect_end(true);
}

// ---- a difference that is young

TEST_F(Repairs, OneThatSettledIsLeft) {
  lone.put("k", theirs());
  look_later();
  live_us(KeyRepair::kRecheckUs - 1);
  EXPECT_TRUE(lone.sent_nothing());
  live_us(1);
  EXPECT_FALSE(question().full);
  reply(LoneRequests::digest(theirs()));
  EXPECT_EQ(counters().keys_settled, 1u);
  expect_end(true);
}

TEST_F(Repairs, OneThatStaysIsPulled) {
  lone.put("k", mine());
  look_later();
  live_us(KeyRepair::kRecheckUs);
  question();
  reply(LoneRequests::digest(theirs()));
  EXPECT_TRUE(question().full);
  EXPECT_EQ(counters().keys_settled, 0u);
  reply(LoneRequests::digest(theirs()));
  EXPECT_TRUE(lone.sent_nothing()) << "a second answer to the first question";
  reply(lone.full(theirs()));
  EXPECT_EQ(counters().keys_pulled, 1u);
}

// ---- refusals, silence, broken links, answers that nobody waits for

TEST_F(Repairs, ARefusedReadFails) {
  pull();
  question();
  reply(LoneRequests::verdict(ReplicaVerdict::kRefused));
  expect_end(false);
}

TEST_F(Repairs, ARefusedCheckFails) {
  look_later();
  live_us(KeyRepair::kRecheckUs);
  question();
  reply(LoneRequests::verdict(ReplicaVerdict::kRefused));
  expect_end(false);
}

TEST_F(Repairs, ARefusedPushFails) {
  lone.put("k", mine());
  push();
  pushed();
  reply(LoneRequests::written(ReplicaVerdict::kRefused));
  EXPECT_EQ(counters().keys_pushed, 0u);
  expect_end(false);
}

TEST_F(Repairs, AnIllFormedObjectFails) {
  pull();
  question();
  ReplicaReadReply broken = lone.full(theirs());
  broken.object = "no object";
  reply(broken);
  expect_end(false);
}

TEST_F(Repairs, SilenceFailsAfterTwiceTheTimeOfARequest) {
  pull();
  question();
  live_us(kTimeUs - 1);
  EXPECT_THAT(ended, IsEmpty());
  live_us(1);
  expect_end(false);
}

TEST_F(Repairs, TheWaitOfAYoungOneCountsBesideThat) {
  look_later();
  live_us(KeyRepair::kRecheckUs);
  question();
  live_us(kTimeUs - 1);
  EXPECT_THAT(ended, IsEmpty());
  live_us(1);
  expect_end(false);
}

TEST_F(Repairs, BytesThatFlowHoldSilenceBack) {
  pull();
  question();
  live_us(kTimeUs - 1000);
  machine.on_flow(id, lone.now);
  live_us(900'000);
  EXPECT_THAT(ended, IsEmpty());
}

TEST_F(Repairs, ABrokenLinkFailsThoseOfThatPeer) {
  pull();
  question();
  machine.on_link_down(2, lone.now);
  EXPECT_THAT(ended, IsEmpty());
  machine.on_link_down(kPeer, lone.now);
  expect_end(false);
}

TEST_F(Repairs, OnlyThePeersAnswersCount) {
  pull();
  question();
  reply(lone.full(theirs()), 2);
  reply(LoneRequests::verdict(ReplicaVerdict::kRefused), 2);
  EXPECT_THAT(ended, IsEmpty());
  reply(LoneRequests::written());
  EXPECT_THAT(ended, IsEmpty()) << "nothing was pushed yet";
  reply(lone.full(theirs()));
  EXPECT_THAT(ended, ElementsAre(true));
  reply(lone.full(theirs()));
  machine.on_own_commit(id, {.hinted = false, .ok = true}, lone.now);
  machine.on_loaded(id, true, lone.now);
  EXPECT_THAT(ended, ElementsAre(true)) << "once";
}

TEST_F(Repairs, TheMeanSizeFollowsWhatWasRepaired) {
  const size_t before = machine.average_bytes();
  pull();
  question();
  reply(lone.full(lone.object_of(1, 1, std::string(16'000, 'x'))));
  EXPECT_GT(machine.average_bytes(), before + 900);
  EXPECT_LT(machine.average_bytes(), before + 1100);
}

// ---- commits and loads

struct EmptyStore {
  engine::testing::MapStore store;
};
struct StoredRepairs : EmptyStore, Repairs {
  StoredRepairs() : Repairs({.store = &store}) {}
};

TEST_F(StoredRepairs, WhatWasPulledIsRepairedOnceItIsCommitted) {
  pull();
  question();
  reply(lone.full(theirs()));
  EXPECT_THAT(ended, IsEmpty());
  ASSERT_EQ(lone.core.open.awaited_commits.size(), 1u);
  EXPECT_EQ(lone.core.open.awaited_commits[0].operation, id);
  ASSERT_TRUE(lone.table.commits().commit(true).ok());
  machine.on_own_commit(id, {.hinted = false, .ok = true}, lone.now);
  expect_end(true);
}

TEST_F(StoredRepairs, AFailedCommitFails) {
  lone.put("k", mine());
  pull();
  question();
  reply(lone.full(theirs()));
  machine.on_own_commit(id, {.hinted = false, .ok = false}, lone.now);
  expect_end(false);
}

TEST_F(StoredRepairs, AStoreThatRefusesFails) {
  store.set_broken(true);
  lone.put("another", mine());
  ASSERT_FALSE(lone.table.commits().commit(true).ok());
  pull();
  question();
  reply(lone.full(theirs()));
  expect_end(false);
}

class LoadingRepairs : public OldStore, public Repairs {
 protected:
  LoadingRepairs()
      : OldStore(0, "mine"), Repairs({.store = &store, .memory_bytes_max = kMemoryBytes}) {}
  void end_load(bool ok) {
    id = lone.end_load(ok).operation;
    machine.on_loaded(id, ok, lone.now);
  }
};

TEST_F(LoadingRepairs, APushWaitsForItsObject) {
  push();
  end_load(true);
  EXPECT_THAT(LoneRequests::values_of(pushed()), ElementsAre("mine"));
}

TEST_F(LoadingRepairs, APushWithoutItsObjectFails) {
  push();
  end_load(false);
  expect_end(false);
}

TEST_F(LoadingRepairs, AMergeKeepsWhatCameUntilTheOwnObjectIsThere) {
  pull();
  question();
  reply(lone.full(theirs()));
  end_load(true);
  EXPECT_THAT(lone.own("k"), UnorderedElementsAre("theirs", "mine"));
}

TEST_F(LoadingRepairs, ACheckIsNotAskedAgainAfterItsLoad) {
  look_later();
  live_us(KeyRepair::kRecheckUs);
  question();
  reply(LoneRequests::digest(mine()));
  reply(LoneRequests::digest(theirs()));
  EXPECT_THAT(ended, IsEmpty());
  end_load(true);
  EXPECT_EQ(counters().keys_settled, 1u);
  expect_end(true);
}

}  // namespace
}  // namespace kvorum::cluster::fixtures

// SPDX-License-Identifier: Apache-2.0
// Puts of a lone replica: done at once, answered at once or at the commit, in the order of tickets.
#include "cluster/put/lone_puts.h"

#include <gmock/gmock.h>

#include "base/check.h"
#include "tests/cluster/lone_requests.h"
#include "tests/engine/map_store.h"

namespace kvorum::cluster::fixtures {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class Alone : public ::testing::Test {
 protected:
  explicit Alone(const LoneShape& shape = {.members = 1, .n = 1}) : lone(shape) {}

  bool set(uint64_t tag = 5) { return run(lone.edit(test_edits::kSet), tag); }
  bool run(const Request& request, uint64_t tag = 5) {
    return puts.write_at_once(request, tag, lone.now);
  }
  std::vector<uint64_t> answered(Outcome outcome) {
    std::vector<uint64_t> tags;
    for (const NotedAnswer& answer : lone.answers) {
      EXPECT_EQ(answer.outcome, outcome);
      tags.push_back(answer.tag);
    }
    lone.answers.clear();
    return tags;
  }

  LoneRequests lone;
  EditRunner edits{lone.core};
  LonePuts puts{lone.core, edits};
};

TEST_F(Alone, WithoutADiskItIsAnsweredAtOnce) {
  EXPECT_TRUE(set());
  EXPECT_EQ(lone.answer().tag, 5u);
  EXPECT_EQ(lone.answer().outcome, Outcome::kOk);
  EXPECT_TRUE(lone.answer().stored);
  EXPECT_FALSE(lone.answer().has_context);
  EXPECT_EQ(lone.answer().acknowledged, 1);
  EXPECT_EQ(lone.answer().service.primaries, 1);
  EXPECT_THAT(lone.own(lone.key), ElementsAre("new"));
  EXPECT_EQ(lone.core.open.requests.used(), 0u);
  EXPECT_EQ(puts.next_deadline_us(), 0u);
}

TEST_F(Alone, EachSeesWhatTheOneBeforeMade) {
  run(lone.edit(test_edits::kIncrement));
  run(lone.edit(test_edits::kIncrement));
  EXPECT_EQ(lone.answers.at(1).number, 2);
  run(lone.edit(test_edits::kDelete));
  EXPECT_EQ(lone.answers.at(2).number, 1);
  EXPECT_FALSE(lone.holds(lone.key)) << "nobody else could bring it back";
  run(lone.edit(test_edits::kDelete));
  EXPECT_FALSE(lone.answers.at(3).stored);
}

TEST_F(Alone, TheContextIsOfThisWrite) {
  Request request = lone.edit(test_edits::kSet);
  request.wants_context = true;
  run(request);
  ASSERT_TRUE(lone.answer().has_context);
  EXPECT_EQ(lone.answer().context.detached.size(), 1u);
}

TEST_F(Alone, WhatALackingCopyWouldOverwriteNeedsAnOperation) {
  lone.damage(0, lone.core.partition_for(lone.ref(lone.key)));
  EXPECT_FALSE(set());
  EXPECT_FALSE(lone.holds(lone.key));
}

struct Among : Alone {
  explicit Among(uint8_t n = 1) : Alone({.n = n}) {}
};

TEST_F(Among, AnotherNodesKeyIsNotWritten) {
  lone.stand_at(1);
  EXPECT_FALSE(set());
  EXPECT_FALSE(lone.holds(lone.key));
  lone.stand_at(0);
  EXPECT_TRUE(set());
}

struct Copied : Among {
  Copied() : Among(3) {}
};

TEST_F(Copied, AKeyWithMoreCopiesIsNotWritten) {
  lone.stand_at(0);
  EXPECT_FALSE(set());
  EXPECT_FALSE(lone.holds(lone.key));
}

struct JustStarted : Alone {
  JustStarted() : Alone({.n = 1, .has_frontier = true}) {}
};

TEST_F(JustStarted, BeforeTheFirstContactNothingIsWritten) {
  lone.stand_at(0);
  EXPECT_FALSE(set());
  EXPECT_FALSE(lone.holds(lone.key));
}

struct FewAlone : Alone {
  FewAlone() : Alone({.members = 1, .n = 1, .options = {.siblings_max = 1}}) {}
};

TEST_F(FewAlone, ATooManyethSiblingIsRefused) {
  set();
  lone.answers.clear();
  Request request = lone.edit(test_edits::kSet, "sibling");
  Context nothing;
  request.has_context = true;
  request.context = &nothing;
  EXPECT_TRUE(run(request));
  EXPECT_EQ(lone.answer().outcome, Outcome::kTooManySiblings);
  EXPECT_THAT(lone.own(lone.key), ElementsAre("new"));
}

struct FullAlone : Alone {
  FullAlone() : Alone({.members = 1, .n = 1, .memory_bytes_max = 1}) {}
};

TEST_F(FullAlone, WithoutMemoryItIsRefused) {
  lone.put("another", lone.object_of(0, 1, "v"));
  EXPECT_TRUE(set());
  EXPECT_EQ(lone.answer().outcome, Outcome::kOutOfMemory);
  EXPECT_FALSE(lone.answer().stored);
}

// ---- with a disk

struct AloneStore {
  engine::testing::MapStore store;
};

class AloneOnDisk : public AloneStore, public Alone {
 protected:
  AloneOnDisk() : Alone({.members = 1, .n = 1, .store = &store}) {}
  void commit() { ASSERT_TRUE(lone.table.commits().commit(true).ok()); }
  void tell(bool ok) { puts.on_committed(lone.table.commits().committed(), ok, lone.now); }
};

TEST_F(AloneOnDisk, AnAnswerWaitsForItsCommit) {
  run(lone.edit(test_edits::kIncrement));
  EXPECT_THAT(lone.answers, IsEmpty());
  EXPECT_EQ(puts.waiting(), 1u);
  EXPECT_EQ(lone.core.open.requests.used(), 0u) << "a few words are enough";
  lone.pass_ms(3);
  commit();
  tell(true);
  EXPECT_EQ(lone.answer().tag, 5u);
  EXPECT_EQ(lone.answer().number, 1);
  EXPECT_TRUE(lone.answer().stored);
  EXPECT_EQ(lone.answer().service.micros, 3000u);
  tell(true);
  EXPECT_EQ(lone.answers.size(), 1u);
}

TEST_F(AloneOnDisk, EachTookItsOwnTime) {
  set(1);
  lone.pass_ms(3);
  set(2);
  lone.pass_ms(1);
  commit();
  tell(true);
  EXPECT_EQ(lone.answers.at(0).service.micros, 4000u);
  EXPECT_EQ(lone.answers.at(1).service.micros, 1000u);
}

TEST_F(AloneOnDisk, ACommitAnswersWhatCameBeforeIt) {
  set(1);
  set(2);
  commit();
  set(3);
  tell(true);
  EXPECT_THAT(answered(Outcome::kOk), ElementsAre(1, 2));
  commit();
  tell(true);
  EXPECT_THAT(answered(Outcome::kOk), ElementsAre(3));
}

TEST_F(AloneOnDisk, AFailureMakesAllUncertain) {
  set(1);
  set(2);
  tell(false);
  EXPECT_THAT(answered(Outcome::kUncertain), ElementsAre(1, 2));
  EXPECT_EQ(lone.core.counters.uncertain, 2u);
}

TEST_F(AloneOnDisk, ADiskThatHangsDoesNotHangTheClient) {
  set(1);
  lone.pass_ms(400);
  set(2);
  EXPECT_EQ(puts.next_deadline_us(), lone.now.steady_us + 600'000);
  lone.pass_ms(599);
  puts.on_time(lone.now);
  EXPECT_THAT(lone.answers, IsEmpty());
  lone.pass_ms(1);
  puts.on_time(lone.now);
  EXPECT_THAT(answered(Outcome::kUncertain), ElementsAre(1));
  commit();
  tell(true);
  EXPECT_THAT(answered(Outcome::kOk), ElementsAre(2)) << "and nobody is answered twice";
}

TEST_F(AloneOnDisk, AStoreThatFailedRefuses) {
  set(1);
  store.set_broken(true);
  ASSERT_FALSE(lone.table.commits().commit(true).ok());
  tell(false);
  lone.answers.clear();
  EXPECT_TRUE(set(2));
  EXPECT_THAT(answered(Outcome::kStoreFailed), ElementsAre(2));
}

TEST_F(AloneOnDisk, WhatAnswersMoreThanANumberWaitsAsAnOperation) {
  Request request = lone.edit(test_edits::kSet);
  request.wants_context = true;
  request.timeout_ms = 50;
  run(request, 7);
  EXPECT_EQ(puts.waiting(), 0u);
  ASSERT_EQ(lone.core.open.awaited_commits.size(), 1u);
  const SlotId id = lone.core.open.awaited_commits[0].operation;
  ASSERT_FALSE(lone.ended(id));
  const Operation& operation = lone.of(id);
  EXPECT_EQ(operation.kind, Operation::Kind::kPut);
  EXPECT_EQ(operation.phase, Operation::Phase::kWriting);
  EXPECT_EQ(operation.tag, 7u);
  EXPECT_EQ(operation.deadline_us, lone.now.steady_us + 50'000);
  EXPECT_EQ(lone.core.open.timers.next_due_us(), operation.deadline_us);
  EXPECT_FALSE(operation.writing.new_context.empty());
}

struct AloneOldKey {
  AloneOldKey() {
    LoneCore before({.members = 1, .n = 1, .store = &store});
    before.put("k", before.object_of(0, 1, "old"));
    before.put(before.key_in(0, 50), before.object_of(0, 1, "fills the memory"));
    KVORUM_CHECK(before.table.commits().commit(true).ok());
  }
  engine::testing::MapStore store;
};
struct AloneNotLoaded : AloneOldKey, Alone {
  AloneNotLoaded() : Alone({.members = 1, .n = 1, .store = &store, .memory_bytes_max = 1}) {}
};

TEST_F(AloneNotLoaded, AnObjectThatHasToBeLoadedNeedsAnOperation) {
  EXPECT_FALSE(set());
  EXPECT_THAT(lone.answers, IsEmpty());
  EXPECT_EQ(puts.waiting(), 0u);
}

// ---- the queue

TEST(LoneCommits, KeepsTheOrderAcrossCompaction) {
  LoneCommits queue;
  uint64_t pushed = 0, popped = 0;
  for (int round = 0; round < 3000; ++round) {
    queue.push({.ticket = 1, .tag = pushed++});
    queue.push({.ticket = 1, .tag = pushed++});
    ASSERT_EQ(queue.front().tag, popped);
    ASSERT_EQ(queue.pop().tag, popped++);
    ASSERT_EQ(queue.size(), pushed - popped);
  }
  while (!queue.empty()) ASSERT_EQ(queue.pop().tag, popped++);
  EXPECT_EQ(popped, pushed);
}

}  // namespace
}  // namespace kvorum::cluster::fixtures

// SPDX-License-Identifier: Apache-2.0
// Answers that say too much, come from somebody else, or come twice; links that break and come
// back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cluster/repair/lone_asker.h"

namespace kvorum::cluster::fixtures {
namespace {

constexpr MemberIndex kPeer = LoneAsker::kPeer;
constexpr uint32_t kPartition = LoneAsker::kPartition;

class AntiEntropyAnswers : public ::testing::Test {
 protected:
  LoneAsker lone;
};

TEST_F(AntiEntropyAnswers, ALinkThatComesBackWhileARangeIsOpenHoldsUpNothing) {
  lone.begin_range();
  lone.link_down();
  EXPECT_TRUE(lone.opened(lone.open_round(), {0}));
  EXPECT_TRUE(lone.rooted(lone.only(kPeer), {{kPartition, 0}}));
  EXPECT_FALSE(lone.sent_nothing()) << "the next exchange is begun at once";
}

TEST_F(AntiEntropyAnswers, RootsOfAKeyspaceThatWasNotAskedForSayNothing) {
  EXPECT_TRUE(lone.opened(lone.open_round(), {3}));
  Frame question = lone.only(kPeer);
  const uint64_t count = lone.exchanges.count();
  question.head.keyspace = 7;
  EXPECT_TRUE(lone.rooted(question, {}));
  EXPECT_EQ(lone.exchanges.count(), count);
}

TEST_F(AntiEntropyAnswers, RootsThatComeTwiceCountOnce) {
  EXPECT_TRUE(lone.opened(lone.open_round(), {3, 7}));
  const auto questions = lone.sent(kPeer);
  ASSERT_EQ(questions.size(), 2u);
  EXPECT_TRUE(lone.rooted(questions[0], {}));
  EXPECT_TRUE(lone.rooted(questions[0], {}));
  EXPECT_TRUE(lone.rooted(questions[1], {{kPartition, 0}}));
  EXPECT_FALSE(lone.sent_nothing()) << "the second keyspace is compared";
}

TEST_F(AntiEntropyAnswers, WhoWasNotAskedEndsNothing) {
  const Frame question = lone.begin_range();
  const Frame differences = lone.made([&](std::string& batch) {
    put_range_differences(batch, question.head.operation,
                          {.refused = true, .lacked = {}, .items = {}});
  });
  EXPECT_TRUE(lone.machine.on_message(2, differences, lone.now));
  EXPECT_TRUE(lone.sent_nothing());
  EXPECT_TRUE(lone.differ(question, {}));
  const Frame done = lone.only(kPeer);
  const Frame end = lone.made(
      [&](std::string& batch) { put_exchange_done_reply(batch, done.head.operation, false); });
  EXPECT_TRUE(lone.machine.on_message(2, end, lone.now));
  EXPECT_FALSE(lone.noted(kPartition));
  EXPECT_TRUE(lone.ended(done, false));
  EXPECT_TRUE(lone.noted(kPartition));
}

TEST_F(AntiEntropyAnswers, AnEndOfAllThatWasAskedForIsTheEnd) {
  lone.put_many(1500);
  lone.begin_exchanges({{kPartition, 0}});
  const auto questions = lone.sent(kPeer);
  ASSERT_FALSE(questions.empty());
  const RangeDigests first = parsed(questions[0], parse_range_digests);
  ASSERT_NE(first.end, 0u);
  EXPECT_TRUE(lone.differ(questions[0], {.end = first.end, .lacked = {}, .items = {}}));
  for (const Frame& frame : lone.sent(kPeer)) {
    if (frame.head.type != MessageType::kRangeDigests) continue;
    RangeDigests again;
    EXPECT_TRUE(parse_range_digests(frame, &again)) << "no stretch without a key";
  }
}

TEST_F(AntiEntropyAnswers, AnEndBehindWhatWasAskedForIsAFailure) {
  lone.put_many(1500);
  lone.begin_exchanges({{kPartition, 0}});
  const auto questions = lone.sent(kPeer);
  ASSERT_FALSE(questions.empty());
  const uint64_t end = parsed(questions[0], parse_range_digests).end;
  for (const Frame& question : questions) {
    EXPECT_TRUE(lone.differ(question, {.end = end + 1, .lacked = {}, .items = {}}));
  }
  EXPECT_EQ(lone.core.counters.exchanges_failed, 1u);
}

TEST_F(AntiEntropyAnswers, ARepairBesideAnOrdinaryRoundHasAProgressOfItsOwn) {
  lone.open_round();
  lone.machine.repair({}, lone.now);
  EXPECT_EQ(lone.machine.progress().began_us, lone.now.steady_us);
  const uint64_t began_us = lone.now.steady_us;
  lone.turn(1000);
  lone.machine.repair({}, lone.now);
  EXPECT_EQ(lone.machine.progress().began_us, began_us) << "the same repair, wished for once more";
}

}  // namespace
}  // namespace kvorum::cluster::fixtures

// SPDX-License-Identifier: Apache-2.0
// Reads while the sets in play of their partition change: whom they ask anew, whose answers count.
#include "tests/cluster/coordinator/anew_requests.h"

namespace kvorum::cluster::fixtures {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// ---- reads

using GetsAnew = BegunAnew;

TEST_F(GetsAnew, AllWhoOwnItNowAreAskedAgain) {
  get();
  forget_frames();
  const uint8_t before = attempt();
  move({0, 1, 2}, {0, 3, 4});
  expect_renewed();
  EXPECT_NE(attempt(), before);
  for (const size_t place : {1, 2, 3, 4}) {
    EXPECT_EQ(asked(place).attempt, attempt()) << place;
  }
  EXPECT_THAT(lone->sent(members[5]), IsEmpty());
}

TEST_F(GetsAnew, AreAnsweredWithROfEachSet) {
  get();
  move({0, 1, 2}, {0, 3, 4});
  id = only_id();
  absent(1);
  absent(2);
  EXPECT_THAT(lone->answers, IsEmpty()) << "of the newer set only this node answered";
  absent(4);
  EXPECT_EQ(lone->answer().outcome, Outcome::kOk);
}

TEST_F(GetsAnew, WhatWasAnsweredBeforeDoesNotCount) {
  lone->put(lone->key, lone->object_of(1, 1, "v"));
  get();
  const uint8_t before = attempt();
  move({0, 1, 2}, {0, 1, 3});
  const ReplicaReadReply late = LoneRequests::digest(lone->object_of(1, 1, "v"), before);
  read_reply(1, late);
  read_reply(2, late);
  EXPECT_THAT(lone->answers, IsEmpty()) << "by the older id";
  expect_renewed();
  read_reply(1, late);
  EXPECT_THAT(lone->answers, IsEmpty()) << "nor of the older attempt";
  read_reply(1, LoneRequests::digest(lone->object_of(1, 1, "v"), attempt()));
  EXPECT_THAT(lone->answer().values, ElementsAre("v"));
}

TEST_F(GetsAnew, WhoHasNoVoteYetIsNotRead) {
  get();
  forget_frames();
  move({{0, 1, 2}, {0, 3, 4}}, 1);
  expect_renewed();
  EXPECT_THAT(lone->sent(members[3]), IsEmpty());
  EXPECT_THAT(lone->sent(members[4]), IsEmpty());
  absent(1);
  EXPECT_EQ(lone->answer().outcome, Outcome::kOk);
}

TEST_F(GetsAnew, ItsTimeGoesOn) {
  get();
  live_us(990'000);
  move({0, 1, 2}, {0, 3, 4});
  live_us(10'000);
  EXPECT_EQ(lone->answer().outcome, Outcome::kNoQuorum);
}

TEST_F(GetsAnew, WhoKnowsAnotherHistoryIsAskedAgainInAMoment) {
  move({0, 1, 2}, {0, 3, 4});
  get();
  forget_frames();
  absent(1);
  read_reply(3, LoneRequests::verdict(Verdict::kApart, attempt()));
  EXPECT_TRUE(lone->sent_nothing());
  live_us(499);
  EXPECT_TRUE(lone->sent_nothing());
  live_us(1);
  const Frame again = lone->only(members[3]);
  EXPECT_EQ(again.head.operation, id) << "it did not begin anew";
  EXPECT_EQ(fenced(parsed(again, parse_replica_read)).attempt, attempt());
  read_reply(3, LoneRequests::verdict(Verdict::kApart, attempt()));
  live_us(999);
  EXPECT_TRUE(lone->sent_nothing()) << "the second pause is twice as long";
  live_us(1);
  asked(3);
  EXPECT_THAT(lone->answers, IsEmpty());
  absent(3);
  EXPECT_EQ(lone->answer().outcome, Outcome::kOk);
}

TEST_F(GetsAnew, WhoWasToSendTheObjectIsAskedForItAgain) {
  move({1, 2, 3}, {2, 3, 4});
  lone->core.open.requests.for_each([](SlotId, const Operation&) { FAIL(); });
  const Request request = lone->get();
  id = lone->acquire(Operation::Kind::kGet, request, 5);
  runner.run_at(lone->core.self(), id, operation(), lone->now);
  size_t full = 0;
  for (const size_t place : {1, 2, 3, 4}) {
    if (asked(place).full) full = place;
  }
  ASSERT_NE(full, 0u);
  read_reply(full, LoneRequests::verdict(Verdict::kApart, attempt()));
  live_us(500);
  EXPECT_TRUE(asked(full).full);
}

TEST_F(GetsAnew, OneThatIsAnsweredIsLeftAlone) {
  get();
  absent(1);
  ASSERT_EQ(operation().phase, Phase::kSettling);
  forget_frames();
  move({0, 1, 2}, {0, 3, 4});
  EXPECT_FALSE(lone->ended(id)) << "its id is the same";
  EXPECT_TRUE(lone->sent_nothing());
  absent(2);
  EXPECT_TRUE(lone->ended(id));
  EXPECT_EQ(lone->answers.size(), 1u);
}

TEST_F(GetsAnew, OneThatIsAnsweredInSetsHearsItsStragglersWhenTheyAreOver) {
  move({0, 1, 2}, {0, 1, 3});
  get();
  absent(1);
  ASSERT_EQ(operation().phase, Phase::kSettling);
  settle();
  move({{0, 1, 2}}, 1);
  settle();
  ASSERT_EQ(lone->core.sets_in_play(lone->ref(lone->key)), nullptr);
  absent(2);
  ASSERT_FALSE(lone->ended(id));
  runner.table().on_link_down(members[3], lone->now);
  EXPECT_TRUE(lone->ended(id));
  EXPECT_EQ(lone->answers.size(), 1u);
}

TEST_F(GetsAnew, ThoseOfOtherPartitionsGoOn) {
  move({{0, 1, 2}, {0, 3, 4}}, 1);
  Request other = lone->get();
  const std::string key = [&] {
    for (int number = 0;; ++number) {
      std::string name = "other" + std::to_string(number);
      const KeyRef ref = lone->ref(name);
      if (lone->core.partition_for(ref) == lone->core.partition_for(lone->ref(lone->key))) continue;
      if (lone->core.is_primary(0, ref)) return name;
    }
  }();
  other.key = lone->ref(key);
  start(other);
  forget_frames();
  move({{0, 1, 2}, {0, 3, 4}}, 2);  // somebody voted
  EXPECT_FALSE(lone->ended(id));
  EXPECT_TRUE(lone->sent_nothing());
  publish([](ClusterView& view) { ++view.newest_set; });
  expect_renewed();
}

}  // namespace
}  // namespace kvorum::cluster::fixtures

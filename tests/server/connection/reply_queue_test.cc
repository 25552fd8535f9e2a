// SPDX-License-Identifier: Apache-2.0
#include "server/connection/reply_queue.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace kvorum::server {
namespace {

TEST(ReplyQueue, TheFirstReplyGoesStraightOut) {
  ReplyQueue queue;
  const auto place = queue.open();
  EXPECT_EQ(&queue.writer(place), &queue.output());
  queue.writer(place).append("a");
  queue.close(place);
  EXPECT_EQ(queue.output(), "a");
  EXPECT_EQ(queue.waiting(), 0u);
}

TEST(ReplyQueue, LaterRepliesWaitForTheirTurn) {
  ReplyQueue queue;
  const auto first = queue.open(), second = queue.open(), third = queue.open();
  queue.writer(third).append("c");
  queue.close(third);
  queue.close(second);  // an empty reply
  EXPECT_EQ(queue.output(), "");
  EXPECT_EQ(queue.waiting(), 3u);
  EXPECT_EQ(queue.bytes(), 1u);
  queue.writer(first).append("a");
  queue.close(first);
  EXPECT_EQ(queue.output(), "ac");
  EXPECT_EQ(queue.waiting(), 0u);
}

TEST(ReplyQueue, AReplyOfSeveralPartsTakesItsTurn) {
  ReplyQueue queue;
  const auto first = queue.open(), second = queue.open(), third = queue.open();
  std::string parts = "b";
  queue.put(second, "*1:", parts);
  queue.close(second);
  EXPECT_EQ(queue.bytes(), 4u);
  parts = "a";
  queue.put(first, "*2:", parts);
  queue.close(first);
  EXPECT_EQ(queue.output(), "*2:a*1:b");
  parts = "c";
  queue.put(third, "*3:", parts);
  queue.close(third);
  EXPECT_EQ(queue.output(), "*2:a*1:b*3:c");
}

TEST(ReplyQueue, ManyPlacesMayWaitAgainAfterAllWereAnswered) {
  ReplyQueue queue;
  for (int round = 0; round < 3; ++round) {
    std::vector<ReplyQueue::Place> places;
    for (int i = 0; i < 1000; ++i) places.push_back(queue.open());
    for (size_t i = places.size(); i > 0; --i) {
      queue.writer(places[i - 1]).append("x");
      queue.close(places[i - 1]);
    }
    EXPECT_EQ(queue.output().size(), 1000u);
    queue.output().clear();
  }
}

TEST(ReplyQueue, ResetForgetsAllAndKeepsNoMemory) {
  ReplyQueue queue;
  queue.open();
  const auto second = queue.open();
  queue.writer(second).append(std::string(1'000'000, 'x'));
  queue.close(second);
  queue.reset();
  EXPECT_EQ(queue.bytes(), 0u);
  EXPECT_EQ(queue.waiting(), 0u);
  EXPECT_LT(queue.output().capacity(), 100u);
  const auto next = queue.open();
  queue.writer(next).append("a");
  queue.close(next);
  EXPECT_EQ(queue.output(), "a");
}

RC_GTEST_PROP(ReplyQueue, AnyOrderOfAnswersGivesTheOrderOfRequests, ()) {
  ReplyQueue queue;
  std::string wanted;
  std::vector<ReplyQueue::Place> open;
  int number = 0;
  const auto steps = *rc::gen::arbitrary<std::vector<uint16_t>>();
  const auto answer = [&](size_t which) {
    queue.writer(open[which]).append(std::to_string(open[which])).append(",");
    queue.close(open[which]);
    open.erase(open.begin() + static_cast<std::ptrdiff_t>(which));
  };
  for (const uint16_t step : steps) {
    if (step % 3 != 0 || open.empty()) {
      open.push_back(queue.open());
      wanted += std::to_string(number++) + ",";
    } else {
      answer(step % open.size());
    }
  }
  while (!open.empty()) answer(open.size() / 2);
  RC_ASSERT(queue.output() == wanted);
  RC_ASSERT(queue.waiting() == 0u);
  RC_ASSERT(queue.bytes() == wanted.size());
}

std::string sent(ReplyQueue& queue) {
  std::string all;
  while (queue.has_large()) {
    const LargeReply reply = queue.take_large();
    all.append(reply.before).append(reply.body.bytes);
  }
  return all.append(std::exchange(queue.output(), {}));
}

TEST(ReplyQueue, ALargeValueIsNotCopiedAndKeepsItsPlace) {
  const SharedBytes value = share(std::string(kSharedBytesMin, 'v'));
  for (const bool in_turn : {true, false}) {
    ReplyQueue queue;
    const ReplyQueue::Place first = queue.open(), second = queue.open(), third = queue.open();
    const auto answer_first = [&] {
      queue.writer(first) += "+1;";
      queue.close(first);
    };
    if (in_turn) answer_first();
    queue.put_large(second, {"$;", {value, *value}}, ";");
    queue.close(second);
    queue.writer(third) += "+3;";
    queue.close(third);
    if (!in_turn) {
      EXPECT_FALSE(queue.has_large());
      EXPECT_EQ(queue.bytes(), value->size() + 6);
      answer_first();
    }
    EXPECT_EQ(queue.bytes(), value->size() + 9);
    EXPECT_EQ(queue.waiting(), 0u);
    EXPECT_EQ(sent(queue), "+1;$;" + std::string(*value) + ";+3;") << in_turn;
    EXPECT_EQ(queue.bytes(), 0u);
  }
  EXPECT_EQ(value.use_count(), 1);
}

TEST(ReplyQueue, AResetLetsGoOfLargeValues) {
  const SharedBytes value = share(std::string(kSharedBytesMin, 'v'));
  ReplyQueue queue;
  const ReplyQueue::Place place = queue.open();
  queue.put_large(place, {"$;", {value, *value}}, ";");
  queue.close(place);
  queue.reset();
  EXPECT_EQ(queue.bytes(), 0u);
  EXPECT_EQ(value.use_count(), 1);
}

}  // namespace
}  // namespace kvorum::server

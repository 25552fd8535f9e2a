// SPDX-License-Identifier: Apache-2.0
#include "server/net/posts.h"

#include <gmock/gmock.h>

#include <thread>

namespace kvorum::server {
namespace {

using ::testing::ElementsAre;

struct PostsTest : testing::Test {
  asio::io_context io;
  PollSet polls{io};
  Posts posts{polls};
  std::vector<int> done;

  void add(int number) {
    posts.add([this, number] { done.push_back(number); });
  }
};

TEST_F(PostsTest, AreDoneOnceAndInTheirOrder) {
  EXPECT_TRUE(posts.empty());
  EXPECT_FALSE(posts.run());
  for (const int number : {1, 2, 3}) add(number);
  EXPECT_FALSE(posts.empty());
  EXPECT_THAT(done, ElementsAre());
  EXPECT_TRUE(posts.run());
  EXPECT_THAT(done, ElementsAre(1, 2, 3));
  EXPECT_FALSE(posts.run());
}

TEST_F(PostsTest, WhatWorkAddsIsDoneNextTime) {
  posts.add([this] { add(2); });
  EXPECT_TRUE(posts.run());
  EXPECT_THAT(done, ElementsAre());
  EXPECT_TRUE(posts.run());
  EXPECT_THAT(done, ElementsAre(2));
}

TEST_F(PostsTest, OnlyWhoSleepsIsWoken) {
  add(1);
  EXPECT_EQ(polls.poll(0), 0u);
  EXPECT_FALSE(posts.fall_asleep()) << "there is work";
  posts.run();
  EXPECT_TRUE(posts.fall_asleep());
  add(2);
  add(3);
  EXPECT_EQ(polls.poll(0), 1u) << "one write for both";
  EXPECT_EQ(polls.poll(0), 0u);
  posts.stay_awake();
  posts.run();
  EXPECT_TRUE(posts.fall_asleep());
  posts.stay_awake();
  add(4);
  EXPECT_EQ(polls.poll(0), 0u);
}

TEST_F(PostsTest, ASleeperIsWokenThroughAsioToo) {
  EXPECT_TRUE(posts.fall_asleep());
  add(1);
  EXPECT_EQ(io.poll_one(), 1u);
  EXPECT_EQ(polls.seen(), 1u);
}

// No wake-up is lost: else the waits below would end by their time alone.
TEST_F(PostsTest, AnotherThreadWakesWhoeverWaits) {
  constexpr int kMany = 20000;
  std::thread other([this] {
    for (int number = 0; number < kMany; ++number) add(number);
  });
  int timeouts = 0;
  while (static_cast<int>(done.size()) < kMany && timeouts == 0) {
    if (posts.fall_asleep() && polls.poll(20'000) == 0) ++timeouts;
    posts.stay_awake();
    posts.run();
  }
  other.join();
  EXPECT_EQ(timeouts, 0);
  EXPECT_EQ(static_cast<int>(done.size()), kMany);
  EXPECT_EQ(done.back(), kMany - 1);
}

}  // namespace
}  // namespace kvorum::server

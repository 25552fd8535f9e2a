// SPDX-License-Identifier: Apache-2.0
#include "server/net/poll_set.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <vector>

namespace kvorum::server {
namespace {

struct Seer : Pollable {
  void on_ready(bool readable, bool writable) override {
    readables += readable;
    writables += writable;
    if (closes != nullptr) {
      ::close(closes->watched.socket);
      closes->watched.socket = -1;
    }
  }
  PollSet::Watched watched;
  Seer* closes = nullptr;
  int readables = 0, writables = 0;
};

class PollSetTest : public testing::Test {
 protected:
  // Index of the near end; write to far_[index].
  Seer& add() {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    seers_.push_back(std::make_unique<Seer>());
    seers_.back()->watched.socket = ends[0];
    seers_.back()->watched.pollable = seers_.back().get();
    far_.push_back(ends[1]);
    return *seers_.back();
  }
  void turn() {
    io_.restart();
    io_.poll();
  }
  ~PollSetTest() override {
    for (const auto& seer : seers_) {
      if (seer->watched.socket >= 0) ::close(seer->watched.socket);
    }
    for (const int end : far_) ::close(end);
  }

  asio::io_context io_;
  PollSet polls_{io_};
  std::vector<std::unique_ptr<Seer>> seers_;
  std::vector<int> far_;
};

TEST_F(PollSetTest, TellsWhatIsWatchedForAndNothingElse) {
  Seer& seer = add();
  ASSERT_TRUE(polls_.watch(seer.watched, EPOLLIN));
  turn();
  EXPECT_EQ(seer.readables, 0);
  ASSERT_EQ(::write(far_[0], "x", 1), 1);
  io_.restart();
  io_.poll_one();
  EXPECT_EQ(seer.readables, 1);
  EXPECT_EQ(seer.writables, 0);
  ASSERT_TRUE(polls_.watch(seer.watched, EPOLLOUT));
  io_.poll_one();
  EXPECT_EQ(seer.readables, 1);
  EXPECT_EQ(seer.writables, 1);
  ASSERT_TRUE(polls_.watch(seer.watched, 0));
  EXPECT_EQ(seer.watched.events, 0u);
  turn();
  EXPECT_EQ(seer.writables, 1);
}

TEST_F(PollSetTest, ABrokenOneIsReadyForBoth) {
  Seer& seer = add();
  ASSERT_TRUE(polls_.watch(seer.watched, EPOLLIN));
  ::close(far_[0]);
  far_.clear();
  io_.poll_one();
  EXPECT_EQ(seer.readables, 1);
  EXPECT_EQ(seer.writables, 1);
}

TEST_F(PollSetTest, ManyMoreThanOneRoundHolds) {
  constexpr int kMany = 3 * static_cast<int>(PollSet::kEventsMax);
  for (int at = 0; at < kMany; ++at) {
    Seer& seer = add();
    ASSERT_TRUE(polls_.watch(seer.watched, EPOLLIN));
    ASSERT_EQ(::write(far_.back(), "x", 1), 1);
  }
  for (int round = 0; round < 3; ++round) io_.poll_one();
  for (const auto& seer : seers_) EXPECT_EQ(seer->readables, 1) << "in turn";
  EXPECT_EQ(polls_.seen(), static_cast<uint64_t>(kMany));
}

TEST_F(PollSetTest, OneThatIsClosedMayStillBeToldOfButNotAgain) {
  Seer& first = add();
  Seer& second = add();
  for (Seer* seer : {&first, &second}) ASSERT_TRUE(polls_.watch(seer->watched, EPOLLIN));
  for (const int end : far_) ASSERT_EQ(::write(end, "x", 1), 1);
  first.closes = &second;
  io_.poll_one();
  EXPECT_EQ(first.readables, 1);
  EXPECT_LE(second.readables, 1);
  first.closes = nullptr;
  const int before = second.readables;
  io_.poll_one();
  EXPECT_EQ(second.readables, before);
}

TEST_F(PollSetTest, WhatCannotBeWatchedIsAnError) {
  Seer seer;
  seer.watched.pollable = &seer;
  EXPECT_FALSE(polls_.watch(seer.watched, EPOLLIN));
  EXPECT_EQ(errno, EBADF);
  EXPECT_EQ(seer.watched.events, 0u);
}

TEST_F(PollSetTest, AfterStopNothingIsTold) {
  Seer& seer = add();
  ASSERT_TRUE(polls_.watch(seer.watched, EPOLLIN));
  ASSERT_EQ(::write(far_[0], "x", 1), 1);
  polls_.stop();
  io_.restart();
  io_.run();  // ends: nothing waits
  EXPECT_EQ(seer.readables, 0);
}

}  // namespace
}  // namespace kvorum::server

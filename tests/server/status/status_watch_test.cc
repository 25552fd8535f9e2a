// SPDX-License-Identifier: Apache-2.0
#include "server/status/status_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kvorum::server {
namespace {

using testing::HasSubstr;

class StatusWatchTest : public testing::Test {
 protected:
  StatusWatchTest() {
    for (const char* const name : {"a", "b"}) {
      MemberStatus& member = status.members.emplace_back();
      member.name = name;
      member.state = cluster::PeerState::kUp;
    }
    status.members[0].self = true;
    status.hints.emplace_back().target = "b";
  }

  // The lines of so many seconds.
  std::vector<std::string> look(int seconds = 1) {
    std::vector<std::string> lines;
    for (int i = 0; i < seconds; ++i) {
      now_ms += 1000;
      for (const StatusLine& line : watch.look(status, now_ms)) lines.push_back(line.text);
    }
    return lines;
  }
  void settle() { look(StatusWatch::kSteadyLooks); }

  NodeStatus status;
  StatusWatch watch;
  uint64_t now_ms = 1'000'000;
};

TEST_F(StatusWatchTest, StatesAreToldWithTheReasonOnceTheyLast) {
  EXPECT_THAT(look(10), testing::ElementsAre("the cluster is settled"));
  status.members[1].state = cluster::PeerState::kDown;
  status.members[1].reason = "no link for 5 s: Connection refused";
  EXPECT_THAT(look(10), testing::ElementsAre("the cluster is degraded: b: no link for 5 s: "
                                             "Connection refused"));
  status.members[1].state = cluster::PeerState::kUp;
  EXPECT_THAT(look(10), testing::ElementsAre("the cluster is settled after 10 s"));
}

TEST_F(StatusWatchTest, WhatFlapsIsNotTold) {
  settle();
  for (int i = 0; i < 100; ++i) {
    status.hints_pending = i % 2 == 0 ? 3 : 0;
    EXPECT_TRUE(look().empty());
  }
}

TEST_F(StatusWatchTest, ProblemsComeAndGoWithALineEach) {
  settle();
  status.problems = {{"hints_full", "", "hints fill 60 %", "refused", "look"}};
  EXPECT_THAT(look(20), testing::ElementsAre("hints_full: hints fill 60 %; refused; next: look"));
  status.problems.clear();
  EXPECT_THAT(look(20), testing::ElementsAre(HasSubstr("hints_full: over after")));
}

TEST_F(StatusWatchTest, AProblemThatComesAgainAndAgainIsToldNowAndThen) {
  settle();
  size_t lines = 0;
  for (int minute = 0; minute < 10; ++minute) {
    status.problems = {{"member_slow", "b", "b is slow", "around it", "look"}};
    lines += look(30).size();
    status.problems.clear();
    lines += look(30).size();
  }
  EXPECT_LE(lines, 4u);
  EXPECT_GE(lines, 2u);
}

TEST_F(StatusWatchTest, HintsThatWereDeliveredAreCounted) {
  settle();
  status.hints[0].count = 10;
  status.hints[0].delivered = 90;
  EXPECT_TRUE(look().empty());
  status.hints[0].count = 0;
  status.hints[0].delivered = 100;
  EXPECT_THAT(look(), testing::ElementsAre("100 hints delivered to b in 2 s"));
  EXPECT_TRUE(look(30).empty());
}

TEST_F(StatusWatchTest, ATrickleOfHintsIsNoFlood) {
  settle();
  size_t lines = 0;
  for (int i = 0; i < 100; ++i) {
    ++status.hints[0].delivered;
    lines += look().size();
  }
  EXPECT_LE(lines, 11u);
}

TEST_F(StatusWatchTest, RepairsThatFoundNothingAreToldOnlyWhereTheyWereAskedFor) {
  settle();
  status.repair.active = true;
  EXPECT_TRUE(look().empty());
  status.repair.active = false;
  EXPECT_TRUE(look().empty());
  watch.expect_repair();
  status.repair.partitions_done = 16;
  EXPECT_THAT(look(), testing::ElementsAre("repair ended: 0 keys repaired in 16 comparisons"));
  EXPECT_TRUE(look().empty());
}

TEST_F(StatusWatchTest, TheStoreFailsAndWorksAgainEachTime) {
  settle();
  for (int i = 0; i < 2; ++i) {
    status.store_failed = true;
    status.store_error = "disk full";
    EXPECT_THAT(look(), testing::ElementsAre("the store takes no writes: disk full"));
    status.store_failed = false;
    EXPECT_THAT(look(), testing::ElementsAre("the store takes writes again after 1 s"));
  }
}

TEST_F(StatusWatchTest, RefusalsAreToldOncePerIntervalWithTheirCount) {
  settle();
  status.clients_max = status.clients_configured = 10;
  std::vector<std::string> lines;
  for (int i = 0; i < 100; ++i) {
    status.connections_rejected += 40;
    for (std::string& line : look()) lines.push_back(std::move(line));
  }
  ASSERT_EQ(lines.size(), 10u);
  EXPECT_THAT(lines[0], HasSubstr("40 connections were refused: there are 10 clients"));
  EXPECT_THAT(lines[1], HasSubstr("400 connections were refused"));
  EXPECT_THAT(look(20), testing::ElementsAre(HasSubstr("360 connections")));
  EXPECT_TRUE(look(30).empty());
}

TEST_F(StatusWatchTest, FailedAcceptsAreToldInTheSameWay) {
  settle();
  status.accept_failures = 25;
  status.accept_error = 24;
  EXPECT_THAT(look(), testing::ElementsAre(HasSubstr("25 times: Too many open files")));
  status.accept_failures = 30;
  EXPECT_TRUE(look(8).empty());
}

}  // namespace
}  // namespace kvorum::server

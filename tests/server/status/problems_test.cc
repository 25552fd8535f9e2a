// SPDX-License-Identifier: Apache-2.0
#include "server/status/problems.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/cli/ask_commands.h"
#include "server/cli/command_line.h"
#include "server/commands/node_report.h"
#include "server/status/metrics.h"
#include "server/status/node_status.h"
#include "server/status/status_json.h"

namespace kvorum::server {
namespace {

using testing::HasSubstr;
using testing::Not;

NodeStatus settled() {
  NodeStatus status;
  status.name = "a";
  status.admin = "127.0.0.1:8379";
  status.partitions = 256;
  for (const char* const name : {"a", "b"}) {
    MemberStatus& member = status.members.emplace_back();
    member.name = name;
    member.state = cluster::PeerState::kUp;
  }
  status.members[0].self = true;
  return status;
}

std::vector<std::string> codes(const NodeStatus& status) {
  std::vector<std::string> found;
  for (const NodeProblem& problem : node_problems(status)) found.push_back(problem.code);
  return found;
}

TEST(NodeProblems, ThereAreNoneWhereAllIsWell) { EXPECT_TRUE(node_problems(settled()).empty()); }

TEST(NodeProblems, WhatKeepsANodeFromServingMakesItUnready) {
  NodeStatus status = settled();
  status.store_failed = true;
  status.store_error = "No space left on device";
  status.hints_bytes = 60;
  status.hints_max_bytes = 100;
  const auto problems = node_problems(status);
  ASSERT_EQ(codes(status), (std::vector<std::string>{"store_failed", "hints_full"}));
  EXPECT_TRUE(problems[0].unready);
  EXPECT_FALSE(problems[1].unready);
  EXPECT_THAT(problems[0].what, HasSubstr("No space left"));
  EXPECT_THAT(problems[1].what, HasSubstr("60 %"));
  EXPECT_TRUE(any_unready(problems));
}

TEST(NodeProblems, AJournalThatFillsIsToldBeforeItIsFull) {
  NodeStatus status = settled();
  status.data_directory = "/data";
  status.journals = {{"objects", {}}, {"hints", {}}};
  engine::JournalStats& objects = status.journals[0].stats;
  objects.capacity_bytes = 100;
  objects.used_bytes = 83;
  objects.pressure = 0.3;
  objects.pressed_ms = 2999;
  EXPECT_TRUE(node_problems(status).empty()) << "so short a time is none";
  objects.pressed_ms = 3000;
  ASSERT_EQ(codes(status), std::vector<std::string>{"journal_full"});
  EXPECT_EQ(problem_text(node_problems(status)[0]),
            "the journal of the objects is 83 % full, and the checkpoint that empties it cannot "
            "keep up; writes are slowed down; next: give the node a faster disk, or a larger "
            "engine.journal");
  objects.store_error = "No space left on device";
  status.journals[1].stats.store_error = "it is broken";
  const auto problems = node_problems(status);
  ASSERT_EQ(codes(status), (std::vector<std::string>{"checkpoint_failed", "checkpoint_failed"}));
  EXPECT_EQ(problem_text(problems[0]),
            "the objects cannot be put from their journal into their store: No space left on "
            "device; the journal, 83 % full, takes writes until it is full; next: look at the "
            "disk: df -h /data");
  EXPECT_EQ(problems[1].subject, "hints");
  EXPECT_FALSE(any_unready(problems)) << "writes go on";
}

TEST(NodeProblems, ANodeThatDepartedIsToldToStopAndMissesNobody) {
  NodeStatus status = settled();
  status.has_departed = true;
  status.members[1].state = cluster::PeerState::kDown;
  EXPECT_EQ(codes(status), std::vector<std::string>{"departed"});
  EXPECT_TRUE(any_unready(node_problems(status)));
}

TEST(NodeProblems, ShortQuorumsMatterForReadinessWhereThisNodeCoordinates) {
  NodeStatus status = settled();
  status.quorum.reads_refused = 3;
  status.quorum.reading = "default";
  EXPECT_FALSE(any_unready(node_problems(status)));
  status.quorum.refused_here = 1;
  const auto problems = node_problems(status);
  EXPECT_TRUE(any_unready(problems));
  EXPECT_THAT(problems[0].what, HasSubstr("3 of 256 partitions (keyspace default)"));
}

TEST(NodeProblems, APeerThatRefusesIsTold) {
  NodeStatus status = settled();
  status.members[1].state = cluster::PeerState::kDown;
  status.members[1].link_trouble = "its cluster.secret differs from ours";
  status.members[1].link_refused = true;
  const auto problems = node_problems(status);
  ASSERT_EQ(codes(status), (std::vector<std::string>{"peer_refused"}));
  EXPECT_EQ(problems[0].subject, "b");
  EXPECT_THAT(problems[0].what, HasSubstr("cluster.secret differs"));
}

TEST(NodeProblems, AClockThatIsOffIsTold) {
  NodeStatus status = settled();
  status.members[1].clock = cluster::ClockReport{100'000, 500, false};
  EXPECT_TRUE(node_problems(status).empty());
  status.members[1].clock = cluster::ClockReport{-600'000'000, 1500, true};
  const auto problems = node_problems(status);
  ASSERT_EQ(codes(status), (std::vector<std::string>{"clock_off"}));
  EXPECT_EQ(problems[0].subject, "b");
  EXPECT_THAT(problems[0].what, HasSubstr("its clock is 600.0 s behind this node's"));
}

TEST(NodeProblems, ConfigurationsThatDifferAreToldAndMatterWhereThisNodeDoesNotServe) {
  NodeStatus status = settled();
  status.differing_configurations = {"b does not serve keyspace 0: it has n 1, most have n 3"};
  ASSERT_EQ(node_problems(status).size(), 1u);
  EXPECT_EQ(node_problems(status)[0].subject, "b");
  EXPECT_FALSE(node_problems(status)[0].unready);
  EXPECT_STREQ(status.state(), "degraded");
  status.configuration_refused = true;
  status.differing_configurations = {"not served here: keyspace 0 has n 3 at b, c, n 1 here"};
  EXPECT_EQ(node_problems(status)[0].subject, "a");
  EXPECT_TRUE(node_problems(status)[0].unready);
  EXPECT_THAT(problem_text(node_problems(status)[0]), HasSubstr("n 3 at b, c, n 1 here"));
}

TEST(NodeProblems, ANodeWhoseLinksComeUpIsNotReady) {
  NodeStatus status = settled();
  status.joining = true;
  ASSERT_EQ(codes(status), (std::vector<std::string>{"joining"}));
  EXPECT_TRUE(any_unready(node_problems(status)));
}

TEST(NodeProblems, APeerWithoutALinkHereIsNamed) {
  NodeStatus status = settled();
  status.members[1].seen.one_way = true;
  ASSERT_EQ(codes(status), (std::vector<std::string>{"member_one_way"}));
  EXPECT_FALSE(any_unready(node_problems(status)));
}

TEST(NodeProblems, EachHasAConsequenceAndSomethingToDo) {
  NodeStatus status = settled();
  status.loading = status.store_failed = status.peer_port_open = true;
  status.members[1].state = cluster::PeerState::kSlow;
  status.disk_bytes = 100;
  status.disk_free_bytes = 5;
  status.reaping.waits = "no report comes from b";
  status.reaping.behind_ms = 16 * 60'000;
  status.copies_not_whole = 2;
  status.eviction_waits = "eviction waits";
  status.clients_max = 10;
  status.clients_configured = 20;
  status.quorum = {1, 1, 1, 1, 1, "default", "default"};
  const auto problems = node_problems(status);
  EXPECT_GE(problems.size(), 11u);
  for (const NodeProblem& problem : problems) {
    EXPECT_FALSE(problem.what.empty() || problem.consequence.empty() || problem.next.empty())
        << problem.code;
  }
}

TEST(NodeProblems, AreShownEverywhereByTheSameCode) {
  NodeStatus status = settled();
  status.peer_port_open = true;
  status.problems = node_problems(status);
  EXPECT_THAT(cluster_status_text(status), HasSubstr("problems:1\r\nproblem_1:no_secret: "));
  EXPECT_THAT(node_report(status, {"dynamo"}), HasSubstr("problems:1\r\nproblem_1:no_secret: "));
  EXPECT_THAT(status_json(status), HasSubstr(R"("code":"no_secret")"));
  EXPECT_THAT(status_table(status_json(status)).value(), HasSubstr("next: set cluster.secret"));
  EXPECT_EQ(reasons_json(status.problems), "[]\n");
  EXPECT_THAT(metrics_text(status), HasSubstr(R"(kvorum_problem{code="no_secret",subject=""} 1)"));
  EXPECT_THAT(metrics_text(status), HasSubstr("kvorum_ready 1"));
}

// Clients read `name=value,...` of INFO as fields of their own.
TEST(NodeProblems, HaveNoEqualsSignInInfo) {
  NodeStatus status = settled();
  status.clients_configured = 1;
  status.problems = node_problems(status);
  const std::string report = node_report(status, {"dynamo"});
  const size_t at = report.find("problem_1:");
  ASSERT_NE(at, std::string::npos);
  EXPECT_THAT(report.substr(at, report.find('\r', at) - at), Not(HasSubstr("=")));
}

TEST(NodeProblems, TheExitStatusOfStatusFollowsTheState) {
  NodeStatus status = settled();
  EXPECT_EQ(status_exit(status_json(status)), kExitFine);
  status.members[1].state = cluster::PeerState::kDown;
  status.problems = node_problems(status);
  EXPECT_EQ(status_exit(status_json(status)), kExitFailed);
  status.transfers_active = 1;
  EXPECT_EQ(status_exit(status_json(status)), kExitFailed);
  status.problems.clear();
  EXPECT_EQ(status_exit(status_json(status)), kExitFine);
  NodeStatus failed = settled();
  failed.store_failed = true;
  failed.problems = node_problems(failed);
  EXPECT_EQ(status_exit(status_json(failed)), kExitFailed);
}

TEST(ProblemTimes, AProblemKeepsItsBeginningWhileItLasts) {
  ProblemTimes times;
  const auto since = [&](std::vector<NodeProblem> problems, uint64_t now_ms) {
    times.date(&problems, now_ms);
    return problems.empty() ? 0 : problems[0].since_ms;
  };
  const NodeProblem b{"member_down", "b", "", "", ""}, c{"member_down", "c", "", "", ""};
  EXPECT_EQ(since({b}, 100), 100u);
  EXPECT_EQ(since({b, c}, 200), 100u);
  EXPECT_EQ(since({c}, 300), 200u);
  EXPECT_EQ(since({}, 400), 0u);
  EXPECT_EQ(since({c}, 500), 500u);
}

}  // namespace
}  // namespace kvorum::server

// SPDX-License-Identifier: Apache-2.0
#include "server/status/node_status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/cli/ask_commands.h"
#include "server/commands/node_report.h"
#include "server/status/metrics.h"
#include "server/status/status_json.h"

namespace kvorum::server {
namespace {

using cluster::PeerState;
using testing::HasSubstr;
using testing::Not;

// The peer b of a node a.
NodeStatus seen_as(PeerState state) {
  NodeStatus status;
  status.name = "a";
  for (const char* const name : {"a", "b"}) status.members.emplace_back().name = name;
  status.members[0].self = true;
  status.members[0].state = PeerState::kUp;
  MemberStatus& peer = status.members[1];
  peer.state = peer.seen.state = state;
  peer.seen.since_us = 1'000'000;
  peer.state_seconds = 12.3;
  peer.seen.timeouts = 7;
  peer.seen.unanswered = 3;
  peer.seen.read_us = 200'000;
  peer.seen.read_tail_us = 250'000;
  peer.seen.usual_us = 5'000;
  peer.reason = member_reason(peer);
  return status;
}

TEST(NodeStatus, IsNotSettledWhileAPeerHasNoLinkHere) {
  NodeStatus status = seen_as(PeerState::kUp);
  EXPECT_STREQ(status.state(), "settled");
  status.members[1].seen.one_way = true;
  EXPECT_STREQ(status.state(), "degraded");
  EXPECT_THAT(member_reason(status.members[1]), HasSubstr("has links to this node"));
}

// Whoever restarts nodes one after the other waits for this: beside a copy that does not count, one
// more node that stops leaves too few.
TEST(NodeStatus, IsNotSettledWhileACopyDoesNotCount) {
  NodeStatus status = seen_as(PeerState::kUp);
  status.copies_not_whole = 1;
  EXPECT_STREQ(status.state(), "degraded");
}

TEST(NodeStatus, SaysOfAPeerThatItIsStopping) {
  NodeStatus status = seen_as(PeerState::kDown);
  status.members[1].seen.stopping = true;
  EXPECT_EQ(member_reason(status.members[1]), "it is stopping");
  EXPECT_STREQ(status.state(), "degraded");
}

cluster::BackgroundReport slowed_down() {
  cluster::BackgroundReport report;
  report.unlimited = false;
  report.rate = cluster::AdmissionRate::kFull / 25;
  report.slowed = true;
  report.p99_us = 23'400;
  report.target_us = 10'000;
  report.works[1].waiting = true;
  report.works[1].waits = 42;
  report.works[1].done_us = 1'500'000;
  return report;
}

TEST(MemberReason, SaysWhyAndSinceWhen) {
  EXPECT_EQ(seen_as(PeerState::kUp).members[1].reason, "");
  EXPECT_EQ(seen_as(PeerState::kDown).members[1].reason, "no link for 12 s");
  EXPECT_EQ(seen_as(PeerState::kSuspected).members[1].reason,
            "suspected for 12 s: 3 timeouts in a row");
  EXPECT_EQ(seen_as(PeerState::kSlow).members[1].reason,
            "slow for 12 s: it answers in 200 ms; 40 times the median");
  MemberStatus never;
  EXPECT_EQ(member_reason(never), "no link since the start");
}

TEST(MemberReason, IsShownEverywhere) {
  const NodeStatus status = seen_as(PeerState::kSlow);
  EXPECT_THAT(cluster_status_text(status), HasSubstr(",reason=slow for 12 s: "));
  EXPECT_THAT(cluster_status_text(seen_as(PeerState::kUp)), Not(HasSubstr("reason=")));
  EXPECT_THAT(status_table(status_json(status)).value(), HasSubstr("\nb: slow for 12 s: "));
  const std::string metrics = metrics_text(status);
  EXPECT_THAT(metrics, HasSubstr("kvorum_peer_timeouts_total{member=\"b\"} 7"));
  EXPECT_THAT(metrics, HasSubstr("kvorum_peer_read_mean_seconds{member=\"b\"} 0.2"));
  EXPECT_THAT(metrics, HasSubstr("kvorum_peer_read_seconds{member=\"b\",quantile=\"0.97\"} 0.25"));
  EXPECT_THAT(metrics, HasSubstr("kvorum_peer_state_seconds{member=\"b\",state=\"slow\"} 12.3"));
  EXPECT_THAT(metrics, Not(HasSubstr("kvorum_peer_timeouts_total{member=\"a\"}")));
}

TEST(FaultKinds, AreShownByTheSameNamesEverywhere) {
  NodeStatus status = seen_as(PeerState::kUp);
  status.storage = {1, 2, 3, 4, 5, 6, 7};
  EXPECT_THAT(
      node_report(status, {"persistence"}),
      HasSubstr("storage_faults:21\r\nstorage_faults_write:1\r\nstorage_faults_sync:2\r\n"
                "storage_faults_disk_full:3\r\nstorage_faults_read:4\r\n"
                "storage_faults_damage:5\r\nstorage_faults_lost:6\r\nstorage_salvages:7\r\n"));
  EXPECT_THAT(
      status_json(status),
      HasSubstr(R"("faults":{"write":1,"sync":2,"disk_full":3,"read":4,"damage":5,"lost":6,)"
                R"("total":21,"salvages":7})"));
}

TEST(Journals, AreShownAsALogOfRedisAndByTheirOwnNames) {
  NodeStatus status = seen_as(PeerState::kUp);
  const std::string none = node_report(status, {"persistence"});
  EXPECT_THAT(none, HasSubstr("\naof_rewrite_in_progress:0\r\naof_rewrites:0\r\n"
                              "aof_last_rewrite_time_sec:-1\r\n"
                              "aof_current_rewrite_time_sec:-1\r\n"
                              "aof_last_bgrewrite_status:ok\r\n"));
  EXPECT_THAT(none, Not(HasSubstr("aof_current_size")));
  EXPECT_THAT(none, Not(HasSubstr("journal_")));
  status.journals = {{"objects", {}}, {"hints", {}}};
  engine::JournalStats& stats = status.journals[0].stats;
  stats.capacity_bytes = 100;
  stats.used_bytes = 62;
  stats.changes = 5;
  stats.checkpoints = 3;
  stats.last_checkpoint_ms = 2'900;
  stats.slowed_us = 7'000;
  std::string text = node_report(status, {"persistence"});
  EXPECT_THAT(text, HasSubstr("\naof_rewrite_in_progress:0\r\naof_rewrites:3\r\n"
                              "aof_last_rewrite_time_sec:2\r\n"
                              "aof_current_rewrite_time_sec:-1\r\n"
                              "aof_last_bgrewrite_status:ok\r\naof_current_size:62\r\n"));
  EXPECT_THAT(text, HasSubstr("\njournal_used_bytes:62\r\njournal_capacity_bytes:100\r\n"));
  EXPECT_THAT(text, HasSubstr("\njournal_changes:5\r\njournal_checkpoints:3\r\n"));
  EXPECT_THAT(text, HasSubstr("\njournal_slowed_ms:7\r\n"));
  EXPECT_THAT(text, HasSubstr("\nhints_journal_used_bytes:0\r\n"));
  stats.checkpoint_runs = true;
  stats.checkpoint_ms = 1'200;
  stats.store_error = "No space left on device";
  text = node_report(status, {"persistence"});
  EXPECT_THAT(text, HasSubstr("\naof_rewrite_in_progress:1\r\n"));
  EXPECT_THAT(text, HasSubstr("\naof_current_rewrite_time_sec:1\r\n"
                              "aof_last_bgrewrite_status:err\r\n"));
  EXPECT_THAT(text, HasSubstr("\njournal_error:No space left on device\r\n"));
  EXPECT_THAT(status_json(status), HasSubstr(R"("journals":{"objects":{"used_bytes":62,)"));
}

TEST(BackgroundWaits, SaysHowMuchAndWhy) {
  cluster::BackgroundReport report = slowed_down();
  EXPECT_EQ(background_waits(report),
            "clients go first: at 4 % of full speed while their p99 is 23 ms; "
            "limits.foreground_p99 is 10 ms");
  report.slowed = false;
  EXPECT_EQ(background_waits(report), "clients go first: at 4 % of full speed");
  report.works[1].waiting = false;
  EXPECT_EQ(background_waits(report), "") << "there is nothing to do";
  report.works[1].waiting = true;
  report.unlimited = true;
  EXPECT_EQ(background_waits(report), "");
}

TEST(BackgroundWaits, IsShownEverywhere) {
  NodeStatus status = seen_as(PeerState::kUp);
  EXPECT_THAT(node_report(status, {"dynamo"}), Not(HasSubstr("background_percent")));
  status.background = slowed_down();
  EXPECT_THAT(node_report(status, {"dynamo"}), HasSubstr("background_percent:4.0\r\n"));
  EXPECT_THAT(node_report(status, {"dynamo"}), HasSubstr("background_waits:clients go first"));
  EXPECT_THAT(cluster_status_text(status), HasSubstr("background_percent:4.0\r\n"));
  EXPECT_THAT(status_table(status_json(status)).value(),
              HasSubstr("background work: clients go first"));
  const std::string metrics = metrics_text(status);
  EXPECT_THAT(metrics, HasSubstr("kvorum_background_share 0.04"));
  EXPECT_THAT(metrics, HasSubstr("kvorum_background_waits_total{work=\"anti_entropy\"} 42"));
  EXPECT_THAT(metrics,
              HasSubstr("kvorum_background_work_seconds_total{work=\"anti_entropy\"} 1.5"));
  EXPECT_THAT(metrics, HasSubstr("kvorum_foreground_p99_target_seconds 0.01"));
}

}  // namespace
}  // namespace kvorum::server

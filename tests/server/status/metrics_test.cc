// SPDX-License-Identifier: Apache-2.0
#include "server/status/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <sstream>

namespace kvorum::server {
namespace {

using testing::HasSubstr;
using testing::Not;

NodeStatus some_status() {
  NodeStatus status;
  status.version = "1.2.3";
  status.clients_connected = 7;
  status.counters.gets = 41;
  status.keys[0] = 5;
  status.keys[3] = 6;
  for (const char* const name : {"a", "b"}) {
    MemberStatus& member = status.members.emplace_back();
    member.name = name;
    member.state = name[0] == 'a' ? cluster::PeerState::kUp : cluster::PeerState::kSuspected;
  }
  return status;
}

TEST(MetricsTest, ValuesStandUnderTheirNames) {
  const std::string text = metrics_text(some_status());
  EXPECT_THAT(text, HasSubstr("kvorum_clients_connected 7"));
  EXPECT_THAT(text, HasSubstr("kvorum_operations_total{kind=\"get\"} 41"));
  EXPECT_THAT(text, HasSubstr("kvorum_member_up{member=\"a\"} 1"));
  EXPECT_THAT(text, HasSubstr("kvorum_member_up{member=\"b\"} 0"));
  EXPECT_THAT(text, HasSubstr("kvorum_keys{db=\"0\"} 5"));
  EXPECT_THAT(text, HasSubstr("kvorum_keys{db=\"3\"} 6"));
  EXPECT_THAT(text, HasSubstr("kvorum_build{version=\"1.2.3\"} 1"));
}

TEST(MetricsTest, HintsStandUnderTheirTargets) {
  NodeStatus status = some_status();
  status.hints_bytes = 900;
  status.hints_refused = 4;
  for (const char* const name : {"b", "c"}) {
    HintStatus& row = status.hints.emplace_back();
    row.target = name;
    row.count = name[0] == 'b' ? 3 : 0;
    row.bytes = row.count * 300;
    row.oldest_ms = row.count * 1000;
  }
  const std::string text = metrics_text(status);
  EXPECT_THAT(text, HasSubstr("kvorum_hints_pending{target=\"b\"} 3"));
  EXPECT_THAT(text, HasSubstr("kvorum_hints_pending{target=\"c\"} 0"));
  EXPECT_THAT(text, HasSubstr("kvorum_hints_target_bytes{target=\"b\"} 900"));
  EXPECT_THAT(text, HasSubstr("kvorum_hints_oldest_milliseconds{target=\"b\"} 3000"));
  EXPECT_THAT(text, HasSubstr("kvorum_hints_bytes 900"));
  EXPECT_THAT(text, HasSubstr("kvorum_hints_total{event=\"refused\"} 4"));
}

TEST(MetricsTest, TransfersSayHowMuchIsLeft) {
  NodeStatus status = some_status();
  EXPECT_THAT(metrics_text(status), Not(HasSubstr("kvorum_transfers_seconds_left")));
  status.moves.total.copied = {30, 300};
  status.moves.total.left = {70, 700};
  status.moves.total.per_second = {10, 100};
  status.moves.total.seconds_left = 7;
  const std::string text = metrics_text(status);
  EXPECT_THAT(text, HasSubstr("kvorum_transfers_keys_copied 30"));
  EXPECT_THAT(text, HasSubstr("kvorum_transfers_keys_left 70"));
  EXPECT_THAT(text, HasSubstr("kvorum_transfers_bytes_copied 300"));
  EXPECT_THAT(text, HasSubstr("kvorum_transfers_bytes_left 700"));
  EXPECT_THAT(text, HasSubstr("kvorum_transfers_keys_per_second 10"));
  EXPECT_THAT(text, HasSubstr("kvorum_transfers_bytes_per_second 100"));
  EXPECT_THAT(text, HasSubstr("kvorum_transfers_seconds_left 7"));
}

TEST(MetricsTest, FaultsOfTheDiskStandByKind) {
  NodeStatus status = some_status();
  status.storage = {1, 2, 3, 4, 5, 6, 7};
  const std::string text = metrics_text(status);
  int count = 0;
  for (const char* kind : {"write", "sync", "disk_full", "read", "damage", "lost"}) {
    EXPECT_THAT(text, HasSubstr(std::string("kvorum_storage_faults_total{kind=\"") + kind + "\"} " +
                                std::to_string(++count)));
  }
  EXPECT_THAT(text, HasSubstr("kvorum_storage_salvages_total 7"));
}

TEST(MetricsTest, JournalsStandByTheirStore) {
  NodeStatus status = some_status();
  EXPECT_THAT(metrics_text(status), Not(HasSubstr("kvorum_journal_")));
  status.journals = {{"objects", {}}, {"hints", {}}};
  engine::JournalStats& stats = status.journals[0].stats;
  stats.capacity_bytes = 1;
  stats.used_bytes = 2;
  stats.allocated_bytes = 3;
  stats.appended_bytes = 4;
  stats.changes = 5;
  stats.checkpoints = 6;
  stats.checkpoint_runs = true;
  stats.slowed_us = 1'500'000;
  stats.stalled_us = 2'500'000;
  status.journals[1].stats.store_error = "it is broken";
  const std::string text = metrics_text(status);
  for (const char* const line :
       {"capacity_bytes{store=\"objects\"} 1", "used_bytes{store=\"objects\"} 2",
        "allocated_bytes{store=\"objects\"} 3", "appended_bytes_total{store=\"objects\"} 4",
        "changes{store=\"objects\"} 5", "checkpoints_total{store=\"objects\"} 6",
        "checkpoint_running{store=\"objects\"} 1", "checkpoint_running{store=\"hints\"} 0",
        "checkpoint_failed{store=\"objects\"} 0", "checkpoint_failed{store=\"hints\"} 1",
        "slowed_seconds_total{store=\"objects\"} 1.5",
        "stalled_seconds_total{store=\"objects\"} 2.5"}) {
    EXPECT_THAT(text, HasSubstr(std::string("\nkvorum_journal_") + line + "\n"));
  }
}

TEST(MetricsTest, LatenciesAreAHistogramAndQuantilesOfTheLastMinute) {
  const auto histogram = std::make_unique<LatencyHistogram>();
  histogram->record(100, 1'000'000);
  histogram->record(3000, 1'000'000);
  NodeStatus status = some_status();
  status.get_latency.add(*histogram, 1'000'000);
  const std::string text = metrics_text(status);
  const std::string bucket = "kvorum_operation_duration_seconds_bucket{kind=\"get\",le=";
  EXPECT_THAT(text, HasSubstr(bucket + "\"6.4e-05\"} 0"));
  EXPECT_THAT(text, HasSubstr(bucket + "\"0.000128\"} 1"));
  EXPECT_THAT(text, HasSubstr(bucket + "\"0.004096\"} 2"));
  EXPECT_THAT(text, HasSubstr(bucket + "\"+Inf\"} 2"));
  EXPECT_THAT(text, HasSubstr("kvorum_operation_duration_seconds_sum{kind=\"get\"} 0.0031"));
  EXPECT_THAT(text,
              HasSubstr("kvorum_operation_latency_seconds{kind=\"get\",quantile=\"0.5\"} 0.0001"));
  EXPECT_THAT(text,
              HasSubstr("kvorum_operation_latency_seconds{kind=\"get\",quantile=\"0.999\"} 0.003"));
}

TEST(MetricsTest, EachFamilyIsDescribedOnceAndCountersEndInTotal) {
  NodeStatus status = some_status();
  status.journals = {{"objects", {}}, {"hints", {}}};
  std::istringstream lines(metrics_text(status));
  std::set<std::string> seen;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string hash, kind, name, type;
    if (!(words >> hash >> kind >> name >> type) || kind != "TYPE") continue;
    EXPECT_TRUE(seen.insert(name).second) << name;
    EXPECT_EQ(type == "counter", name.ends_with("_total")) << name;
  }
  EXPECT_GT(seen.size(), 25u);
}

}  // namespace
}  // namespace kvorum::server

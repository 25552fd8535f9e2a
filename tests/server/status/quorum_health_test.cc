// SPDX-License-Identifier: Apache-2.0
#include "server/status/quorum_health.h"

#include <gtest/gtest.h>

#include "server/config/config.h"

namespace kvorum::server {
namespace {

// Members a to e as far as `members` goes; this node is a.
cluster::ClusterView view_of(size_t members, const std::string& keyspaces) {
  std::string text = "cluster:\n  name: q\n  partitions: 16\n  members:\n";
  for (size_t i = 0; i < members; ++i) {
    text += "    - {name: " + std::string(1, static_cast<char>('a' + i)) +
            ", peer: 127.0.0.1:" + std::to_string(7000 + i) + "}\n";
  }
  const ConfigReport report = load_config(text + keyspaces, "q.yaml", "a");
  EXPECT_TRUE(report.ok()) << report.to_text();
  return make_view(report.config);
}

bool short_somewhere(const QuorumHealth& health) {
  return health.reads_refused + health.reads_served + health.writes_refused +
             health.writes_softened !=
         0;
}

TEST(QuorumHealth, NothingIsShortWhileAllAnswer) {
  EXPECT_FALSE(short_somewhere(quorum_health(view_of(3, ""), {true, true, true})));
}

TEST(QuorumHealth, OneOfThreeAloneRefusesReadsAndTakesWrites) {
  const QuorumHealth health = quorum_health(view_of(3, ""), {true, false, false});
  EXPECT_EQ(health.reads_refused, 16u);
  EXPECT_EQ(health.writes_softened, 16u);
  EXPECT_EQ(health.writes_refused, 0u);
  EXPECT_EQ(health.refused_here, 16u);
  EXPECT_EQ(health.reading, "default");
}

TEST(QuorumHealth, OneOfThreeAwayIsNotShort) {
  EXPECT_FALSE(short_somewhere(quorum_health(view_of(3, ""), {true, true, false})));
}

TEST(QuorumHealth, FallbacksCountOnlyWhereQuorumsAreSloppy) {
  const std::vector<bool> reachable = {true, true, true, false, false};
  EXPECT_FALSE(short_somewhere(quorum_health(view_of(5, ""), reachable)));
  const QuorumHealth strict =
      quorum_health(view_of(5, "keyspaces:\n  default: {sloppy: false}\n"), reachable);
  EXPECT_GT(strict.reads_refused, 0u);
  EXPECT_LT(strict.reads_refused, 16u);
  EXPECT_EQ(strict.reads_refused, strict.writes_refused);
  EXPECT_LE(strict.refused_here, strict.reads_refused);
}

TEST(QuorumHealth, PoliciesDecideWhatShortMeans) {
  const QuorumHealth health =
      quorum_health(view_of(3,
                            "keyspaces:\n  default: {r: 1, writes_when_short: reject}\n"
                            "  cache: {db: 2, reads_when_short: serve, w: 1}\n"),
                    {true, false, false});
  EXPECT_EQ(health.writes_refused, 16u);
  EXPECT_EQ(health.reads_refused, 0u);
  EXPECT_EQ(health.writing, "default");
}

TEST(QuorumHealth, APartitionIsCountedOnceForAllKeyspaces) {
  const QuorumHealth health =
      quorum_health(view_of(3, "keyspaces:\n  carts: {db: 1, r: 3}\n"), {true, false, false});
  EXPECT_EQ(health.reads_refused, 16u);
  EXPECT_EQ(health.reading, "default, carts");
}

}  // namespace
}  // namespace kvorum::server

// SPDX-License-Identifier: Apache-2.0
#include "server/node/status_collector.h"

#include <gtest/gtest.h>

#include "tests/engine/scratch_directory.h"
#include "tests/server/node/grown_cluster.h"

namespace kvorum::server {
namespace {

cluster::PeerReport report(cluster::PeerState state, uint64_t timeouts) {
  cluster::PeerReport report;
  report.state = state;
  report.timeouts = timeouts;
  return report;
}

TEST(StatusCollectorTest, OneReactorMayKnowANewcomerThatAnotherDoesNot) {
  using enum cluster::PeerState;
  std::vector<cluster::PeerReport> worst;
  join_reports({report(kUp, 1), report(kUp, 2)}, &worst);
  join_reports({report(kDown, 10), report(kUp, 20), report(kSlow, 30)}, &worst);
  join_reports({report(kUp, 100)}, &worst);
  ASSERT_EQ(worst.size(), 3u);
  EXPECT_EQ(worst[0].state, kDown);
  EXPECT_EQ(worst[0].timeouts, 111u);
  EXPECT_EQ(worst[1].timeouts, 22u);
  EXPECT_EQ(worst[2].state, kSlow);
  EXPECT_EQ(worst[2].timeouts, 30u);
}

constexpr const char* kThree =
    "cluster: {name: demo, partitions: 16, members: [{name: a, peer: 127.0.0.1:7379}, {name: b, "
    "peer: 127.0.0.2:7379}, {name: c, peer: 127.0.0.3:7379}]}\n";

// The admin port is open while a node still reads its disk.
TEST(StatusCollectorTest, ANodeThatStartsInTheMiddleOfAMoveTellsItsStatus) {
  const engine::testing::ScratchDirectory directory;
  const std::string node = "node: {name: a, data: " + directory.path() + "}\n";
  const Config config = load_config(kThree + node, "f.yaml").config;
  const NodeSelf self(config, grown_by_f(config, "a"));
  ASSERT_FALSE(self.view->moving.empty());
  const NodePhase phase;
  const LiveConfig live(config);
  NodeStores stores({self.config, *self.view, self.history.founding(), self.id, false});
  ASSERT_TRUE(stores.open().ok());
  NodeCopies copies(self, stores);
  NodeMembership membership(self, stores, copies);
  const ReactorGroup reactors(self);
  const LoginGuard logins;
  StatusCollector collector({self, phase, live, stores, copies, membership, reactors, logins});
  const NodeStatus status = collector.status();
  EXPECT_TRUE(status.loading);
  EXPECT_EQ(status.transfers_active, self.view->moving.size());
  EXPECT_TRUE(status.moves.rows.empty());
}

}  // namespace
}  // namespace kvorum::server

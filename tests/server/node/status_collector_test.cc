// SPDX-License-Identifier: Apache-2.0
#include "server/node/status_collector.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace kvorum::server

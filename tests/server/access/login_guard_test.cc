// SPDX-License-Identifier: Apache-2.0
#include "server/access/login_guard.h"

#include <gtest/gtest.h>

namespace kvorum::server {
namespace {

TEST(LoginGuardTest, ANetworkIsAHostOrSixtyFourBits) {
  EXPECT_EQ(LoginGuard::network_of("10.1.2.3:4567"), "10.1.2.3");
  EXPECT_EQ(LoginGuard::network_of("10.1.2.3"), "10.1.2.3");
  EXPECT_EQ(LoginGuard::network_of("[2001:db8:1:2:3:4:5:6]:4567"), "2001:db8:1:2::/64");
  EXPECT_EQ(LoginGuard::network_of("2001:db8:1:2::9"), "2001:db8:1:2::/64");
  EXPECT_EQ(LoginGuard::network_of("[::ffff:10.1.2.3]:9"), "10.1.2.3");
  EXPECT_EQ(LoginGuard::network_of(""), "");
}

TEST(LoginGuardTest, AllPortsOfAHostAreSlowedDownTogether) {
  LoginGuard guard;
  for (int i = 0; i < 50; ++i) guard.failed("10.0.0.1:" + std::to_string(1000 + i), 1'000'000);
  EXPECT_EQ(guard.delay_us("10.0.0.1:9999", 1'000'001), LoginThrottle::kDelayMaxUs);
  EXPECT_EQ(guard.delay_us("10.0.0.2:9999", 1'000'001), 0u);
}

TEST(LoginGuardTest, RefusalsOfProtectedModeAreCounted) {
  LoginGuard guard;
  guard.refused("10.0.0.1:1", 1);
  guard.refused("10.0.0.1:2", 2);
  EXPECT_EQ(guard.refused_count(), 2u);
  EXPECT_EQ(guard.delay_us("10.0.0.1:3", 3), 0u);
}

}  // namespace
}  // namespace kvorum::server

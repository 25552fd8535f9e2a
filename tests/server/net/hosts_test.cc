// SPDX-License-Identifier: Apache-2.0
#include "server/net/hosts.h"

#include <gtest/gtest.h>

namespace kvorum::server {
namespace {

TEST(Hosts, LoopbackIsThisMachineInEveryForm) {
  for (const char* const host : {"localhost", "127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1"})
    EXPECT_TRUE(is_loopback_host(host)) << host;
  for (const char* const host : {"0.0.0.0", "::", "10.0.0.1", "localhost.evil.example", "a", ""})
    EXPECT_FALSE(is_loopback_host(host)) << host;
}

TEST(Hosts, TheHostIsCutFromItsPort) {
  EXPECT_EQ(host_part("Db.Example:8379"), "db.example");
  EXPECT_EQ(host_part("db.example"), "db.example");
  EXPECT_EQ(host_part("[::1]:8379"), "::1");
  EXPECT_EQ(host_part("::1"), "::1");
  EXPECT_EQ(host_part(""), "");
}

TEST(Hosts, AWildcardIsNowhereInParticular) {
  for (const char* host : {"0.0.0.0", "::"}) EXPECT_TRUE(is_wildcard_host(host)) << host;
  for (const char* host : {"127.0.0.1", "::1", "node", "", "0"}) {
    EXPECT_FALSE(is_wildcard_host(host)) << host;
  }
}

TEST(Hosts, AddressesAreNoNames) {
  EXPECT_TRUE(is_address_text("10.0.0.1"));
  EXPECT_TRUE(is_address_text("fe80::1"));
  EXPECT_FALSE(is_address_text("10.0.0.1.example"));
}

}  // namespace
}  // namespace kvorum::server

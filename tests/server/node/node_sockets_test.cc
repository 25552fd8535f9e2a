// SPDX-License-Identifier: Apache-2.0
#include "server/node/node_sockets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kvorum::server {
namespace {

ListenConfig loopback() {
  ListenConfig listen;
  listen.redis = {"127.0.0.1", 0};
  listen.memcached = {};
  listen.peer = {"127.0.0.1", 0};
  listen.admin = {"127.0.0.1", 0};
  return listen;
}

TEST(NodeSockets, EachReactorHasItsOwnAndTheAdminAddressHasOne) {
  auto bound = NodeSockets::bind(loopback(), 3);
  ASSERT_TRUE(bound.ok()) << bound.status().message();
  EXPECT_EQ(bound.value().redis.size(), 3u);
  EXPECT_TRUE(bound.value().memcached.empty());
  EXPECT_EQ(bound.value().peer.size(), 3u);
  EXPECT_EQ(bound.value().admin.size(), 1u);
  EXPECT_EQ(bound.value().count(), 7u);
}

TEST(NodeSockets, TheErrorNamesTheKeyOfTheConfiguration) {
  ListenConfig listen = loopback();
  listen.peer = {"no.such.host.invalid", 1};
  auto bound = NodeSockets::bind(listen, 1);
  ASSERT_FALSE(bound.ok());
  EXPECT_THAT(bound.status().message(), testing::HasSubstr("peer"));
}

}  // namespace
}  // namespace kvorum::server

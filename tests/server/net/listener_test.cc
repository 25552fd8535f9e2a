// SPDX-License-Identifier: Apache-2.0
#include "server/net/listener.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace kvorum::server {
namespace {

using testing::HasSubstr;

uint16_t port_of(const ListeningSocket& socket) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  getsockname(socket.descriptor(), reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.sin_port);
}

// Port 0 lets the system choose a free one, which is then known.
uint16_t free_port() {
  auto sockets = listen_on("redis", {"127.0.0.1", 0}, 1);
  EXPECT_TRUE(sockets.ok());
  return port_of(sockets.value()[0][0]);
}

TEST(ListenerTest, EachReactorGetsASocketOnThePort) {
  const cluster::Endpoint endpoint{"127.0.0.1", free_port()};
  const auto sockets = listen_on("redis", endpoint, 3);
  ASSERT_TRUE(sockets.ok()) << sockets.status().message();
  ASSERT_EQ(sockets.value().size(), 3u);
  for (const auto& of_reactor : sockets.value()) {
    ASSERT_EQ(of_reactor.size(), 1u);
    EXPECT_EQ(port_of(of_reactor[0]), endpoint.port);
    EXPECT_FALSE(is_ipv6(of_reactor[0]));
  }
}

// Also where the holder shares its port: two servers must not divide the clients among them.
TEST(ListenerTest, APortInUseIsNamedWithTheRemedy) {
  for (const size_t reactors : {1u, 2u}) {
    const cluster::Endpoint endpoint{"127.0.0.1", free_port()};
    const auto holder = listen_on("redis", endpoint, reactors);
    ASSERT_TRUE(holder.ok());
    const auto refused = listen_on("memcached", endpoint, reactors);
    ASSERT_FALSE(refused.ok());
    EXPECT_THAT(refused.status().message(),
                testing::AllOf(HasSubstr("memcached"), HasSubstr(endpoint.to_text()),
                               HasSubstr("in use"), HasSubstr("listen.memcached")));
  }
}

TEST(ListenerTest, APortIsFreeAgainAfterItsHolder) {
  const cluster::Endpoint endpoint{"127.0.0.1", free_port()};
  { ASSERT_TRUE(listen_on("redis", endpoint, 2).ok()); }
  EXPECT_TRUE(listen_on("redis", endpoint, 2).ok());
}

TEST(ListenerTest, AnAddressThatIsNotOursIsAnError) {
  const auto refused = listen_on("peer", {"192.0.2.1", 7379}, 1);
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.status().message(), HasSubstr("this machine has no such address"));
}

TEST(ListenerTest, AHostNameThatIsUnknownIsAnError) {
  const auto refused = listen_on("peer", {"no-such-host.invalid", 7379}, 1);
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.status().message(), HasSubstr("check the host name"));
}

}  // namespace
}  // namespace kvorum::server

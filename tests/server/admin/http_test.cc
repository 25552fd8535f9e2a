// SPDX-License-Identifier: Apache-2.0
#include "server/admin/http.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>

namespace kvorum::server {
namespace {

using testing::HasSubstr;

uint16_t port_of(const ListeningSocket& socket) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  getsockname(socket.descriptor(), reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.sin_port);
}

class HttpTest : public testing::Test {
 protected:
  HttpTest() {
    auto sockets = listen_on("admin", {"127.0.0.1", 0}, 1);
    EXPECT_TRUE(sockets.ok());
    endpoint = {"127.0.0.1", port_of(sockets.value()[0][0])};
    server = std::make_unique<HttpServer>(
        std::move(sockets.value()[0]),
        [this](const HttpRequest& wanted) {
          ++asked;
          HttpAnswer answer;
          answer.status = wanted.path == "/here" ? 200 : 404;
          answer.body = wanted.method + " " + wanted.path + " " + wanted.query;
          return answer;
        },
        HttpLimits{.connections_max = 6, .of_one_address_max = 4});
  }

  // A connection from an address of this machine; -1 where there is none.
  int connect_from(const char* address) const {
    const int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in from{}, to{};
    from.sin_family = to.sin_family = AF_INET;
    inet_pton(AF_INET, address, &from.sin_addr);
    inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
    to.sin_port = htons(endpoint.port);
    if (bind(descriptor, reinterpret_cast<sockaddr*>(&from), sizeof from) == 0 &&
        connect(descriptor, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0) {
      return descriptor;
    }
    close(descriptor);
    return -1;
  }
  // Whether the server closes it within two seconds.
  static bool is_closed(int descriptor) {
    pollfd readable{descriptor, POLLIN, 0};
    char byte = 0;
    return poll(&readable, 1, 2000) == 1 && recv(descriptor, &byte, 1, 0) == 0;
  }

  cluster::Endpoint endpoint;
  std::atomic<int> asked{0};
  std::unique_ptr<HttpServer> server;
};

TEST_F(HttpTest, ARequestIsAnswered) {
  const auto answer = http_get(endpoint, "/here?key=1");
  ASSERT_TRUE(answer.ok()) << answer.status().message();
  EXPECT_EQ(answer.value().status, 200u);
  EXPECT_EQ(answer.value().body, "GET /here key=1");
  EXPECT_EQ(answer.value().content_type, "application/json");
}

TEST_F(HttpTest, AStatusOtherThan200IsAnAnswerToo) {
  const auto answer = http_get(endpoint, "/there");
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer.value().status, 404u);
}

TEST_F(HttpTest, ARequestThatIsTooLargeIsCutOffAndTheNextAnswered) {
  const auto refused = http_get(endpoint, "/" + std::string(100'000, 'x'));
  EXPECT_FALSE(refused.ok());
  EXPECT_EQ(asked, 0);
  EXPECT_TRUE(http_get(endpoint, "/here").ok());
}

TEST_F(HttpTest, TheOldestIdleConnectionOfAnAddressMakesRoom) {
  std::vector<int> idle;
  for (int i = 0; i < 5; ++i) idle.push_back(connect_from("127.0.0.1"));
  EXPECT_TRUE(is_closed(idle[0]));
  EXPECT_TRUE(http_get(endpoint, "/here").ok());
  EXPECT_TRUE(is_closed(idle[1]));
  for (const int descriptor : idle) close(descriptor);
}

TEST_F(HttpTest, BeyondAllConnectionsTheOneThatIsIdleForLongestMakesRoom) {
  std::vector<int> open;
  for (const char* const address :
       {"127.0.0.2", "127.0.0.2", "127.0.0.3", "127.0.0.3", "127.0.0.4", "127.0.0.4"}) {
    open.push_back(connect_from(address));
    ASSERT_GE(open.back(), 0);
  }
  const std::string request = "GET /here HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
  const auto is_answered = [&] {
    char answer[8] = {};
    return send(open[0], request.data(), request.size(), 0) > 0 &&
           recv(open[0], answer, sizeof answer, MSG_WAITALL) == 8 &&
           std::string_view(answer, 8) == "HTTP/1.1";
  };
  EXPECT_TRUE(is_answered());
  EXPECT_TRUE(http_get(endpoint, "/here").ok());
  EXPECT_TRUE(is_closed(open[1]));
  for (const int descriptor : open) close(descriptor);
}

TEST_F(HttpTest, NobodyThereIsAnErrorWithTheAddress) {
  server.reset();
  const auto refused = http_get(endpoint, "/here");
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.status().message(), HasSubstr(endpoint.to_text()));
}

}  // namespace
}  // namespace kvorum::server

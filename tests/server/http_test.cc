// SPDX-License-Identifier: Apache-2.0
#include "server/admin/http.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

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
        std::move(sockets.value()[0]), [this](const HttpRequest& wanted) {
          ++asked;
          HttpAnswer answer;
          answer.status = wanted.path == "/here" ? 200 : 404;
          answer.body = wanted.method + " " + wanted.path + " " + wanted.query;
          return answer;
        });
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

TEST_F(HttpTest, NobodyThereIsAnErrorWithTheAddress) {
  server.reset();
  const auto refused = http_get(endpoint, "/here");
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.status().message(), HasSubstr(endpoint.to_text()));
}

}  // namespace
}  // namespace kvorum::server

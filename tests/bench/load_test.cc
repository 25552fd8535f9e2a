// SPDX-License-Identifier: Apache-2.0
// The load loop against a server of a few lines that answers GETs as each test wants.
#include "bench/load.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "bench/payload.h"

namespace kvorum::bench {
namespace {

constexpr size_t kValueBytes = 20;
constexpr size_t kGetBytes = 36;

std::string right_reply(uint64_t key) {
  std::string value(kValueBytes, '\0');
  Payload(kValueBytes).write_value(value.data(), key);
  return "$20\r\n" + value + "\r\n";
}

// Serves GETs on a loopback port until all clients have left. `answer` returns what to send when
// the server's n-th request (from 1) arrives; an empty answer sends nothing yet, kHangUp closes.
const std::string kHangUp = "hang up";

class FakeServer {
 public:
  using Answer = std::function<std::string(uint64_t count, uint64_t key)>;

  FakeServer(size_t clients, Answer answer) : answer_(std::move(answer)) {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(listen(listener_, 64), 0);
    EXPECT_EQ(getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this, clients] { serve(clients); });
  }
  ~FakeServer() {
    thread_.join();
    close(listener_);
  }

  std::string address() const { return fmt::format("127.0.0.1:{}", port_); }
  uint64_t requests() const { return requests_; }  // once the clients have left

 private:
  void serve(size_t clients) {
    std::vector<pollfd> sockets;
    for (size_t i = 0; i < clients; ++i) {
      const int client = accept(listener_, nullptr, nullptr);
      const int on = 1;
      setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
      sockets.push_back({.fd = client, .events = POLLIN, .revents = 0});
    }
    while (!sockets.empty()) {
      poll(sockets.data(), sockets.size(), -1);
      std::erase_if(sockets,
                    [this](const pollfd& one) { return one.revents != 0 && !read(one.fd); });
    }
  }

  bool read(int client) {
    char bytes[4096];
    const ssize_t got = recv(client, bytes, sizeof(bytes), 0);
    std::string& input = inputs_[client];
    if (got > 0) input.append(bytes, static_cast<size_t>(got));
    bool open = got > 0;
    while (open && input.size() >= kGetBytes) {
      const uint64_t key = std::stoull(input.substr(kGetBytes - 2 - kKeyDigits, kKeyDigits));
      input.erase(0, kGetBytes);
      const std::string reply = answer_(++requests_, key);
      open = reply != kHangUp;
      if (open) send(client, reply.data(), reply.size(), MSG_NOSIGNAL);
    }
    if (!open) close(client);
    return open;
  }

  Answer answer_;
  int listener_ = -1;
  uint16_t port_ = 0;
  uint64_t requests_ = 0;
  std::map<int, std::string> inputs_;
  std::thread thread_;
};

Result<LoadResult> run_load(const FakeServer& server, size_t clients, const LoadPlan& plan) {
  std::vector<Connection> connections;
  for (size_t i = 0; i < clients; ++i) {
    Result<Connection> opened = Connection::open(server.address());
    if (!opened.ok()) return opened.status();
    connections.push_back(std::move(opened).value());
  }
  const std::unique_ptr<Codec> codec = make_codec(Protocol::kResp, kValueBytes);
  KeyChooser keys({.keys = 1000});
  return Load(plan, *codec, keys, connections).run();
}

TEST(Load, SendsExactlyTheOperationsAskedFor) {
  for (const uint32_t depth : {1u, 7u, 64u}) {
    FakeServer server(3, [](uint64_t, uint64_t key) { return right_reply(key); });
    const Result<LoadResult> result = run_load(server, 3, {.depth = depth, .operations_max = 1000});
    ASSERT_TRUE(result.ok()) << result.status().message();
    EXPECT_EQ(result.value().tally.good, 1000u);
    EXPECT_EQ(result.value().tally.replies(), 1000u);
    EXPECT_EQ(result.value().latency_ns.count(), 1000u);
    EXPECT_GT(result.value().elapsed_ns, 0u);
  }
}

TEST(Load, CountsErrorsMissesAndWrongValuesApart) {
  FakeServer server(1, [](uint64_t count, uint64_t key) -> std::string {
    if (count % 10 == 0) return "-LOADING patience\r\n";
    if (count % 5 == 0) return "$-1\r\n";
    return right_reply(count % 4 == 0 ? key + 1 : key);
  });
  const Result<LoadResult> result = run_load(server, 1, {.depth = 4, .operations_max = 100});
  ASSERT_TRUE(result.ok()) << result.status().message();
  EXPECT_EQ(result.value().tally.errors, 10u);
  EXPECT_EQ(result.value().tally.misses, 10u);
  EXPECT_EQ(result.value().tally.wrong, 20u);
  EXPECT_EQ(result.value().tally.good, 60u);
  EXPECT_EQ(result.value().tally.first_error, "-LOADING patience");
}

TEST(Load, FailsWhenTheServerHangsUp) {
  FakeServer server(
      1, [](uint64_t count, uint64_t key) { return count == 50 ? kHangUp : right_reply(key); });
  const Result<LoadResult> result = run_load(server, 1, {.depth = 4, .operations_max = 100});
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.status().code(), Code::kIoError);
  EXPECT_THAT(result.status().message(), testing::HasSubstr(server.address()));
}

TEST(Load, FailsOnSilence) {
  FakeServer server(1, [](uint64_t, uint64_t) { return std::string(); });
  const Result<LoadResult> result =
      run_load(server, 1, {.operations_max = 100, .patience_ns = 50'000'000});
  ASSERT_FALSE(result.ok());
  EXPECT_THAT(result.status().message(), testing::HasSubstr("no reply"));
}

TEST(Load, FailsOnWhatIsNotTheProtocol) {
  FakeServer server(1, [](uint64_t, uint64_t) { return std::string("HTTP/1.1 400 Bad\r\n"); });
  const Result<LoadResult> result = run_load(server, 1, {.operations_max = 100});
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.status().code(), Code::kCorruption);
}

TEST(Load, FailsWhereNobodyListens) {
  const Result<Connection> nobody = Connection::open("127.0.0.1:1");
  ASSERT_FALSE(nobody.ok());
  EXPECT_THAT(nobody.status().message(), testing::HasSubstr("127.0.0.1:1"));
  EXPECT_EQ(Connection::open("no-port").status().code(), Code::kInvalid);
}

TEST(Load, TheOpenLoopKeepsItsRate) {
  FakeServer server(5, [](uint64_t, uint64_t key) { return right_reply(key); });
  const Result<LoadResult> result = run_load(server, 5, {.duration_ns = 200'000'000, .rate = 5000});
  ASSERT_TRUE(result.ok()) << result.status().message();
  EXPECT_EQ(result.value().tally.good, 1000u);
}

// The server holds back its first 200 replies until the 200th request is there. The first was due
// 199 ms before that, the second 198 ms, and so on: each must be charged its own part of the stall,
// although one connection alone would have seen a single slow reply.
TEST(Load, TheOpenLoopChargesAStallToEveryRequestThatItDelayed) {
  constexpr uint64_t kHeld = 200;
  std::string held;
  FakeServer server(1, [&held](uint64_t count, uint64_t key) -> std::string {
    if (count > kHeld) return right_reply(key);
    held += right_reply(key);
    return count == kHeld ? held : std::string();
  });
  const Result<LoadResult> result = run_load(server, 1, {.operations_max = 400, .rate = 1000});
  ASSERT_TRUE(result.ok()) << result.status().message();
  const Histogram& latency = result.value().latency_ns;
  EXPECT_EQ(latency.count(), 400u);
  EXPECT_GE(latency.max(), 199'000'000u);
  EXPECT_GE(latency.percentile(0.75), 99'000'000u);  // half of the delayed half
}

}  // namespace
}  // namespace kvorum::bench

// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/client.h"

#include <fmt/format.h>

#include "tests/sim/memcached_reply.h"

namespace kvorum::sim {
namespace {

constexpr uint64_t kReconnectUs = 100'000;
constexpr uint64_t kAnswerMaxUs = 10'000'000;

}  // namespace

struct Client::Port final : ClientEnd {
  explicit Port(Client* owner) : client(owner) {}
  void on_bytes(std::string_view bytes) override { client->on_bytes(bytes); }
  void on_closed() override {
    client->connection_ = 0;  // the node has forgotten it
    client->disconnect();
    if (client->busy()) client->finish(nullptr);
  }
  Client* const client;
};

Client::Client(Cluster& cluster, const Habits& habits, uint64_t seed)
    : cluster_(cluster), habits_(habits), rng_(seed) {}

Client::~Client() {
  *alive_ = false;
  disconnect();
}

void Client::disconnect() {
  if (connection_ != 0 && cluster_.nodes[node_]->alive()) {
    cluster_.nodes[node_]->disconnect(connection_);
  }
  connection_ = 0;
  port_.reset();
  input_.clear();
}

bool Client::connect() {
  std::vector<size_t> living;
  for (size_t node = 0; node < cluster_.nodes.size(); ++node) {
    const bool wanted = !habits_.node || *habits_.node == node;
    const SimNode& there = *cluster_.nodes[node];
    if (wanted && there.takes_clients() && there.is_member()) living.push_back(node);
  }
  if (living.empty()) return false;
  node_ = living[rng_.below(living.size())];
  port_ = std::make_shared<Port>(this);
  const auto dialect = habits_.memcached ? server::Dialect::kMemcached : server::Dialect::kResp;
  connection_ = cluster_.nodes[node_]->connect(rng_.below(cluster_.swarm.reactors), port_, dialect);
  replies_to_skip_ = habits_.memcached ? 0 : 1;
  if (habits_.memcached) return true;
  cluster_.nodes[node_]->receive(connection_,
                                 encode_command({"SELECT", std::to_string(habits_.db)}));
  return true;
}

void Client::call(std::vector<std::string> words, Done done) {
  KVORUM_CHECK(!busy());
  done_ = std::move(done);
  command_ = habits_.memcached ? words[0] : encode_command(words);
  ++calls_;
  const SimNode& node = *cluster_.nodes[node_];
  const bool departed = connection_ != 0 && node.alive() && !node.is_member();
  if (departed || (connection_ != 0 && !rng_.chance(habits_.sticky))) disconnect();
  send();
}

void Client::follow_up(std::vector<std::string> words, Done done) {
  if (connection_ == 0) return done(nullptr);
  done_ = std::move(done);
  command_ = habits_.memcached ? words[0] : encode_command(words);
  ++calls_;
  send();
}

void Client::send() {
  if (connection_ == 0 && !connect()) {
    cluster_.queue.after(kReconnectUs, [this, alive = alive_, call = calls_] {
      if (*alive && busy() && call == calls_) send();
    });
    return;
  }
  cluster_.nodes[node_]->receive(connection_, command_);
  watch();
}

void Client::watch() {
  cluster_.queue.after(kAnswerMaxUs, [this, alive = alive_, call = calls_] {
    if (!*alive || !busy() || call != calls_ || connection_ == 0) return;
    cluster_.violation(fmt::format("node {} did not answer within {} s: {}",
                                   cluster_.node_name(node_), kAnswerMaxUs / 1'000'000, command_));
    disconnect();
    finish(nullptr);
  });
}

void Client::finish(const RespReply* reply) {
  Done done = std::move(done_);
  done_ = nullptr;
  done(reply);
}

void Client::on_bytes(std::string_view bytes) {
  cluster_.trace.note(cluster_.queue.now_us(), {"reply", node_, connection_, bytes});
  input_ += bytes;
  for (;;) {
    RespReply reply;
    const auto parse = habits_.memcached ? parse_memcached_reply : parse_reply;
    const size_t size = input_.empty() ? 0 : parse(input_, &reply);
    if (size == 0) return;
    if (size == kNoReply) {
      cluster_.violation("what a node sent is no reply: " + input_);
      disconnect();
      if (busy()) finish(nullptr);
      return;
    }
    input_.erase(0, size);
    if (replies_to_skip_ > 0) {
      --replies_to_skip_;
      continue;
    }
    if (!busy()) {
      cluster_.violation("a node sent a reply that nobody asked for");
      return;
    }
    finish(&reply);
  }
}

RespReply Client::run(std::vector<std::string> words) {
  std::optional<RespReply> answer;
  bool lost = false;
  call(std::move(words), [&](const RespReply* reply) {
    lost = !reply;
    if (reply) answer = *reply;
  });
  KVORUM_CHECK(cluster_.run_until(2 * kAnswerMaxUs, [&] { return lost || answer; }));
  return answer.value_or(RespReply{RespReply::Kind::kError, "LOST", 0, {}});
}

}  // namespace kvorum::sim

// SPDX-License-Identifier: Apache-2.0
// A client: one connection at a time, RESP, one command after the other. Finds itself another node
// when its own dies, or now and then because it likes to. Every call ends in exactly one call-back:
// with the reply, or with nothing where the connection was lost before it came. A reply that does
// not come although the node lives is a violation. Owned by a workload; one thread.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "protocol/resp_reply.h"
#include "tests/sim/cluster.h"

namespace kvorum::sim {

using protocol::encode_command;
using protocol::parse_reply;
using protocol::RespReply;

class Client {
 public:
  using Done = std::function<void(const RespReply* reply)>;  // null: the connection was lost

  struct Habits {
    uint8_t db = 0;
    double sticky = 1.0;         // chance to stay at the node for the next command
    std::optional<size_t> node;  // only this one
    bool memcached = false;      // a call is one word then, the request's bytes
  };
  Client(Cluster& cluster, const Habits& habits, uint64_t seed);
  ~Client();
  Client(const Client&) = delete;

  // Not while another call is open.
  void call(std::vector<std::string> words, Done done);
  // The same on the connection of the call before; without a reply where that is gone.
  void follow_up(std::vector<std::string> words, Done done);
  bool busy() const { return static_cast<bool>(done_); }
  Cluster& cluster() { return cluster_; }
  Rng& rng() { return rng_; }
  uint8_t db() const { return habits_.db; }
  // The node that it asked last.
  size_t node() const { return node_; }

  // For scenarios: makes time pass until the reply is there.
  RespReply run(std::vector<std::string> words);

 private:
  struct Port;  // one connection's end, unknown to later ones

  void send();
  bool connect();
  void disconnect();
  void watch();
  void finish(const RespReply* reply);
  void on_bytes(std::string_view bytes);

  Cluster& cluster_;
  const Habits habits_;
  Rng rng_;
  size_t node_ = 0;
  uint64_t connection_ = 0;  // 0: none
  std::shared_ptr<Port> port_;
  std::string command_;
  std::string input_;
  size_t replies_to_skip_ = 0;  // of the commands that set a new connection up
  Done done_;
  uint64_t calls_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace kvorum::sim

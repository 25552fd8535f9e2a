// SPDX-License-Identifier: Apache-2.0
// All client connections of one reactor, and the list of those with something to do at the end of
// the turn. A closed session stays until its last handler ran.
#pragma once

#include <atomic>
#include <memory>
#include <unordered_map>
#include <vector>

#include "server/dispatcher.h"
#include "server/session.h"
#include "server/turn_clock.h"

namespace kvorum::server {

// Of all reactors of a node: limits.clients counts them together.
struct ClientCount {
  std::atomic<uint32_t> connected{0}, max{10000};
  std::atomic<uint64_t> received{0}, rejected{0};
};

struct SessionRules {
  bool has_password = false;
  uint64_t pipeline_bytes_max = 64ULL << 20;
};

class Sessions {
 public:
  // All must outlive it.
  Sessions(Dispatcher& dispatcher, StreamShare& share, TurnClock& clock, ClientCount& count);
  ~Sessions();
  Sessions(const Sessions&) = delete;

  void set_rules(const SessionRules& rules) { rules_ = rules; }

  // A connection was accepted. Beyond limits.clients it is told so and closed.
  void adopt(TcpSocket socket, Dialect dialect);
  // Sends what the turn produced.
  void flush();
  // Lets go of closed sessions.
  void reap();
  void drain();
  void close_all();
  bool settled() const { return sessions_.empty() && closed_.empty(); }

  bool has_dirty() const { return !dirty_.empty(); }
  size_t size() const { return sessions_.size(); }

  // For Session.
  Dispatcher& dispatcher() { return dispatcher_; }
  StreamShare& share() { return share_; }
  TurnClock& clock() { return clock_; }
  uint64_t pipeline_bytes_max() const { return rules_.pipeline_bytes_max; }
  void mark(Session& session);
  void retire(Session& session);

 private:
  bool admit(TcpSocket& socket, Dialect dialect);

  Dispatcher& dispatcher_;
  StreamShare& share_;
  TurnClock& clock_;
  ClientCount& count_;
  SessionRules rules_;
  std::unordered_map<Session*, std::unique_ptr<Session>> sessions_;
  std::vector<Session*> dirty_, flushing_;
  std::vector<std::unique_ptr<Session>> closed_;
};

}  // namespace kvorum::server

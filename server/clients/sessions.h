// SPDX-License-Identifier: Apache-2.0
// All client connections of one reactor, and the list of those with something to do at the end of
// the turn. A closed session stays until its last handler ran. The reactor's thread only.
#pragma once

#include <atomic>
#include <memory>
#include <unordered_map>
#include <vector>

#include "base/mutex.h"
#include "server/clients/session.h"
#include "server/config/config.h"
#include "server/dispatch/dispatcher.h"
#include "server/flow/turn_clock.h"
#include "server/process/logging.h"

namespace kvorum::server {

// Of all reactors of a node: limits.clients counts them together.
struct ClientCount {
  std::atomic<uint32_t> connected{0}, max{10000};
  std::atomic<uint64_t> received{0}, rejected{0};
  // A line about clients of any reactor; closed unless it is time for another one.
  LogGates::Verdict ask_gate(std::string_view text, uint64_t now_us) {
    const MutexLock lock(gates_lock);
    return gates.ask("clients", text, now_us);
  }

  Mutex gates_lock;
  LogGates gates KVORUM_GUARDED_BY(gates_lock);
};

struct SessionRules {
  // CONFIG SET may say that somebody who does not read is closed after 0 s. As in Redis that is
  // less than another second.
  static constexpr uint64_t kWaitMsMin = 1000;

  bool has_password = false;
  uint64_t client_output_max_bytes = 0;  // closed when more than this waits; 0: nobody is
  // Closed when more than this, or so much that none of its requests is run, waits for so long;
  // 0 bytes: nobody is.
  uint64_t client_output_bytes = 1ULL << 20;
  uint64_t client_output_wait_us = 60'000'000;
  uint64_t client_silence_us = 60'000'000;  // of who alone receives (Session::is_silent_receiver)
  uint64_t client_idle_us = 0;              // 0: nobody is closed for it
  uint64_t keepalive_seconds = 300;         // 0: TCP does not ask
};

SessionRules session_rules(const Config& config);

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
  // The end of a turn: lets go of closed sessions.
  void reap();
  void drain();
  void close_all();
  bool settled() const { return sessions_.empty() && closed_.empty(); }

  // Each turn: now and then it looks for clients that take no replies.
  void on_time(uint64_t now_us) {
    if (now_us >= look_at_us_) look(now_us);
  }
  // As of the last look.
  const ClientMemory& memory() const { return memory_; }

  bool has_dirty() const { return !dirty_.empty(); }
  size_t size() const { return sessions_.size(); }

  // For Session.
  Dispatcher& dispatcher() { return dispatcher_; }
  StreamShare& share() { return share_; }
  TurnClock& clock() { return clock_; }
  const SessionRules& rules() const { return rules_; }
  // What its clients asked for in this turn takes long enough to serve: what else they ask for is
  // run in the next one, after whoever wants little.
  bool turn_is_full() const { return share_.in_flight.used() > turn_full_at_; }
  // A request that is not whole, and of which so much is kept already, may get more: while the node
  // has room, and one of all even where it has not.
  bool may_receive(const Session& session, size_t kept_bytes);
  bool receives_alone(const Session& session) const { return receiver_ == &session; }
  // It took input.
  void received(const Session& session) {
    if (receiver_ == &session) receiver_ = nullptr;
  }
  void mark(Session& session);
  // It does not take the messages that it is subscribed to.
  void close_overrun(Session& session);
  void retire(Session& session);

 private:
  static constexpr uint64_t kLookUs = 100'000;
  static constexpr uint64_t kJudgeUs = 500'000;
  static constexpr uint64_t kTurnBytesMax = 8 << 20;

  bool admit(TcpSocket& socket, Dialect dialect);
  void look(uint64_t now_us);
  void judge(uint64_t now_us);
  void close_stuck(Session& session, uint64_t now_us);
  void close_full(Session& session, uint64_t now_us);
  void close_idle(Session& session);

  Dispatcher& dispatcher_;
  StreamShare& share_;
  TurnClock& clock_;
  ClientCount& count_;
  SessionRules rules_;
  uint64_t look_at_us_ = 0, judge_at_us_ = 0;
  uint64_t turn_full_at_ = kTurnBytesMax;
  ClientMemory memory_;
  const Session* receiver_ = nullptr;  // receives although the node holds too much
  bool any_paused_ = false;
  std::unordered_map<Session*, std::unique_ptr<Session>> sessions_;
  std::vector<Session*> dirty_, flushing_;
  std::vector<std::unique_ptr<Session>> closed_;
};

}  // namespace kvorum::server

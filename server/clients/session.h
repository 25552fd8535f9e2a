// SPDX-License-Identifier: Apache-2.0
// A client connection: one Stream and one Conversation, and the rules of when to read on. Input is
// executed as it arrives; replies leave once at the end of the reactor's turn. A client that does
// not read its replies, or has too many of them outstanding, has no request run until that changes:
// they are kept, up to its part of limits.in_flight, so that one who writes all before it reads
// gets all. Above that it is not read from; and who takes nothing for long is closed.
// One that sends no more (nc -N) gets the answers to all that it asked, then the connection ends.
// Owned by Sessions (sessions.h) of one reactor; the reactor's thread only.
#pragma once

#include <optional>

#include "server/dispatch/conversation.h"
#include "server/net/stream.h"

namespace kvorum::server {

class Sessions;

class Session final : public StreamOwner {
 public:
  Session(Sessions& home, TcpSocket socket, const ConversationOptions& options);
  ~Session();

  void start() { stream_.start(); }
  // The end of a turn: sends, goes on with input that had to wait, closes what is done.
  void flush();
  // Shutdown: answers what has arrived, reads no more, closes.
  void drain();
  void close() { stream_.close(); }
  // More replies wait for it than limits.client_output_max. Who is subscribed has limits of its own
  // (PubSub::keeps_up).
  bool is_full() const;
  // It has replies to take, more than limits.client_output or so many that none of its requests is
  // run, and took no byte of them for limits.client_output_wait.
  bool is_stuck(uint64_t now_us);
  // It alone receives although the node holds too much, and sends nothing for as long.
  bool is_silent_receiver(uint64_t now_us);
  // It has asked for nothing, and taken nothing, for limits.client_idle. Who is subscribed may.
  bool is_idle(uint64_t now_us);
  const SessionState& state() const { return conversation_->session(); }

  bool is_open() const { return stream_.is_open(); }
  // After it closed: operations that still run are told that nobody waits.
  void drop_conversation() { conversation_.reset(); }

  mutable bool paused = false;  // it would receive more, but the node holds too much
  bool dirty = false;           // stands in the turn's list already; kept by Sessions

 private:
  // A stop answers what has arrived, also what had to wait.
  bool drains_input() const;
  size_t on_input(std::string_view bytes) override;
  size_t input_hint() const override;
  bool wants_input() const override;
  bool on_end() override;
  void on_sent() override;
  void on_broken(const error_code& why) override;
  bool may_receive() const;

  Sessions& home_;
  Stream stream_;
  std::optional<Conversation> conversation_;
  bool draining_ = false;
  bool drained_ = false;    // what is left of the input is no whole request
  bool held_back_ = false;  // input is kept because the conversation was blocked, or the turn full
  uint64_t acknowledged_bytes_ = 0, took_at_us_ = 0;
  size_t received_bytes_ = 0;
  uint64_t received_at_us_ = 0;
  size_t idle_kept_bytes_ = 0;
  uint64_t busy_at_us_ = 0;
};

}  // namespace kvorum::server

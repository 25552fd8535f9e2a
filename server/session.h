// SPDX-License-Identifier: Apache-2.0
// A client connection: one Stream and one Conversation, and the rules of when to read on. Input is
// executed as it arrives; replies leave once at the end of the reactor's turn. A client that does
// not read its replies, or has too many of them outstanding, is not read from until that changes.
// One that sends no more (nc -N) gets the answers to all that it asked, then the connection ends.
// Owned by Sessions (sessions.h) of one reactor.
#pragma once

#include <optional>

#include "server/conversation.h"
#include "server/stream.h"

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

  bool is_open() const { return stream_.is_open(); }
  // After it closed: operations that still run are told that nobody waits.
  void drop_conversation() { conversation_.reset(); }

  bool dirty = false;  // stands in the turn's list already; kept by Sessions

 private:
  // A stop answers what has arrived, also what had to wait.
  bool drains_input() const;
  size_t on_input(std::string_view bytes) override;
  size_t input_hint() const override;
  bool wants_input() const override;
  bool on_end() override;
  void on_sent() override;
  void on_broken(const error_code& why) override;

  Sessions& home_;
  Stream stream_;
  std::optional<Conversation> conversation_;
  bool draining_ = false;
  bool drained_ = false;  // what is left of the input is no whole request
};

}  // namespace kvorum::server

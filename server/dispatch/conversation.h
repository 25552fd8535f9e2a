// SPDX-License-Identifier: Apache-2.0
// One client connection without its socket: bytes in, replies out, in order. Owns the dialect's
// parser, the session's state (database, names, quorum, remembered contexts) and the queue of
// replies that still wait for their operation. The Asio session moves bytes to and from it; the
// simulator and the tests drive it directly. The reactor's thread only.
//
//   input -> parse a batch of requests -> prefetch their keys -> execute each
//         -> reply at once when nothing before it waits, else in its place of the queue -> output()
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/time.h"
#include "protocol/memcached_binary.h"
#include "protocol/memcached_parser.h"
#include "protocol/resp_parser.h"
#include "server/connection/client_state.h"

namespace kvorum::server {

class ClientTable;
class CommandRunner;
class Dispatcher;
struct Batch;

struct ConversationOptions {
  Dialect dialect = Dialect::kResp;
  std::string peer_address, local_address;  // for CLIENT LIST and logs
  uint64_t now_us = 0;                      // steady; 0: that of the first input
  bool authenticated = false;               // no password is configured
  bool refused_by_protected_mode = false;   // answer every command with the DENIED text and close
};

class Conversation {
 public:
  // More replies than this that wait, or more output than limits.pipeline_bytes, or more held than
  // the client's part of limits.in_flight, and input waits.
  static constexpr size_t kPendingMax = 4096;

  // Registers at the dispatcher, which must outlive it.
  Conversation(Dispatcher& dispatcher, ConversationOptions options);
  // Operations that still run are told that nobody waits.
  ~Conversation();
  Conversation(const Conversation&) = delete;

  // Takes whole requests from the front of `input`, all of it unconsumed so far; returns the bytes
  // taken. Stops early when blocked() or closing().
  size_t consume(std::string_view input, Now now);
  // With an unfinished request in the input: at least so many more bytes are needed.
  size_t more_hint() const { return more_hint_; }

  // Replies to send; the caller takes from the front or swaps it out. Large ones come first.
  std::string& output();
  bool has_large_output() const { return client_.replies.has_large(); }
  // REQUIRES: has_large_output().
  LargeReply take_large_output() { return client_.replies.take_large(); }
  bool has_output() { return has_large_output() || !output().empty(); }
  // What the owner keeps for it: input that was not taken, and of what was taken from output() so
  // many bytes that are not sent yet. The latter count as held too.
  void set_buffers(size_t input_bytes, size_t unsent_bytes);
  // By its operations and replies.
  size_t held_bytes() const { return client_.held_bytes(); }
  // Too many replies wait, or too much is held, or the next request waits for one before it (of the
  // same key): consume() again after output was sent or on wake().
  bool blocked() const;
  // Close once output() was sent and no reply waits (QUIT, protocol error).
  bool closing() const { return client_.session.closing; }
  // Messages wait for it that it does not take: it is to be closed without any more ado.
  bool overrun() const { return client_.overrun; }
  // Somebody wants it gone: likewise.
  bool killed() const { return client_.killed; }
  bool has_pending() const { return client_.replies.waiting() > 0; }

  // Called when a waiting reply arrived outside consume(), at most once until the next consume() or
  // output(): the owner sends at the end of its turn.
  void set_wake(void (*wake)(void* owner), void* owner);

  // Gives a share of what a part of the input lies in, or none: large values are kept without a
  // copy then. Called within consume().
  void set_input_share(SharedBytes (*share)(void* owner, std::string_view part), void* owner);

  uint64_t id() const { return client_.session.id; }
  // With buffers as they are now.
  const SessionState& session() const;

 private:
  size_t run(std::string_view input, Now now);
  protocol::ParseResult parse(std::string_view input, Batch& batch);
  protocol::ParseResult parse_one(std::string_view input, Batch& batch);
  void fail(std::string_view error);
  void greet(std::string_view input, Now now);
  void refuse(std::string_view input);
  // Forgets what the parsers know of bytes that will be handed in again.
  void rewind_parsers();

  Dispatcher& dispatcher_;
  ClientTable& clients_;  // of the dispatcher, as the next one
  CommandRunner& commands_;
  mutable ClientState client_;  // what it holds is counted when somebody asks
  const bool refused_;
  protocol::RespParser resp_;
  protocol::MemcachedParser memcached_;
  protocol::MemcachedBinaryParser binary_;
  size_t more_hint_ = 0;
  bool has_spoken_ = false;  // its first byte came
};

}  // namespace kvorum::server

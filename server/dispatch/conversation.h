// SPDX-License-Identifier: Apache-2.0
// One client connection without its socket: bytes in, replies out, in order. Owns the dialect's
// parser, the session's state (database, names, quorum, remembered contexts) and the queue of
// replies that still wait for their operation. The Asio session moves bytes to and from it; the
// simulator and the tests drive it directly. Belongs to one reactor; not thread-safe.
//
//   input -> parse up to kPipelineBatch requests -> prefetch their keys -> execute each
//         -> reply at once when nothing before it waits, else in its place of the queue -> output()
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/time.h"
#include "server/commands/session_state.h"
#include "server/dispatch/reply_queue.h"

namespace kvorum::server {

class Dispatcher;

struct ConversationOptions {
  Dialect dialect = Dialect::kResp;
  std::string peer_address, local_address;  // for CLIENT LIST and logs
  uint64_t now_us = 0;                      // steady; 0: that of the first input
  bool authenticated = false;               // no password is configured
  bool refused_by_protected_mode = false;   // answer every command with the DENIED text and close
};

class Conversation {
 public:
  // More requests than this, or more output than limits.pipeline_bytes, or more held than the
  // client's part of limits.in_flight, and input waits.
  static constexpr size_t kPipelineBatch = 64;
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
  size_t more_hint() const;

  // Replies to send; the caller takes from the front or swaps it out. Large ones come first.
  std::string& output();
  bool has_large_output() const;
  LargeReply take_large_output();
  bool has_output() { return has_large_output() || !output().empty(); }
  // What the owner keeps for it: input that was not taken, and of what was taken from output() so
  // many bytes that are not sent yet. The latter count as held too.
  void set_buffers(size_t input_bytes, size_t unsent_bytes);
  // By its operations and replies.
  size_t held_bytes() const;
  // Too many replies wait, or too much is held, or the next request waits for one before it (of the
  // same key): consume() again after output was sent or on wake().
  bool blocked() const;
  // Close once output() was sent and no reply waits (QUIT, protocol error).
  bool closing() const;
  bool has_pending() const;

  // Called when a waiting reply arrived outside consume(), at most once until the next consume() or
  // output(): the owner sends at the end of its turn.
  void set_wake(void (*wake)(void* owner), void* owner);

  // Gives a share of what a part of the input lies in, or none: large values are kept without a
  // copy then. Called within consume().
  void set_input_share(SharedBytes (*share)(void* owner, std::string_view part), void* owner);

  uint64_t id() const;
  // With buffers as they are now.
  const SessionState& session() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace kvorum::server

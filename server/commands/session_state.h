// SPDX-License-Identifier: Apache-2.0
// What a session remembers between commands: database, names, protocol version, quorum. A plain
// value owned by its Conversation; handlers read and change it, nothing else of a session is
// visible to them. One thread.
#pragma once

#include <cstdint>
#include <string>

#include "cluster/history/change.h"
#include "cluster/wire/request.h"
#include "protocol/resp_writer.h"

namespace kvorum::server {

struct CommandRow;

// A connection of memcached's port becomes one of the third kind by its first byte.
enum class Dialect : uint8_t { kResp, kMemcached, kMemcachedBinary };

enum class ReplyMode : uint8_t { kOn, kOff, kSkipNext, kSkipping };

// To how many names a session is subscribed.
struct SubscriptionCounts {
  uint32_t channels = 0, patterns = 0, shard_channels = 0;
  bool any() const { return (channels | patterns | shard_channels) != 0; }
};

// CLIENT TRACKING: whether, and how, it is told of keys that changed (server/tracking).
struct TrackingMode {
  bool on = false;
  bool broadcast = false, opt_in = false, opt_out = false, no_loop = false;
  bool caching = false;          // CLIENT CACHING was said: of the next command
  bool broken_redirect = false;  // the client that is told instead is gone
  uint64_t redirect = 0;         // its id; 0: this one is told

  // The keys that it reads are remembered.
  bool remembers() const { return on && !broadcast && (opt_in ? caching : !(opt_out && caching)); }
};

struct SessionState {
  uint64_t id = 0;
  uint64_t slot = 0;  // in its reactor's table of clients
  Dialect dialect = Dialect::kResp;
  std::string peer_address, local_address;

  uint8_t keyspace = 0;
  protocol::RespVersion resp = protocol::RespVersion::k2;
  bool authenticated = false;
  uint64_t login_at_us = 0;    // when the attempt to log in that waits is looked at; 0: none waits
  bool login_goes_on = false;  // SASL: the credentials come with the next step
  std::string name, library_name, library_version;
  uint8_t r = 0, w = 0;  // KV.QUORUM; 0: the keyspace's
  ReplyMode reply_mode = ReplyMode::kOn;
  int64_t queued_commands = -1;  // since MULTI; -1: there was none
  size_t watched_keys = 0;
  SubscriptionCounts subscriptions;
  TrackingMode tracking;
  uint64_t tracking_until_us = 0;  // other nodes are waited for; 0: they are not
  bool monitors = false;           // MONITOR
  bool causal = false;             // KV.CAUSAL ON
  bool no_evict = false, no_touch = false;
  bool closing = false;  // QUIT: no further request is read
  bool broken = false;   // for what it sent, which nobody can read on from
  // A change of the membership that it wished and that is not acknowledged yet; and until when that
  // is waited for, 0: there is none.
  cluster::ChangeId wished;
  uint64_t wished_until_us = 0;

  uint8_t written_copies = 0;  // of its last write; 0: there was none
  bool has_last_service = false;
  cluster::ServiceRecord last_service;

  // What the connection holds; true only where it was just asked for (NodeFacts::each_session).
  struct Buffers {
    size_t input_bytes = 0, output_bytes = 0;
    size_t replies = 0;       // that wait for their operation, or for one before them
    size_t queued_bytes = 0;  // of a transaction
    size_t all_bytes = 0;
  };
  Buffers buffers;

  // RESP2 tells a message from a reply by the words that it begins with: little else may be said.
  bool only_hears() const { return subscriptions.any() && resp == protocol::RespVersion::k2; }

  const CommandRow* last_command = nullptr;
  uint64_t started_us = 0, last_active_us = 0;
};

}  // namespace kvorum::server

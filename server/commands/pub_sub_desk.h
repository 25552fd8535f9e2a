// SPDX-License-Identifier: Apache-2.0
// What commands ask of the messages between clients: who hears what, and the sending of them. The
// reactor's part of server/pubsub implements it; the reactor's thread only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace kvorum::server {

struct SessionState;

enum class SubscriptionKind : uint8_t { kChannel, kPattern, kShardChannel };
inline constexpr size_t kSubscriptionKinds = 3;

inline constexpr std::string_view kChannelTooLong = "ERR the channel is longer than 65536 bytes";

// Borrowed bytes. Shard channels are names apart from the others, and no pattern hears them.
struct Message {
  bool is_sharded = false;
  std::string_view channel;
  std::string_view payload;
};

// Of messages that wait for one client. Those of Redis: `client-output-buffer-limit pubsub`.
struct SubscriberLimits {
  uint64_t waiting_bytes_max = uint64_t{32} << 20;  // closed at once
  uint64_t behind_bytes = uint64_t{8} << 20;        // closed after so long
  uint64_t behind_us = 60'000'000;
};

class PubSubDesk {
 public:
  virtual ~PubSubDesk() = default;

  // The session's counts follow. Nothing where it is so already.
  virtual void subscribe(SessionState& session, SubscriptionKind kind, std::string_view name) = 0;
  virtual void unsubscribe(SessionState& session, SubscriptionKind kind, std::string_view name) = 0;
  virtual void unsubscribe_all(SessionState& session) = 0;
  // In the order of the names.
  virtual std::vector<std::string> subscribed(const SessionState& session,
                                              SubscriptionKind kind) const = 0;

  // To everybody in the cluster who hears it. `from`, which may be null, hears it behind the reply
  // of its command. Returns how many times clients of this node hear it.
  virtual uint64_t publish(const SessionState* from, const Message& message, uint64_t now_us) = 0;

  // The same at the end of the turn; for who does not know the time, or who asked.
  virtual void publish_soon(const Message& message) = 0;

  // Of which changes of keys the clients of this node are told: Redis's letters
  // (notify-keyspace-events). False where one of them is none.
  virtual bool set_key_events(std::string_view letters) = 0;
  virtual std::string key_events() const = 0;

  // Of all reactors of this node.
  virtual std::vector<std::string> names(SubscriptionKind kind) const = 0;
  virtual uint64_t subscribers(SubscriptionKind kind, std::string_view name) const = 0;
  virtual uint64_t name_count(SubscriptionKind kind) const = 0;
};

}  // namespace kvorum::server

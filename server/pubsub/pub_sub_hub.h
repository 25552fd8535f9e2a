// SPDX-License-Identifier: Apache-2.0
// What the reactors of a node know of each other's subscribers: how many each has of which name, so
// that a message goes only to reactors that have somebody for it and its publisher is told how many
// hear it without asking anybody; and the mailboxes in which it goes there. Messages of one reactor
// arrive at another one in their order. Owned by the node; any thread, on_mail is set before the
// reactors start.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/mutex.h"
#include "server/pubsub/kept_message.h"
#include "server/status/node_status.h"

namespace kvorum::server {

struct NameHash {
  using is_transparent = void;
  size_t operator()(std::string_view name) const { return std::hash<std::string_view>()(name); }
};
template <class Value>
using ByName = std::unordered_map<std::string, Value, NameHash, std::equal_to<>>;

using KeptMessages = std::vector<std::shared_ptr<const KeptMessage>>;

// Of a node, since its start.
struct PubSubCounters {
  std::atomic<uint64_t> published{0};    // by clients of this node
  std::atomic<uint64_t> from_peers{0};   // that other nodes sent
  std::atomic<uint64_t> delivered{0};    // to clients, each time
  std::atomic<uint64_t> dropped_out{0};  // for nodes that were not linked, or did not take them
  std::atomic<uint64_t> dropped_in{0};   // for reactors that did not take them
  std::atomic<uint64_t> overruns{0};     // clients that did not take theirs
};

class PubSubHub {
 public:
  // A mailbox holds at most this: what comes beyond it is dropped.
  static constexpr size_t kMailBytesMax = size_t{64} << 20;

  explicit PubSubHub(uint32_t reactors);
  PubSubHub(const PubSubHub&) = delete;

  // Subscriptions of a reactor's clients, one at a time.
  void add(SubscriptionKind kind, std::string_view name, uint32_t reactor);
  void remove(SubscriptionKind kind, std::string_view name, uint32_t reactor);
  // Of all reactors.
  uint64_t subscriptions() const { return subscriptions_.load(std::memory_order_acquire); }

  // How many times clients of other reactors hear it, and which reactors those are.
  uint64_t others_of(const Message& message, uint32_t self, std::vector<uint32_t>* reactors);
  void post(uint32_t reactor, const std::shared_ptr<const KeptMessage>& message);
  // All mail of the reactor. `mail` is empty.
  void take(uint32_t reactor, KeptMessages* mail);
  std::function<void(uint32_t reactor)> on_mail;  // its mailbox is not empty any more

  std::vector<std::string> names(SubscriptionKind kind) const;
  uint64_t subscribers(SubscriptionKind kind, std::string_view name) const;
  uint64_t name_count(SubscriptionKind kind) const;

  PubSubStatus status() const;

  PubSubCounters counters;
  // notify-keyspace-events, as letters (key_events.h). Read for each edit: it shares its line with
  // nothing that changes.
  alignas(64) std::atomic<uint32_t> event_letters{0};

  // Clients that are subscribed to anything.
  alignas(64) std::atomic<uint64_t> clients{0};

 private:
  using Counts = std::vector<uint32_t>;  // by reactor
  struct Mailbox {
    Mutex lock;
    KeptMessages mail KVORUM_GUARDED_BY(lock);
    size_t bytes KVORUM_GUARDED_BY(lock) = 0;
  };

  const uint32_t reactors_;
  std::atomic<uint64_t> subscriptions_{0};
  mutable Mutex lock_;
  std::array<ByName<Counts>, kSubscriptionKinds> names_ KVORUM_GUARDED_BY(lock_);
  std::vector<Mailbox> mailboxes_;
};

}  // namespace kvorum::server

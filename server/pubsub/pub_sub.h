// SPDX-License-Identifier: Apache-2.0
// Messages between clients, as one reactor has its part in them: which of its clients hear what,
// and the ways that a message takes. Nothing of it is stored, and nobody waits for it: who is
// connected gets it at most once.
//
//   PUBLISH --> subscribers of this reactor
//           --> reactors of this node that have subscribers for it (pub_sub_hub.h)
//           --> every other node that is linked (Messenger) --> the reactor that its link belongs
//               to --> subscribers there, and reactors there
//
// Each of those keeps the order, so messages of one connection reach a subscriber in theirs. A
// client that does not take its messages is closed, as Redis does it: at once where too many wait
// for it, or the node holds too much; else where more than a little waits for long.
//
// Owned by the dispatcher; the reactor's thread only.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "cluster/wire/frame.h"
#include "server/connection/client_table.h"
#include "server/connection/open_calls.h"
#include "server/pubsub/key_events.h"
#include "server/pubsub/message_frame.h"
#include "server/pubsub/message_text.h"
#include "server/pubsub/pub_sub_hub.h"

namespace kvorum::server {

// The links to the other nodes.
class Messenger {
 public:
  virtual ~Messenger() = default;
  // Whether there are others at all.
  virtual bool has_peers() const = 0;
  // To each. Returns how many members it is not sent to: they are down, older than
  // kPublishVersion, or too much waits for them.
  virtual size_t send_to_peers(const Message& message) = 0;
};

class PubSub final : public PubSubDesk {
 public:
  struct Options {
    PubSubHub* hub = nullptr;  // null: one of its own, for a lone reactor
    uint32_t reactor = 0;
    SubscriberLimits limits;
  };
  // Both outlive it.
  PubSub(ClientTable& clients, const Options& options);
  PubSub(const PubSub&) = delete;

  void set_limits(const SubscriberLimits& limits) { limits_ = limits; }
  // Outlives it; null: there are no other nodes.
  void set_messenger(Messenger* messenger) { messenger_ = messenger; }

  // PubSubDesk
  void subscribe(SessionState& session, SubscriptionKind kind, std::string_view name) override;
  void unsubscribe(SessionState& session, SubscriptionKind kind, std::string_view name) override;
  void unsubscribe_all(SessionState& session) override;
  std::vector<std::string> subscribed(const SessionState& session,
                                      SubscriptionKind kind) const override;
  uint64_t publish(const SessionState* from, const Message& message, uint64_t now_us) override;
  void publish_soon(const Message& message) override {
    soon_.push_back(
        {message.is_sharded, std::string(message.channel), std::string(message.payload)});
  }
  std::vector<std::string> names(SubscriptionKind kind) const override { return hub_.names(kind); }
  uint64_t subscribers(SubscriptionKind kind, std::string_view name) const override {
    return hub_.subscribers(kind, name);
  }
  uint64_t name_count(SubscriptionKind kind) const override { return hub_.name_count(kind); }

  bool set_key_events(std::string_view letters) override;
  std::string key_events() const override;

  // Whether anybody is to be told of changes of keys.
  bool tells_changes() const { return hub_.event_letters.load(std::memory_order_relaxed) != 0; }
  // Notes with the call what its request is going to change; with the name of the command that asks
  // for it. REQUIRES: tells_changes().
  static void note_request(const cluster::Request& request, std::string_view command,
                           uint64_t now_ms, Call& call) {
    if (request.kind != cluster::Request::Kind::kEdit) return;
    call.change = change_of(request, command, now_ms);
    call.key = request.key.key;
  }
  // It did: told with publish_due(), since it may be known within a call of the coordinator.
  void note_change(uint8_t keyspace, std::string_view key, KeyChange change) {
    changes_.push_back({keyspace, change, std::string(key)});
  }
  // Of a call whose request was stored.
  void note_done(const Call& call, const cluster::Completion& completion);
  bool has_due() const { return !changes_.empty() || !soon_.empty(); }
  void publish_due(uint64_t now_us);

  // What is no message, but pushed as one: it goes behind all replies that wait, and who does not
  // take it is closed.
  void push_bytes(ClientState& client, std::string_view bytes, uint64_t now_us);

  // The client goes.
  void remove(ClientState& client);
  // The reply of its command is written.
  static void push_deferred(ClientState& client);
  // kPublish of another node. False where it is malformed.
  bool on_frame(cluster::LinkIndex from, const cluster::Frame& frame, uint64_t now_us);
  // A link on which it came is gone.
  void forget_link(cluster::LinkIndex from);
  // Messages for other nodes that are dropped after send_to_peers() took them.
  void note_dropped(uint64_t count);
  // What other reactors of this node posted.
  void take_mail(uint64_t now_us);

 private:
  using Clients = std::vector<ClientState*>;
  struct Changed {
    uint8_t keyspace;
    KeyChange change;
    std::string key;
  };

  struct Soon {
    bool is_sharded;
    std::string channel, payload;
  };

  static size_t index_of(SubscriptionKind kind) { return static_cast<size_t>(kind); }
  void count(ClientState& client) const;
  void forget_name(ClientState& client, SubscriptionKind kind, std::string_view name);
  uint64_t deliver(const Message& message, uint64_t now_us);
  void deliver_text(const Clients& clients, uint64_t now_us);
  uint64_t post_to_others(const Message& message);
  void push(ClientState& client, uint64_t now_us);
  void judge(ClientState& client, size_t pushed_bytes, uint64_t now_us);
  bool keeps_up(ClientState& client, size_t pushed_bytes, uint64_t now_us) const;
  void publish_event(const Changed& changed, KeyEvent event, uint64_t now_us);

  ClientTable& clients_;
  PubSubHub own_hub_{1};
  PubSubHub& hub_;
  const uint32_t reactor_;
  SubscriberLimits limits_;
  Messenger* messenger_ = nullptr;

  ByName<Clients> channels_, shard_channels_;
  std::map<std::string, Clients, std::less<>> patterns_;
  uint64_t subscriptions_ = 0;          // of this reactor
  const SessionState* from_ = nullptr;  // who publishes just now
  MessageText text_;                    // of the message that is delivered
  MessageAssembler assembler_;          // of those that come from other nodes
  HeldBytes assembled_held_;
  std::vector<uint32_t> others_;  // kept for its memory, as the next one
  KeptMessages mail_;
  std::vector<Changed> changes_;
  std::vector<Soon> soon_;
};

}  // namespace kvorum::server

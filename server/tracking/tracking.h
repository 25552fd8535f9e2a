// SPDX-License-Identifier: Apache-2.0
// CLIENT TRACKING, as one reactor has its part in it: clients cache what they read here, and are
// told of the keys that changed since, whichever node changed them.
//
//   read by a client --> TrackingTable, before the read begins
//   a copy of this node changes (cluster/wire/changed_keys.h)
//           --> clients of this reactor, behind the reply of the command
//           --> at the end of the turn: reactors of this node that have clients that track, and
//               nodes that have (kChangedKeys) --> the same there
//   a gap: a link broke or came back, the members changed, a copy lost something
//           --> all clients that cache anything drop it
//
// Every replica tells of what it changes itself. A read that some primary answered is therefore
// followed by news as soon as that primary has something else; one that stand-ins alone answered is
// followed by news at once (docs/CONSISTENCY.md). News go behind all replies that wait, so behind
// that of a read which they may be about.
//
// Owned by the dispatcher; the reactor's thread only.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/coordinator/coordinator.h"
#include "server/connection/client_table.h"
#include "server/connection/open_calls.h"
#include "server/pubsub/pub_sub.h"
#include "server/tracking/tracking_hub.h"
#include "server/tracking/tracking_table.h"

namespace kvorum::server {

// The links to the other nodes.
class ChangeMessenger {
 public:
  virtual ~ChangeMessenger() = default;
  // Frames to a member. False where none were sent: it is not linked, older than
  // kTrackingVersion, or too much waits for it.
  virtual bool send_changes(cluster::MemberIndex member, std::string_view frames) = 0;
};

class Tracking {
 public:
  struct Options {
    TrackingHub* hub = nullptr;  // null: one of its own, for a lone reactor
    uint32_t reactor = 0;
  };
  // All outlive it.
  struct Parts {
    cluster::Coordinator& coordinator;
    ClientTable& clients;
    PubSub& pub_sub;
  };
  Tracking(const Parts& parts, const Options& options);
  Tracking(const Tracking&) = delete;

  // Outlives it; null: there are no other nodes.
  void set_messenger(ChangeMessenger* messenger) { messenger_ = messenger; }
  TrackingHub& hub() { return hub_; }

  // ---- for commands
  // The mode of the session follows. Prefixes are added to those that it has.
  void enable(SessionState& session, const TrackingMode& mode,
              std::span<const std::string_view> prefixes);
  void disable(SessionState& session);
  std::vector<std::string> prefixes(const SessionState& session) const;

  // ---- connections
  void add(const ClientState& client);
  void remove(ClientState& client);

  // ---- what clients that track ask. REQUIRES: session.tracking.on.
  // Before it is submitted.
  void begin(ClientState& client, bool reads_only, cluster::Request& request, Call& call);
  // Before its reply is written.
  void on_complete(ClientState& client, const Call& call, const cluster::Completion& completion);

  // ---- what changed
  bool has_changes() const { return !changed_.empty(); }
  // Tells clients of this reactor: behind a command.
  void tell_own(uint64_t now_us);
  // Tells everybody: at the end of a turn.
  void tell_all(uint64_t now_us);
  // Each turn: what is seen by looking.
  void on_turn(uint64_t now_us) {
    if (hub_.tells_changes() || (reactor_ == 0 && hub_.wants_look(now_us))) [[unlikely]]
      look(now_us);
  }
  // The members, or where copies are, changed.
  void on_view(uint64_t now_us);

  // ---- from elsewhere
  // What other reactors of this node posted; `mail` is what the hub had of it.
  void take_mail(const TrackingMail& mail, uint64_t now_us);
  static bool takes(cluster::MessageType type) {
    return type >= cluster::MessageType::kTrackChanges &&
           type <= cluster::MessageType::kChangedKeys;
  }
  // False where it is malformed.
  bool on_frame(cluster::LinkIndex from, const cluster::Frame& frame, uint64_t now_us);
  // The route on which this reactor asks the member.
  void on_link(cluster::MemberIndex member, bool up, uint16_t version);
  // A link on which a member told this node of changes is gone.
  void on_link_lost() {
    if (hub_.tells_changes()) hub_.post_gap();
  }
  // Frames of send_changes() were dropped after all.
  void note_missed(cluster::MemberIndex member);

 private:
  using Clients = std::vector<ClientState*>;
  using Keys = std::span<const std::string_view>;  // none: all of them

  void look(uint64_t now_us);
  void ask(uint64_t now_us);
  void send_missed();
  void send_to_peers(const cluster::ChangedKeys& changed);
  void leave_prefixes(ClientState& client);
  void note_totals();

  void tell_readers(const cluster::ChangedKey& changed);
  void tell_broadcast(const cluster::ChangedKeys& changed);
  void tell_prefix(std::string_view prefix, const Clients& clients,
                   const cluster::ChangedKeys& changed);
  // Any key may have changed: all that may have cached some; `flushed`: all of them.
  void tell_gap(bool flushed);
  void give_up_keys();
  bool is_own_write(ClientState& client, const cluster::ChangedKey& changed);
  void settle_write(ClientState& client, const Call& call, const cluster::Completion& completion);

  void tell(ClientState& client, Keys keys);
  void tell_redirected(ClientState& target, Keys keys);
  void write_news(protocol::RespVersion version, Keys keys);

  const Parts parts_;
  cluster::ChangedKeys& changed_;  // of the coordinator's outbox
  TrackingHub own_hub_{1};
  TrackingHub& hub_;
  const uint32_t reactor_;
  ChangeMessenger* messenger_ = nullptr;

  TrackingTable table_;
  Clients clients_;                                       // that track
  std::map<std::string, Clients, std::less<>> prefixes_;  // BCAST
  size_t told_ = 0;  // of changed_.keys: their readers are told
  uint64_t now_us_ = 0;
  std::vector<cluster::MemberIndex> missed_;  // have to be told that any key may have changed
  std::vector<cluster::MemberIndex> peers_;   // kept for its memory, as what follows
  std::vector<SlotId> readers_;
  std::string news_;
};

}  // namespace kvorum::server

// SPDX-License-Identifier: Apache-2.0
// The links of one reactor to the other nodes. The reactor dials every peer and asks its requests
// there, unless there are so many that reactors share links (peer_routes.h); what it accepts is
// some reactor of a peer that asks here, and is answered on the very same connection. So the
// coordinator knows a link where it asks by its member, and an accepted one by a place (LinkIndex),
// which is not given to another link for kIndexRestUs: a late answer must never reach a stranger.
// The reactor's thread only.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "base/rng.h"
#include "cluster/coordinator/coordinator.h"
#include "cluster/health/peer_clock.h"
#include "server/flow/turn_clock.h"
#include "server/net/stream.h"
#include "server/peers/greeting.h"
#include "server/peers/link_board.h"
#include "server/peers/peer_routes.h"
#include "server/process/logging.h"
#include "server/pubsub/message_frame.h"
#include "server/pubsub/pub_sub.h"
#include "server/tracking/tracking.h"

namespace kvorum::server {

class AcceptedLink;
class DialedPeer;

struct PeerCounters {
  uint64_t refused_greetings = 0;  // by us
  uint64_t evicted_greetings = 0;  // links that had not proved who they are, when others came
};

// What the last attempt to reach a member met.
struct LinkTrouble {
  std::string text;      // empty: it is linked, or was not tried yet
  bool refused = false;  // it answers, but the greeting failed
};

// Told of nodes that are no members yet, and of how the cluster was founded. By any reactor.
class AdmissionListener {
 public:
  virtual ~AdmissionListener() = default;
  // A node asked to be let in, and was told to wait.
  virtual void on_waiting(const cluster::Member& node) = 0;
  // This node waits, and a member knows its name by this id.
  virtual void on_known_as(cluster::NodeId id) = 0;
  // A member has the same placement of the founding, and is linked; another one, to which this
  // node yields.
  virtual void on_same_founding(cluster::NodeId member, bool is_firm) = 0;
  virtual void on_founded_as(const FoundedPlacement& theirs) = 0;
  // This node is to be another one in a moment: nobody is let in any more.
  virtual bool begins_anew() const = 0;
};

// What the links of one reactor work with. Nothing is owned.
struct PeerLinksParts {
  asio::io_context* io = nullptr;
  const PeerIdentity* identity = nullptr;
  std::shared_ptr<const cluster::ClusterView> view;  // the first
  cluster::Coordinator* coordinator = nullptr;
  TurnClock* clock = nullptr;
  StreamShare* share = nullptr;
  LinkBoard* board = nullptr;
  AdmissionListener* admission = nullptr;
  uint64_t rng_seed = 0;
  uint32_t reactor = 0;
  size_t ungreeted_max = 256;
  uint64_t linger_us = 3'000'000;  // PeerRoutesParts
  PubSub* pub_sub = nullptr;       // null: messages between clients are not taken
  Tracking* tracking = nullptr;    // null: nobody is told of changes
};

class PeerLinks final : public Messenger, public ChangeMessenger, private RouteOwner {
 public:
  // While so much waits for the socket of a peer, messages between clients wait in their queue.
  static constexpr size_t kMessageRoomBytes = 512 * 1024;
  static constexpr size_t kPlacesMax = 0x8000;  // of accepted links
  static constexpr uint64_t kIndexRestUs = 120'000'000;
  // Of the links that have not proved who they are (PeerLinksParts::ungreeted_max) one host may
  // have half.
  static constexpr size_t kHostPart = 2;

  explicit PeerLinks(const PeerLinksParts& parts);
  ~PeerLinks() override;
  PeerLinks(const PeerLinks&) = delete;

  // Dials the other members, and again whenever a link breaks. A node that waits asks each to be
  // let in, and for the history.
  void start();
  // A later view: who joined is dialed, who departed is not dialed again, and with the number of
  // members other reactors may have to dial them.
  void publish(std::shared_ptr<const cluster::ClusterView> view);
  void adopt(TcpSocket socket);
  // Sends the frames of a turn: one send per link. Those to a link that is down are dropped: the
  // coordinator was told.
  void deliver(cluster::Outbox& outbox);
  void on_time(uint64_t now_us);

  // Messenger
  bool has_peers() const override { return peers_ != 0; }
  size_t send_to_peers(const Message& message) override;
  // ChangeMessenger
  bool send_changes(cluster::MemberIndex member, std::string_view frames) override;
  // Each turn: those that waited for room.
  void send_messages() {
    if (messages_wait_) send_waiting();
  }
  bool can_send_messages() const;

  // What other reactors handed to this one, and, at the end of a turn, what they get.
  void take_mail() { routes_.take_mail(); }
  void post_mail() {
    if (routes_.has_mail()) routes_.post_mail();
  }
  // A peer greeted this node: it is there, and is dialed without waiting for the next attempt.
  void on_greeted(cluster::MemberIndex member);
  // Somebody unknown knows of this node, which waits: perhaps it was admitted.
  void ask_again();
  // Every peer was reached once, in both directions, or cannot be.
  bool joined() const { return started_ && routes_.joined(); }

  // Asio looks for an address, or tries to connect.
  bool is_connecting() const { return attempts_ != 0; }
  void attempt_begins() { ++attempts_; }
  void attempt_ends() { --attempts_; }

  // Tells all peers that this node stops.
  void say_stopping();
  bool is_stopping() const { return stopping_; }
  // All peers that can ask know it, and have all that was said to them.
  bool all_know() const;

  uint64_t next_deadline_us() const { return next_deadline_us_; }
  // Lets go of closed links.
  void reap();
  void close_all();
  bool settled() const;

  const PeerCounters& counters() const { return counters_; }
  // By MemberIndex; the generation counts its changes.
  const std::vector<LinkTrouble>& troubles() const { return troubles_; }
  uint64_t troubles_generation() const { return troubles_generation_; }
  // Of a peer that is linked here and has answered.
  std::optional<cluster::ClockReport> peer_clock(cluster::MemberIndex member) const;

  // For the links.
  const PeerLinksParts& parts() const { return parts_; }
  // By the view of now; a link that speaks less is closed.
  uint16_t oldest_version() const { return oldest_spoken(*parts_.identity, *parts_.view); }
  std::string too_old_text(uint16_t version) const;
  PeerCounters& counters() { return counters_; }
  Rng& rng() { return rng_; }
  Nonce fresh_nonce();
  void note_deadline(uint64_t deadline_us) override;
  // The index of a link that was greeted; none when there are too many.
  std::optional<cluster::LinkIndex> give_index(AcceptedLink& link);
  void retire(AcceptedLink& link);
  // One reactor of a node logs; the others see the same troubles. Of a link that was dialed
  // PeerRoutes::speaks_of() knows who.
  void log_trouble(std::string_view who, std::string_view text) {
    log_trouble(parts_.reactor == 0, who, text);
  }
  void log_trouble(bool speaks, std::string_view who, std::string_view text);
  // Of a host that proved nothing: once per interval and kind of trouble, whatever it makes of it.
  void log_stranger(std::string_view host, std::string_view text);
  void log_recovery(bool speaks, std::string_view who);
  void note_trouble(cluster::MemberIndex member, std::string_view text, bool refused);
  void log_clock(bool speaks, std::string_view who, const cluster::ClockReport& clock);
  void hand_over(cluster::LinkIndex from, const cluster::Frame& frame) override;
  void tell_flow(cluster::MemberIndex peer, const cluster::FrameHead& head) override;
  PeerRoutes& routes() { return routes_; }
  uint64_t next_link_number() {
    return ++links_made_ * parts_.board->plan().reactors + parts_.reactor;
  }
  // A link that a peer asked on is gone: perhaps it cannot ask this node any more.
  void doubt(cluster::MemberIndex member);

 private:
  // RouteOwner
  void dial(cluster::MemberIndex member, bool shared) override;
  void drop(cluster::MemberIndex member) override;
  void use(cluster::MemberIndex member, bool own) override;
  void send_on_own(cluster::MemberIndex member, std::string& batch) override;
  void send_large_on_own(cluster::MemberIndex member, cluster::LargeFrame frame) override;
  void doubt_own(cluster::MemberIndex member) override;
  void send_messages_on_own(cluster::MemberIndex member, std::string_view frames) override;
  bool is_busy(cluster::MemberIndex member) const override;
  void tell_link(cluster::MemberIndex member, bool up, uint16_t version) override;
  void tell_one_way(cluster::MemberIndex member, bool one_way) override;
  void tell_stopping(cluster::MemberIndex member) override;
  cluster::Outbox& outbox() override { return parts_.coordinator->outbox(); }
  uint64_t now_us() const override { return parts_.clock->now().steady_us; }

  void deliver_large(cluster::Outbox& outbox);
  bool is_peer(size_t member) const;
  void count_peers();
  size_t message_room(cluster::MemberIndex member) const;
  bool send_message(cluster::MemberIndex member, const Message& message);
  bool queue_message(cluster::MemberIndex member, const Message& message);
  void send_waiting();
  AcceptedLink* accepted_at(cluster::LinkIndex index);
  DialedPeer* dialed_at(cluster::MemberIndex member) const;
  DialedPeer* used_at(cluster::LinkIndex index) const;

  struct Place {  // of an accepted link's index
    AcceptedLink* link = nullptr;
    uint64_t rests_until_us = 0;
  };

  void make_room_for(std::string_view host);
  void say(const LogGates::Verdict& verdict, std::string_view who, std::string_view text);

  PeerLinksParts parts_;
  Rng rng_;
  PeerCounters counters_;
  std::vector<LinkTrouble> troubles_;
  uint64_t troubles_generation_ = 0;
  LogGates gates_;
  uint64_t next_deadline_us_ = 0;
  bool started_ = false, stopping_ = false;
  size_t attempts_ = 0;  // of which Asio has a handler
  PeerRoutes routes_;
  std::vector<std::unique_ptr<DialedPeer>> dialed_;  // by MemberIndex; null where there is none
  std::vector<DialedPeer*> used_;                    // the same, where this reactor asks on it
  std::vector<std::unique_ptr<DialedPeer>> dropped_;
  uint64_t links_made_ = 0;
  std::vector<std::unique_ptr<AcceptedLink>> accepted_, closed_;
  std::vector<Place> places_;
  size_t next_place_ = 0;
  uint64_t arrivals_ = 0;               // of accepted links
  size_t peers_ = 0;                    // other members
  std::vector<MessageQueue> messages_;  // by member
  bool messages_wait_ = false;          // in any of them
  HeldBytes messages_held_;
  std::string message_frames_;                       // of the message that is sent, once made
  std::shared_ptr<const KeptMessage> kept_message_;  // the same
  std::vector<cluster::LinkIndex> addressed_;        // of the turn; kept for its memory
};

}  // namespace kvorum::server

// SPDX-License-Identifier: Apache-2.0
// On which link a reactor asks each member: on one that it dialed, or, where a node would have too
// many of those (LinkPlan), on the link of another reactor, its carrier. What it asks there it
// hands to the carrier once a turn, and has the answers handed back (link_mail.h): an operation
// tells who asked (cluster/wire/asker.h). The coordinator of each reactor is told of such a link as
// if it were its own.
//
// Who is to carry follows from the view, which reactors come to know one after the other; so a
// reactor subscribes at its carrier, and a link stays as long as somebody asks on it. A later view
// changes ways without a gap:
//
//   next: its link comes up --> used --> old: answers come still --> left, and closed unless others
//                                             some time later        ask there
//
// Owned by PeerLinks; the reactor's thread only.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cluster/ring/cluster_view.h"
#include "cluster/wire/frame.h"
#include "cluster/wire/link_index.h"
#include "cluster/wire/outbox.h"
#include "server/peers/link_board.h"
#include "server/peers/link_mail.h"

namespace kvorum::server {

// What has the links that this reactor dialed, and its coordinator.
class RouteOwner {
 public:
  virtual ~RouteOwner() = default;
  // Dials the member, unless that was done. `shared`: others ask on the link, too. Where the member
  // is not known yet, it is dialed with the view that has it.
  virtual void dial(cluster::MemberIndex member, bool shared) = 0;
  // Nobody asks on the link any more.
  virtual void drop(cluster::MemberIndex member) = 0;
  // Whether the coordinator's frames go to it, or to PeerRoutes::send().
  virtual void use(cluster::MemberIndex member, bool own) = 0;
  // Frames on it; nothing where it is down.
  virtual void send_on_own(cluster::MemberIndex member, std::string& batch) = 0;
  virtual void send_large_on_own(cluster::MemberIndex member, cluster::LargeFrame frame) = 0;
  virtual void doubt_own(cluster::MemberIndex member) = 0;
  // Frames with messages between clients, of another reactor, on the own link. Dropped where too
  // much waits for it.
  virtual void send_messages_on_own(cluster::MemberIndex member, std::string_view frames) = 0;
  // Part of a large frame was sent, or came.
  virtual bool is_busy(cluster::MemberIndex member) const = 0;

  // For the coordinator.
  virtual void tell_link(cluster::MemberIndex member, bool up, uint16_t version) = 0;
  virtual void tell_one_way(cluster::MemberIndex member, bool one_way) = 0;
  virtual void tell_stopping(cluster::MemberIndex member) = 0;
  virtual void tell_flow(cluster::MemberIndex member, const cluster::FrameHead& head) = 0;
  virtual void hand_over(cluster::LinkIndex from, const cluster::Frame& frame) = 0;
  virtual cluster::Outbox& outbox() = 0;

  virtual uint64_t now_us() const = 0;
  virtual void note_deadline(uint64_t deadline_us) = 0;
};

struct PeerRoutesParts {
  uint32_t reactor = 0;
  bool waits = false;  // the node is no member: one reactor asks, and no coordinator is told
  // Beyond what an operation may wait: so long a way that is left is kept for answers.
  uint64_t linger_us = 3'000'000;
  LinkBoard* board = nullptr;
};

class PeerRoutes {
 public:
  // Both outlive it.
  PeerRoutes(const PeerRoutesParts& parts, RouteOwner& owner);

  // The ways to the members of a view: at the start and for each later one.
  void choose(const cluster::ClusterView& view);
  // A link that this reactor dialed.
  void on_own(cluster::MemberIndex member, const LinkState& state);
  // Whether it is this reactor that logs about the link to a member: the first one, or its carrier.
  bool speaks_of(cluster::MemberIndex member) const;
  // Every member was reached once, in both directions, or cannot be.
  bool joined() const { return unjoined_ == 0; }

  // To a member that is not asked on an own link. Dropped where its link is down: the coordinator
  // was told. Leaves the batch empty.
  void send(cluster::LinkIndex to, std::string& batch);
  void send_large(cluster::LinkIndex to, cluster::LargeFrame frame);
  // How messages between clients go to a member: not, where its link is down or older than they
  // are; on the own link; or with carry_messages().
  enum class MessageWay : uint8_t { kNone, kOwn, kCarried };
  MessageWay message_way(cluster::MemberIndex member,
                         uint16_t version = cluster::kPublishVersion) const;
  // REQUIRES: that is the way.
  void carry_messages(cluster::MemberIndex member, std::string_view frames);
  // The link on which this peer asked here is gone, and its own may be doubted.
  void doubt(cluster::MemberIndex member);
  // Of an own link on which others ask too: true where another reactor asked, and has it now.
  bool pass_on(cluster::MemberIndex member, const cluster::Frame& answer);
  bool pass_on_flow(cluster::MemberIndex member, const cluster::FrameHead& head);

  void take_mail();
  // At the end of a turn, behind all frames of it.
  bool has_mail() const { return !addressed_.empty() || !stop_seen_.empty(); }
  void post_mail();
  // Returns when to look again; 0: nothing waits for its time.
  uint64_t on_time(uint64_t now_us);

 private:
  struct Way {
    uint32_t reactor = 0;  // whose link it is
    LinkState state;
    uint64_t until_us = 0;  // of an old one
  };
  struct Route {
    bool met = false;  // in a view
    bool joined = false;
    std::optional<uint32_t> wanted;  // the reactor on whose link it is to be asked
    std::optional<Way> used, next;
    std::vector<Way> old;
    LinkState told;  // what the coordinator knows
    // The link that this reactor dialed, and the others that ask on it.
    LinkState own;
    std::vector<uint32_t> askers;
    std::vector<uint32_t> unaware;  // of them: not yet of the peer's stop
    bool owes_stop_seen = false;
  };
  struct StopSeen {
    cluster::MemberIndex member;
    uint32_t reactor;
  };

  Route& at(cluster::MemberIndex member);
  void choose_way(cluster::MemberIndex member, uint32_t reactor);
  LinkState begin_way(cluster::MemberIndex member, uint32_t reactor);
  void end_way(cluster::MemberIndex member, uint32_t reactor);
  void drop_unused(cluster::MemberIndex member);
  void on_state(cluster::MemberIndex member, uint32_t reactor, const LinkState& state);
  void advance(cluster::MemberIndex member);
  void tell(cluster::MemberIndex member);
  void tell_down(cluster::MemberIndex member, Route& route);
  bool uses_own(const Route& route) const { return route.used && route.used->reactor == self_; }

  LinkItem& mail_to(uint32_t reactor, LinkItem::Kind kind, cluster::MemberIndex member);
  void say_state(cluster::MemberIndex member, uint32_t reactor);
  void on_item(const LinkItem& item, std::string_view bytes);
  void on_subscribe(cluster::MemberIndex member, uint32_t reactor);
  void on_unsubscribe(cluster::MemberIndex member, uint32_t reactor);
  void on_aware(cluster::MemberIndex member, uint32_t reactor);
  void on_frames(const LinkItem& item, std::string_view bytes);
  void on_large(const LinkItem& item, cluster::LargeFrame frame);
  void on_flow(const LinkItem& item);
  void look_at_stop(cluster::MemberIndex member);

  const PeerRoutesParts parts_;
  RouteOwner& owner_;
  const uint32_t self_, reactors_;
  uint32_t dialers_ = 1;       // of each member
  std::vector<Route> routes_;  // by member
  size_t unjoined_ = 0;        // members that were met
  std::vector<StopSeen> stop_seen_;
  std::vector<LinkMail> mail_;  // of the turn, by reactor
  std::vector<uint32_t> addressed_;
  LinkMail taken_;  // kept for its memory
};

}  // namespace kvorum::server

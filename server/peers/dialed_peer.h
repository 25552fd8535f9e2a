// SPDX-License-Identifier: Apache-2.0
// A peer as this reactor dials it: connects, greets, asks, and starts again after a growing pause
// when the link breaks. Tells the routes (peer_routes.h) whenever the state of the link changes.
// One per member that this reactor dials; owned by PeerLinks. A link that is up is asked at short
// intervals whether the peer has links to this node too, until it says so. The reactor's thread
// only.
//
//   resting --pause over--> connecting --> greeting --> up
//      | the peer greeted this node: at once              |
//      ^--------- refused, broken, silent, too late ------'
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cluster/health/peer_clock.h"
#include "server/flow/backoff.h"
#include "server/peers/peer_link.h"
#include "server/peers/peer_links.h"

namespace kvorum::server {

class DialedPeer {
 public:
  // How long an attempt may take to connect, and then to greet. The first is given up early: where
  // a queue of the peer's kernel was full, a new attempt comes before what it dropped is sent anew.
  static constexpr uint64_t kFirstConnectUs = 500'000;
  static constexpr uint64_t kConnectUs = 2'000'000;
  static constexpr uint64_t kClockEveryUs = 2'000'000;  // its wall clock is asked for
  static constexpr uint64_t kStaleUs = 50'000;          // so old an attempt is begun anew
  static constexpr uint64_t kAskFirstUs = 2'000;        // whether the peer has links here
  static constexpr uint64_t kAskLongestUs = 1'000'000;

  DialedPeer(PeerLinks& home, cluster::MemberIndex member);
  ~DialedPeer();

  void dial();
  // The member as a later view has it: it may have moved, or departed.
  void publish(const cluster::Member& peer);
  // Drops the frames unless the link is up.
  void send(std::string& batch);
  void send_large(cluster::LargeFrame frame);
  // Returns when to look again.
  uint64_t on_time(uint64_t now_us);
  // The peer is there: dials it unless that was done, asks it anew whether it has links here.
  void on_greeted();
  // It may have lost its link to this node.
  void doubt();
  bool sends() const;
  size_t waiting_bytes() const;
  bool receives() const;
  // Other reactors ask on it too, from now on.
  void share() { shared_ = true; }
  void close();
  void reap();
  std::optional<cluster::ClockReport> clock() const { return clock_.report(); }
  bool settled() const { return link_ == nullptr && closed_.empty() && !connecting_; }

 private:
  class Link;
  enum class State : uint8_t { kResting, kConnecting, kGreeting, kUp, kClosed };

  void choose_address();
  void attempt_begins();
  void attempt_ends();
  void resolve();
  void connect(const std::vector<Tcp::endpoint>& endpoints);
  void on_connected(const error_code& error);
  void dial_again(uint16_t version);
  void note_version(uint16_t newest);
  void came_up();
  void await_answer();
  void ran_out(std::string_view what);
  void ask_for_history();
  void tell();
  void on_pong(bool linked);
  void on_stopping();
  void ask_soon(uint64_t wait_us);
  // The attempt or the link is over.
  void lost(std::string_view why, bool refused = false);
  void rest();
  void look_at_silence(uint64_t now_us);
  void ask_clock(uint64_t now_us);
  void on_clock(const cluster::Frame& pong);
  uint64_t now_us() const;
  std::string who() const;
  bool speaks() const { return home_.routes().speaks_of(member_); }

  PeerLinks& home_;
  const cluster::MemberIndex member_;
  cluster::Member peer_;
  // Where it is dialed: as the file says, or in turn with where the peer said that it moved to.
  cluster::Endpoint address_;
  uint16_t version_;  // of the peer protocol that the next greeting, or this link, speaks
  State state_ = State::kResting;
  uint64_t deadline_us_ = 0;
  uint64_t patience_us_ = kFirstConnectUs;  // of this attempt
  cluster::PeerClock clock_;
  uint64_t ask_clock_at_us_ = 0;
  // As the routes were told, but for what comes with a link: up and its number.
  LinkState told_;
  bool shared_ = false;
  uint64_t ask_us_ = 0;  // when next
  uint64_t ask_wait_us_ = kAskFirstUs;
  uint64_t attempt_ = 0;
  bool connecting_ = false;  // a handler of resolver or socket is in flight
  Backoff backoff_;
  TcpResolver resolver_;
  std::unique_ptr<TcpSocket> socket_;
  std::vector<Tcp::endpoint> endpoints_;
  std::unique_ptr<Link> link_;
  std::vector<std::unique_ptr<Link>> closed_;
};

}  // namespace kvorum::server

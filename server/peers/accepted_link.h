// SPDX-License-Identifier: Apache-2.0
// A link that a peer's reactor dialed to ask its requests here. Owned by PeerLinks. The
// reactor's thread only.
//
//   greeting --> up          any state --> closed
#pragma once

#include "server/peers/greeting.h"
#include "server/peers/peer_link.h"
#include "server/peers/peer_links.h"

namespace kvorum::server {

class AcceptedLink final : public PeerLink {
 public:
  // `arrival` counts the links of the home.
  AcceptedLink(PeerLinks& home, TcpSocket socket, uint64_t arrival);

  void start();
  // Closes a link that was not greeted in time, or whose peer has fallen silent. Returns when to
  // look again; 0: it is closed.
  uint64_t on_time(uint64_t now_us);

  std::optional<cluster::LinkIndex> index() const { return index_; }
  // Of links that are not up: where they come from, who came first, and whether anything was heard.
  const std::string& host() const { return host_; }
  uint64_t arrival() const { return arrival_; }
  bool heard_hello() const { return greeting_.heard_hello(); }
  // Closes one that has not proved who it is, for want of room.
  void evict();
  // Closes one that speaks a version which the view of now does not allow any more.
  void look_at_version();

  void say_stopping();
  // Its peer asks nothing more, and has every answer; or it cannot ask.
  bool knows_of_stop() const { return !is_up() || (told_ && !sends() && !receives()); }

 private:
  // Answers that the peer does not take: so many, and it is asked nothing more. What it takes does
  // not depend on what this node takes: answers are always read by who asked.
  static constexpr size_t kAnswerBytesMax = 4 * 1024 * 1024;

  void before_frames(std::span<const cluster::Frame> frames) override;
  bool on_frame(const cluster::Frame& frame) override;
  void on_closed(std::string_view why) override;
  bool is_over(const cluster::Frame& frame);
  bool holds_back() const override;
  TurnClock& clock() override;

  bool on_greeting(const cluster::Frame& frame);
  void on_linked();
  void look_at_admission();
  bool on_request(const cluster::Frame& frame);
  void tell_trouble(std::string_view text);
  void leave();

  PeerLinks& home_;
  const std::string host_;
  const uint64_t arrival_;
  uint64_t greeting_deadline_us_ = 0;
  AcceptorGreeting greeting_;
  std::optional<cluster::LinkIndex> index_;           // from its greeting on
  cluster::MemberIndex member_ = cluster::kNoMember;  // who dialed it
  bool told_ = false;                                 // that this node stops, and has seen it
};

}  // namespace kvorum::server

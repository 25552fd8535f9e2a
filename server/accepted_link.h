// SPDX-License-Identifier: Apache-2.0
// A link that a peer's reactor dialed to ask its requests here. Owned by PeerLinks.
//
//   awaiting hello --> awaiting proof --> up          any state --> closed
#pragma once

#include "server/peer_link.h"
#include "server/peer_links.h"

namespace kvorum::server {

class AcceptedLink final : public PeerLink {
 public:
  AcceptedLink(PeerLinks& home, TcpSocket socket);

  void start();
  // Closes a link that was not greeted in time, or whose peer has fallen silent. Returns when to
  // look again; 0: it is closed.
  uint64_t on_time(uint64_t now_us);

  cluster::MemberIndex index() const { return index_; }

 private:
  enum class State : uint8_t { kAwaitingHello, kAwaitingProof, kUp };

  void before_frames(std::span<const cluster::Frame> frames) override;
  bool on_frame(const cluster::Frame& frame) override;
  void on_closed(std::string_view why) override;
  bool is_over(const cluster::Frame& frame);
  TurnClock& clock() override;

  bool on_hello(const cluster::Frame& frame);
  bool on_proof(const cluster::Frame& frame);
  bool on_request(const cluster::Frame& frame);
  bool refuse(std::string_view reason);
  void leave();

  PeerLinks& home_;
  State state_ = State::kAwaitingHello;
  std::string address_, who_;
  uint64_t greeting_deadline_us_ = 0;
  Hello hello_;
  Welcome welcome_;
  cluster::MemberIndex index_ = cluster::kNoMember;
};

}  // namespace kvorum::server

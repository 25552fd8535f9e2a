// SPDX-License-Identifier: Apache-2.0
#include "server/accepted_link.h"

#include <fmt/format.h>

#include <algorithm>

#include "server/dispatcher.h"

namespace kvorum::server {

using cluster::Frame;
using cluster::MessageType;

AcceptedLink::AcceptedLink(PeerLinks& home, TcpSocket socket)
    : PeerLink(std::move(socket), *home.parts().share), home_(home) {
  address_ = remote_address();
  who_ = address_;
}

TurnClock& AcceptedLink::clock() { return *home_.parts().clock; }

void AcceptedLink::start() {
  const uint64_t now_us = clock().now().steady_us;
  greeting_deadline_us_ = now_us + kGreetingUs;
  home_.note_deadline(greeting_deadline_us_);
  PeerLink::start(now_us);
}

uint64_t AcceptedLink::on_time(uint64_t now) {
  const uint64_t heard = std::max(last_heard_us(), clock().woke_from_long_us());
  const uint64_t deadline = is_up() ? heard + kOrphanAfterUs : greeting_deadline_us_;
  if (now < deadline) return deadline;
  home_.log_trouble(who_, is_up() ? "its link to this node fell silent and was closed"
                                  : "it connected but did not complete the greeting");
  leave();
  return 0;
}

void AcceptedLink::before_frames(std::span<const Frame> frames) {
  home_.parts().coordinator->prefetch(frames);
}

bool AcceptedLink::on_frame(const Frame& frame) {
  switch (state_) {
    case State::kAwaitingHello:
      return on_hello(frame);
    case State::kAwaitingProof:
      return on_proof(frame);
    case State::kUp:
      return on_request(frame);
  }
  return false;
}

bool AcceptedLink::on_hello(const Frame& frame) {
  if (!parse_hello(frame, &hello_)) {
    on_closed("it sent something else than a greeting");
    return false;
  }
  const PeerIdentity& self = *home_.parts().identity;
  if (!hello_.node_name.empty()) who_ = hello_.node_name + " at " + address_;
  welcome_.node_id = self.node_id;
  welcome_.node_name = self.node_name;
  welcome_.incarnation = self.incarnation;
  welcome_.view_hash = self.view_hash;
  welcome_.nonce = home_.fresh_nonce();
  welcome_.refusal = refusal_of(hello_, self, *home_.parts().view);
  if (welcome_.refusal.empty()) welcome_.proof = acceptor_proof(self.key, hello_, welcome_);
  std::string batch;
  put_welcome(batch, welcome_);
  send(batch);
  if (!welcome_.refusal.empty()) return refuse(welcome_.refusal);
  state_ = State::kAwaitingProof;
  return is_open();
}

bool AcceptedLink::on_proof(const Frame& frame) {
  uint64_t proof = 0;
  if (!parse_proof(frame, &proof)) {
    on_closed("it sent something else than its proof");
    return false;
  }
  std::string refusal;
  if (proof != dialer_proof(home_.parts().identity->key, hello_, welcome_)) {
    refusal = fmt::format("your cluster.secret differs from that of node {}: set the same one",
                          home_.parts().identity->node_name);
  } else if (index_ = home_.give_index(*this); index_ == cluster::kNoMember) {
    refusal = "too many links to this node";
  }
  std::string batch;
  put_greeting_done(batch, refusal);
  send(batch);
  if (!refusal.empty()) return refuse(refusal);
  state_ = State::kUp;
  greeted();
  return is_open();
}

// Even types ask, odd ones answer: an answer has no business here, where nothing was asked.
bool AcceptedLink::on_request(const Frame& frame) {
  if (frame.head.type == MessageType::kPing) {
    send_empty_frame(MessageType::kPong);
  } else if (frame.head.type >= MessageType::kForward &&
             static_cast<uint8_t>(frame.head.type) % 2 == 0) {
    if (!is_over(frame)) home_.hand_over(index_, frame);
  }
  return is_open();
}

// A request that lay here while this process stood still was given to another coordinator long ago,
// perhaps: executed now, it would stand beside what was written, or deleted, since.
bool AcceptedLink::is_over(const Frame& frame) {
  if (!waited_through_pause() || frame.head.type != MessageType::kForward) return false;
  cluster::ForwardEnvelope envelope;
  cluster::ForwardedRequest forwarded;
  std::string_view payload;
  if (!cluster::parse_forward_envelope(frame, &envelope, &payload) ||
      !cluster::parse_forwarded(envelope.keyspace, payload, &forwarded)) {
    return false;  // malformed: the coordinator counts it
  }
  return clock().paused_us() >= patience_us(envelope, forwarded.request, all_edits());
}

bool AcceptedLink::refuse(std::string_view reason) {
  ++home_.counters().refused_greetings;
  home_.log_trouble(who_, fmt::format("it was refused, and told: {}", reason));
  leave();
  return false;
}

void AcceptedLink::on_closed(std::string_view why) {
  if (is_up() || state_ != State::kAwaitingHello) {
    log_debug("link from {}: {}", who_, why);
  } else {
    home_.log_trouble(who_, why);
  }
  ++home_.counters().broken_links;
  leave();
}

void AcceptedLink::leave() {
  close();
  home_.retire(*this);
}

}  // namespace kvorum::server

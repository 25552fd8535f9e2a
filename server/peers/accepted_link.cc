// SPDX-License-Identifier: Apache-2.0
#include "server/peers/accepted_link.h"

#include <algorithm>

#include "base/bytes.h"
#include "cluster/wire/forward_messages.h"
#include "server/commands/edits.h"
#include "server/dispatch/dispatcher.h"
#include "server/net/hosts.h"

namespace kvorum::server {

using cluster::Frame;
using cluster::MessageType;

AcceptedLink::AcceptedLink(PeerLinks& home, TcpSocket socket, uint64_t arrival)
    : PeerLink(std::move(socket), *home.parts().share),
      home_(home),
      host_(remote_address()),
      arrival_(arrival),
      greeting_(
          *home.parts().identity, home.parts().view, home.fresh_nonce(),
          [this](cluster::MemberIndex member) { return home_.parts().board->all_linked(member); }) {
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
  tell_trouble(is_up() ? "its link to this node fell silent and was closed"
                       : "it connected but did not complete the greeting");
  leave();
  return 0;
}

void AcceptedLink::before_frames(std::span<const Frame> frames) {
  home_.parts().coordinator->prefetch(frames);
}

bool AcceptedLink::on_frame(const Frame& frame) {
  return is_up() ? on_request(frame) : on_greeting(frame);
}

bool AcceptedLink::on_greeting(const Frame& frame) {
  std::string batch;
  GreetingStep step = greeting_.on_frame(frame, batch);
  if (step == GreetingStep::kLinked && home_.is_stopping()) {
    leave();
    return false;
  }
  if (step == GreetingStep::kLinked) index_ = home_.give_index(*this);
  const bool too_many = step == GreetingStep::kLinked && !index_;
  if (step != GreetingStep::kFailed && !too_many) {
    send(batch);
    if (step == GreetingStep::kLinked) on_linked();
    return is_open();
  }
  if (!too_many) send(batch);
  if (greeting_.proved()) look_at_admission();
  if (greeting_.founded_as().version != 0) {
    home_.parts().admission->on_founded_as(greeting_.founded_as());
  }
  ++home_.counters().refused_greetings;
  tell_trouble(too_many ? "too many links to this node" : greeting_.trouble());
  leave();
  return false;
}

// Where it listens at all its addresses, it is reached at the one that it comes from.
void AcceptedLink::look_at_admission() {
  if (home_.parts().identity->waits) return home_.ask_again();
  if (!greeting_.waits()) return;
  cluster::Member node = greeting_.peer().offered;
  for (cluster::Endpoint* const address : {&node.peer, &node.redis, &node.memcached, &node.admin}) {
    if (is_wildcard_host(address->host)) address->host = host_;
  }
  home_.parts().admission->on_waiting(node);
}

// What it asked in this turn is answered at the end of it.
bool AcceptedLink::holds_back() const {
  if (!index_) return false;
  cluster::Outbox& outbox = home_.parts().coordinator->outbox();
  return unsent_bytes() + outbox.waiting_bytes(*index_) > kAnswerBytesMax;
}

// An answer has no business here, where nothing was asked.
bool AcceptedLink::on_request(const Frame& frame) {
  if (frame.head.type == MessageType::kPing) {
    const bool linked = member_ != cluster::kNoMember && home_.parts().board->all_linked(member_);
    std::string batch;
    cluster::FrameWriter pong(
        batch,
        {MessageType::kPong, 0, linked ? cluster::kPongLinked : uint16_t{0}, frame.head.operation});
    put_u64(pong.out(), clock().now().wall_ms);
    pong.finish();
    send(batch);
  } else if (frame.head.type == MessageType::kStoppingSeen) {
    told_ = true;
  } else if (cluster::may_come_from_dialer(frame.head.type)) {
    if (!is_over(frame)) home_.hand_over(*index_, frame);
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

void AcceptedLink::tell_trouble(std::string_view text) {
  if (greeting_.proved()) {
    return home_.log_trouble(greeting_.peer().node_name + " at " + host_, text);
  }
  home_.log_stranger(host_, text);
}

void AcceptedLink::look_at_version() {
  if (!is_up() || greeting_.version() >= home_.oldest_version()) return;
  tell_trouble(home_.too_old_text(greeting_.version()));
  leave();
}

void AcceptedLink::evict() {
  ++home_.counters().evicted_greetings;
  leave();
}

void AcceptedLink::on_closed(std::string_view why) {
  if (is_up() || heard_hello()) {
    log_debug("link from {}: {}", host_, why);
  } else {
    tell_trouble(why);
  }
  leave();
}

void AcceptedLink::on_linked() {
  greeted();
  member_ = home_.parts().view->find_id(greeting_.peer().node_id);
  if (member_ != cluster::kNoMember) home_.parts().board->on_greeted(member_);
}

void AcceptedLink::say_stopping() {
  if (!is_up()) return;
  std::string batch;
  cluster::FrameWriter(batch, {MessageType::kStopping}).finish();
  send(batch);
}

void AcceptedLink::leave() {
  if (is_up() && member_ != cluster::kNoMember) home_.doubt(member_);
  close();
  home_.retire(*this);
}

}  // namespace kvorum::server

// SPDX-License-Identifier: Apache-2.0
#include "server/peers/peer_links.h"

#include <fmt/format.h>
#include <openssl/rand.h>

#include <algorithm>
#include <utility>

#include "server/peers/accepted_link.h"
#include "server/peers/dialed_peer.h"
#include "server/status/node_status.h"

namespace kvorum::server {

using cluster::LinkIndex;
using cluster::MemberIndex;

PeerLinks::PeerLinks(const PeerLinksParts& parts)
    : parts_(parts),
      rng_(parts.rng_seed),
      routes_({parts.reactor, parts.identity->waits, parts.linger_us, parts.board}, *this),
      messages_held_(parts.share->in_flight, parts.share->unsent_as) {
  parts_.coordinator->outbox().takes_large = true;
}
PeerLinks::~PeerLinks() = default;

void PeerLinks::start() {
  started_ = true;
  count_peers();
  routes_.choose(*parts_.view);
}

void PeerLinks::publish(std::shared_ptr<const cluster::ClusterView> view) {
  KVORUM_CHECK(view->follows(*parts_.view));
  parts_.view = std::move(view);
  if (!started_) return;
  count_peers();
  for (size_t i = 0; i < dialed_.size(); ++i) {
    if (dialed_[i]) dialed_[i]->publish(parts_.view->members[i]);
  }
  std::vector<AcceptedLink*> links;
  for (const std::unique_ptr<AcceptedLink>& link : accepted_) links.push_back(link.get());
  for (AcceptedLink* const link : links) link->look_at_version();
  routes_.choose(*parts_.view);
}

void PeerLinks::dial(MemberIndex member, bool shared) {
  const cluster::ClusterView& view = *parts_.view;
  if (!started_ || member >= view.members.size() || member == view.self) return;
  dialed_.resize(view.members.size());
  used_.resize(view.members.size());
  if (!dialed_[member] && !view.members[member].has_departed()) {
    dialed_[member] = std::make_unique<DialedPeer>(*this, member);
    dialed_[member]->dial();
  }
  if (shared && dialed_[member]) dialed_[member]->share();
}

void PeerLinks::drop(MemberIndex member) {
  if (!dialed_at(member)) return;
  used_[member] = nullptr;
  dialed_[member]->close();
  dropped_.push_back(std::move(dialed_[member]));
  note_trouble(member, {}, false);
}

void PeerLinks::use(MemberIndex member, bool own) {
  used_.resize(parts_.view->members.size());
  used_[member] = own ? dialed_at(member) : nullptr;
}

void PeerLinks::send_on_own(MemberIndex member, std::string& batch) {
  if (DialedPeer* const peer = dialed_at(member)) peer->send(batch);
}

void PeerLinks::send_large_on_own(MemberIndex member, cluster::LargeFrame frame) {
  if (DialedPeer* const peer = dialed_at(member)) peer->send_large(std::move(frame));
}

bool PeerLinks::is_peer(size_t member) const {
  const cluster::ClusterView& view = *parts_.view;
  return view.is_member() && member != view.self && !view.members[member].has_departed();
}

void PeerLinks::count_peers() {
  peers_ = 0;
  for (size_t i = 0; i < parts_.view->members.size(); ++i) peers_ += is_peer(i);
}

size_t PeerLinks::send_to_peers(const Message& message) {
  size_t missed = 0;
  for (size_t i = 0; i < parts_.view->members.size(); ++i) {
    if (is_peer(i)) missed += !send_message(static_cast<MemberIndex>(i), message);
  }
  constexpr size_t kFrameBytesKept = 64 * 1024;
  give_back(message_frames_, kFrameBytesKept);
  kept_message_.reset();
  return missed;
}

bool PeerLinks::send_message(MemberIndex member, const Message& message) {
  using Way = PeerRoutes::MessageWay;
  const Way way = routes_.message_way(member);
  if (way == Way::kNone) return false;
  const bool waits = member < messages_.size() && !messages_[member].empty();
  const bool at_once = !waits && is_one_piece(message) && message_room(member) != 0;
  if (way == Way::kOwn && !at_once) return queue_message(member, message);
  if (message_frames_.empty()) put_message(message_frames_, message, parts_.reactor);
  if (way == Way::kCarried) {
    routes_.carry_messages(member, message_frames_);
  } else {
    outbox().frames(member).append(message_frames_);
  }
  return true;
}

bool PeerLinks::queue_message(MemberIndex member, const Message& message) {
  if (!kept_message_) kept_message_ = std::make_shared<const KeptMessage>(message);
  if (member >= messages_.size()) messages_.resize(size_t{member} + 1);
  if (!messages_[member].add(kept_message_)) return false;
  messages_wait_ = true;
  messages_held_.set(messages_held_.bytes() + kept_message_->bytes());
  return true;
}

bool PeerLinks::send_changes(MemberIndex member, std::string_view frames) {
  using Way = PeerRoutes::MessageWay;
  const Way way = routes_.message_way(member, cluster::kTrackingVersion);
  if (way == Way::kCarried) {
    routes_.carry_messages(member, frames);
    return true;
  }
  if (way == Way::kNone || message_room(member) == 0) return false;
  outbox().frames(member).append(frames);
  return true;
}

void PeerLinks::send_messages_on_own(MemberIndex member, std::string_view frames) {
  const DialedPeer* const peer = dialed_at(member);
  if (peer == nullptr || peer->waiting_bytes() > MessageQueue::kBytesMax) {
    if (parts_.tracking) parts_.tracking->note_missed(member);
    return parts_.pub_sub->note_dropped(1);
  }
  std::string batch(frames);
  if (used_at(member) == nullptr) return send_on_own(member, batch);
  outbox().frames(member).append(frames);
}

// What may be sent to it before its messages wait.
size_t PeerLinks::message_room(MemberIndex member) const {
  const DialedPeer* const peer = used_at(member);
  if (peer == nullptr) return 0;
  const size_t waiting = peer->waiting_bytes() + parts_.coordinator->outbox().waiting_bytes(member);
  return waiting < kMessageRoomBytes ? kMessageRoomBytes - waiting : 0;
}

bool PeerLinks::can_send_messages() const {
  if (!messages_wait_) return false;
  for (size_t i = 0; i < messages_.size(); ++i) {
    if (!messages_[i].empty() && message_room(static_cast<MemberIndex>(i)) != 0) return true;
  }
  return false;
}

// Those of a link that is down are lost.
void PeerLinks::send_waiting() {
  size_t held = 0;
  messages_wait_ = false;
  for (size_t i = 0; i < messages_.size(); ++i) {
    MessageQueue& queue = messages_[i];
    if (queue.empty()) continue;
    const auto member = static_cast<MemberIndex>(i);
    if (routes_.message_way(member) != PeerRoutes::MessageWay::kOwn) {
      parts_.pub_sub->note_dropped(queue.size());
      queue.clear();
    } else if (const size_t room = message_room(member); room != 0) {
      queue.put(outbox().frames(member), room, parts_.reactor);
    }
    held += queue.bytes();
    messages_wait_ = messages_wait_ || !queue.empty();
  }
  messages_held_.set(held);
}

bool PeerLinks::is_busy(MemberIndex member) const {
  const DialedPeer* const peer = dialed_at(member);
  return peer && (peer->sends() || peer->receives());
}

std::string PeerLinks::too_old_text(uint16_t version) const {
  return fmt::format(
      "it speaks version {} of the peer protocol, and placement {} of this cluster needs {}: "
      "upgrade the older binary",
      version, parts_.view->ring.shape().placement, oldest_version());
}

void PeerLinks::adopt(TcpSocket socket) {
  auto link = std::make_unique<AcceptedLink>(*this, std::move(socket), ++arrivals_);
  make_room_for(link->host());
  accepted_.push_back(std::move(link));
  accepted_.back()->start();
}

// Closes the oldest link that has not proved who it is, where there are too many of them: who
// proves itself needs two round trips. Of those the ones that said nothing at all go first.
void PeerLinks::make_room_for(std::string_view host) {
  struct Oldest {
    size_t count = 0;
    AcceptedLink* link = nullptr;
    void look_at(AcceptedLink* candidate) {
      ++count;
      const auto age = [](const AcceptedLink& of) {
        return std::pair(of.heard_hello(), of.arrival());
      };
      if (link == nullptr || age(*candidate) < age(*link)) link = candidate;
    }
  };
  Oldest of_host, of_all;
  for (const std::unique_ptr<AcceptedLink>& link : accepted_) {
    if (link->is_up()) continue;
    of_all.look_at(link.get());
    if (link->host() == host) of_host.look_at(link.get());
  }
  const size_t per_host_max = std::max<size_t>(1, parts_.ungreeted_max / kHostPart);
  if (of_host.count < per_host_max && of_all.count < parts_.ungreeted_max) return;
  const Oldest& full = of_host.count < per_host_max ? of_all : of_host;
  log_stranger(full.link->host(), "too many connections that did not greet; the oldest are closed");
  full.link->evict();
}

std::optional<LinkIndex> PeerLinks::give_index(AcceptedLink& link) {
  if (places_.empty()) places_.resize(kPlacesMax);
  const uint64_t now_us = parts_.clock->now().steady_us;
  for (size_t tries = 0; tries < places_.size(); ++tries) {
    const size_t place = next_place_;
    next_place_ = (next_place_ + 1) % places_.size();
    if (places_[place].link != nullptr || now_us < places_[place].rests_until_us) continue;
    places_[place].link = &link;
    return LinkIndex::accepted(static_cast<uint16_t>(place));
  }
  return std::nullopt;
}

void PeerLinks::retire(AcceptedLink& link) {
  if (link.index()) {
    Place& place = places_[link.index()->place()];
    place.link = nullptr;
    if (parts_.pub_sub) parts_.pub_sub->forget_link(*link.index());
    if (parts_.tracking) parts_.tracking->on_link_lost();
    place.rests_until_us = parts_.clock->now().steady_us + kIndexRestUs;
  }
  const auto found = std::find_if(
      accepted_.begin(), accepted_.end(),
      [&](const std::unique_ptr<AcceptedLink>& owned) { return owned.get() == &link; });
  if (found == accepted_.end()) return;
  closed_.push_back(std::move(*found));
  *found = std::move(accepted_.back());
  accepted_.pop_back();
}

void PeerLinks::deliver(cluster::Outbox& outbox) {
  // A link that breaks while sending tells the coordinator, which may then write to other members:
  // those wait in the outbox for the next round.
  addressed_ = outbox.addressed();
  outbox.clear_addressed();
  for (const LinkIndex index : addressed_) {
    std::string& batch = outbox.batch(index);
    if (DialedPeer* const peer = used_at(index)) {
      peer->send(batch);
    } else if (AcceptedLink* const link = accepted_at(index)) {
      link->send(batch);
    } else {
      routes_.send(index, batch);
    }
  }
  if (!outbox.large.empty()) [[unlikely]]
    deliver_large(outbox);
  for (const LinkIndex index : addressed_) {
    if (AcceptedLink* const link = accepted_at(index)) link->go_on();
  }
}

AcceptedLink* PeerLinks::accepted_at(LinkIndex index) {
  const size_t place = index.place();
  return index.is_accepted() && place < places_.size() ? places_[place].link : nullptr;
}

DialedPeer* PeerLinks::dialed_at(MemberIndex member) const {
  return member < dialed_.size() ? dialed_[member].get() : nullptr;
}

DialedPeer* PeerLinks::used_at(LinkIndex index) const {
  const size_t member = index.member();
  return member < used_.size() ? used_[member] : nullptr;
}

void PeerLinks::deliver_large(cluster::Outbox& outbox) {
  for (cluster::Outbox::Large& large : std::exchange(outbox.large, {})) {
    if (DialedPeer* const peer = used_at(large.to)) {
      peer->send_large(std::move(large.frame));
    } else if (AcceptedLink* const link = accepted_at(large.to)) {
      link->send_large(std::move(large.frame));
    } else {
      routes_.send_large(large.to, std::move(large.frame));
    }
  }
}

void PeerLinks::on_greeted(MemberIndex member) {
  DialedPeer* const peer = dialed_at(member);
  if (peer && !stopping_) peer->on_greeted();
}

void PeerLinks::ask_again() {
  for (const auto& peer : dialed_) {
    if (peer && !stopping_) peer->on_greeted();
  }
}

void PeerLinks::doubt(MemberIndex member) {
  doubt_own(member);
  routes_.doubt(member);
}

void PeerLinks::doubt_own(MemberIndex member) {
  if (DialedPeer* const peer = dialed_at(member)) peer->doubt();
}

void PeerLinks::say_stopping() {
  stopping_ = true;
  for (size_t at = accepted_.size(); at > 0; --at) {  // one that breaks meanwhile leaves the list
    if (at <= accepted_.size()) accepted_[at - 1]->say_stopping();
  }
}

bool PeerLinks::all_know() const {
  const bool told =
      std::all_of(accepted_.begin(), accepted_.end(),
                  [](const std::unique_ptr<AcceptedLink>& link) { return link->knows_of_stop(); });
  return told && std::none_of(
                     dialed_.begin(), dialed_.end(),
                     [](const std::unique_ptr<DialedPeer>& peer) { return peer && peer->sends(); });
}

void PeerLinks::note_deadline(uint64_t deadline_us) {
  if (next_deadline_us_ == 0 || deadline_us < next_deadline_us_) next_deadline_us_ = deadline_us;
}

void PeerLinks::on_time(uint64_t now_us) {
  if (next_deadline_us_ == 0 || now_us < next_deadline_us_) return;
  next_deadline_us_ = 0;
  for (const auto& peer : dialed_) {
    if (!peer) continue;
    if (const uint64_t next = peer->on_time(now_us); next != 0) note_deadline(next);
  }
  if (const uint64_t next = routes_.on_time(now_us); next != 0) note_deadline(next);
  // A link that closes leaves the list, its place is taken by the last one.
  for (size_t i = 0; i < accepted_.size();) {
    const uint64_t next = accepted_[i]->on_time(now_us);
    if (next == 0) continue;
    note_deadline(next);
    ++i;
  }
}

void PeerLinks::reap() {
  for (const auto& peer : dialed_) {
    if (peer) peer->reap();
  }
  closed_.clear();
  if (dropped_.empty()) return;
  for (const auto& peer : dropped_) peer->reap();
  std::erase_if(dropped_, [](const auto& peer) { return peer->settled(); });
}

void PeerLinks::close_all() {
  for (const auto& peer : dialed_) {
    if (peer) peer->close();
  }
  while (!accepted_.empty()) {
    AcceptedLink& link = *accepted_.back();
    link.close();
    retire(link);
  }
}

bool PeerLinks::settled() const {
  return accepted_.empty() && closed_.empty() && dropped_.empty() &&
         std::all_of(dialed_.begin(), dialed_.end(), [](const std::unique_ptr<DialedPeer>& peer) {
           return !peer || peer->settled();
         });
}

Nonce PeerLinks::fresh_nonce() {
  Nonce nonce{};
  KVORUM_CHECK(RAND_bytes(reinterpret_cast<unsigned char*>(nonce.data()), sizeof nonce) == 1);
  return nonce;
}

void PeerLinks::log_trouble(bool speaks, std::string_view who, std::string_view text) {
  if (!speaks) return log_debug("peer {}: {}", who, text);
  say(gates_.ask(who, text, parts_.clock->now().steady_us), who, text);
}

// What strangers make us say differs at its beginning; behind it may stand what they chose.
void PeerLinks::log_stranger(std::string_view host, std::string_view text) {
  if (parts_.reactor != 0) return log_debug("peer {}: {}", host, text);
  constexpr size_t kKindBytes = 16;
  const std::string subject = fmt::format("{} {}", host, text.substr(0, kKindBytes));
  say(gates_.ask(subject, {}, parts_.clock->now().steady_us), host, text);
}

void PeerLinks::say(const LogGates::Verdict& verdict, std::string_view who, std::string_view text) {
  if (!verdict.open) return;
  if (verdict.suppressed == 0) return log_warning("peer {}: {}", who, text);
  log_warning("peer {}: {} ({} more since the last time)", who, text, verdict.suppressed);
}

void PeerLinks::log_recovery(bool speaks, std::string_view who) {
  gates_.forget(who);
  if (speaks) log_info("peer {}: linked", who);
}

void PeerLinks::note_trouble(MemberIndex member, std::string_view text, bool refused) {
  troubles_.resize(parts_.view->members.size());
  LinkTrouble& trouble = troubles_[member];
  if (trouble.text == text && trouble.refused == refused) return;
  trouble = {std::string(text), refused};
  ++troubles_generation_;
}

void PeerLinks::log_clock(bool speaks, std::string_view who, const cluster::ClockReport& clock) {
  if (!speaks) return;
  const std::string subject = fmt::format("{} (clock)", who);
  if (!clock.is_off) {
    gates_.forget(subject);
    return log_info("peer {}: its clock agrees with this node's again", who);
  }
  say(gates_.ask(subject, {}, parts_.clock->now().steady_us), who,
      clock_text(clock) +
          "; which write is the last, and when keys expire, goes by clocks: look "
          "at the time service of both machines");
}

std::optional<cluster::ClockReport> PeerLinks::peer_clock(MemberIndex member) const {
  if (member >= dialed_.size() || !dialed_[member]) return std::nullopt;
  return dialed_[member]->clock();
}

void PeerLinks::tell_link(MemberIndex member, bool up, uint16_t version) {
  parts_.coordinator->on_link(member, up, parts_.clock->now(), version);
  if (parts_.tracking) parts_.tracking->on_link(member, up, version);
}

void PeerLinks::tell_one_way(MemberIndex member, bool one_way) {
  parts_.coordinator->on_one_way(member, one_way, parts_.clock->now());
}

void PeerLinks::tell_stopping(MemberIndex member) {
  parts_.coordinator->on_stopping(member, parts_.clock->now());
}

void PeerLinks::tell_flow(MemberIndex peer, const cluster::FrameHead& head) {
  parts_.coordinator->on_flow(peer, head, parts_.clock->now());
}

void PeerLinks::hand_over(LinkIndex from, const cluster::Frame& frame) {
  const auto take = [&] {
    if (frame.head.type == cluster::MessageType::kPublish && parts_.pub_sub) {
      return parts_.pub_sub->on_frame(from, frame, now_us());
    }
    if (Tracking::takes(frame.head.type) && parts_.tracking) {
      return parts_.tracking->on_frame(from, frame, now_us());
    }
    return parts_.coordinator->on_message(from, frame, parts_.clock->now());
  };
  if (take()) return;
  log_trouble("protocol", fmt::format("a frame of type {} was malformed and dropped",
                                      static_cast<unsigned>(frame.head.type)));
}

}  // namespace kvorum::server

// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/network.h"

namespace kvorum::sim {

using cluster::LinkIndex;
using cluster::MemberIndex;

namespace {

constexpr uint64_t kMs = 1000;
constexpr uint64_t kDialFirstUs = 5 * kMs;
constexpr uint64_t kDialAgainUs = 300 * kMs;
constexpr uint64_t kNoticedUs = 50 * kMs;
constexpr uint64_t kSilenceMinUs = 2000 * kMs;
constexpr uint64_t kSilenceMaxUs = 6000 * kMs;
constexpr uint64_t kLateTimes = 20;

}  // namespace

Network::Network(EventQueue& queue, Trace& trace, const Shape& shape, uint64_t seed)
    : queue_(queue),
      trace_(trace),
      shape_(shape),
      rng_(seed),
      hosts_(shape.nodes),
      links_(shape.nodes * shape.reactors * shape.nodes),
      cut_(shape.nodes * shape.nodes) {
  for (size_t dialer = 0; dialer < shape.nodes; ++dialer) {
    for (size_t reactor = 0; reactor < shape.reactors; ++reactor) {
      for (size_t acceptor = 0; acceptor < shape.nodes; ++acceptor) {
        Link& link = links_[link_of(dialer, reactor, acceptor)];
        link.dialer = dialer;
        link.reactor = reactor;
        link.acceptor = acceptor;
      }
    }
  }
}

uint64_t Network::draw_delay() {
  const uint64_t delay = weather_.delay_min_us + rng_.below(weather_.delay_spread_us + 1);
  return weather_.late > 0 && rng_.chance(weather_.late) ? delay * kLateTimes : delay;
}

bool Network::cut_along(const Link& link, int direction) const {
  return direction == 0 ? is_cut(link.dialer, link.acceptor) : is_cut(link.acceptor, link.dialer);
}

bool Network::reachable(const Link& link) const {
  const Host& acceptor = hosts_[link.acceptor];
  return acceptor.peer && !acceptor.leaves && !cut_along(link, 0) && !cut_along(link, 1);
}

void Network::join(size_t node, Peer* peer) {
  Host& host = hosts_[node];
  host.peer = peer;
  host.leaves = false;
  host.next_place.assign(shape_.reactors, 0);
  for (size_t link = 0; link < links_.size(); ++link) {
    if (links_[link].dialer == node && links_[link].acceptor != node) {
      links_[link].held_for_up = false;
      dial_later(link, rng_.below(kDialFirstUs));
    }
  }
}

void Network::leave(size_t node, bool quietly) {
  hosts_[node].peer = nullptr;
  ++hosts_[node].session;
  const uint64_t notice_us =
      quietly ? rng_.between(kSilenceMinUs, kSilenceMaxUs) : rng_.below(kNoticedUs);
  for (size_t at = 0; at < links_.size(); ++at) {
    if (links_[at].dialer == node || links_[at].acceptor == node) break_link(at, notice_us);
  }
}

void Network::dial_later(size_t link, uint64_t delay_us) {
  const uint64_t session = hosts_[links_[link].dialer].session;
  queue_.after(delay_us, [this, link, session] {
    if (hosts_[links_[link].dialer].session == session && !links_[link].held_for_up) dial(link);
  });
}

void Network::dial(size_t at) {
  const Link& link = links_[at];
  if (!reachable(link)) {
    dial_later(at, kDialAgainUs / 4 + rng_.below(kDialAgainUs));
    return;
  }
  const uint64_t session = hosts_[link.dialer].session;
  const uint64_t other_session = hosts_[link.acceptor].session;
  queue_.after(3 * draw_delay(), [this, at, session, other_session] {
    const Link& dialed = links_[at];
    if (hosts_[dialed.dialer].session != session || dialed.held_for_up) return;
    const bool still = hosts_[dialed.acceptor].session == other_session && reachable(dialed);
    still ? establish(at) : dial_later(at, rng_.below(kDialAgainUs));
  });
}

void Network::establish(size_t at) {
  Link& link = links_[at];
  Host& acceptor = hosts_[link.acceptor];
  link.up = link.held_for_up = true;
  ++link.generation;
  link.last_us[0] = link.last_us[1] = queue_.now_us();
  link.held[0].clear();
  link.held[1].clear();
  link.accepting_reactor = rng_.below(shape_.reactors);
  link.accepted_index = LinkIndex::accepted(acceptor.next_place[link.accepting_reactor]++);
  const size_t host = link.acceptor * shape_.reactors + link.accepting_reactor;
  accepted_[{host, link.accepted_index}] = at;
  trace_.note(queue_.now_us(), {"link up", link.dialer, link.acceptor});
  dial_back(link);
  hosts_[link.dialer].peer->on_link(link.reactor, static_cast<MemberIndex>(link.acceptor), true);
}

// Who is greeted dials at once (server/peers/dialed_peer.h, on_greeted()).
void Network::dial_back(const Link& greeted) {
  for (size_t reactor = 0; reactor < shape_.reactors; ++reactor) {
    const size_t at = link_of(greeted.acceptor, reactor, greeted.dialer);
    if (!links_[at].held_for_up) dial_later(at, rng_.below(kDialFirstUs));
  }
}

void Network::drop_accepted(const Link& link) {
  const size_t host = link.acceptor * shape_.reactors + link.accepting_reactor;
  accepted_.erase({host, link.accepted_index});
}

// The link is dead at once; its dialer learns it after a while and dials again: it makes no other
// link before, whatever was on its way (moving seed 934: the late news would tell of a link that is
// up).
void Network::break_link(size_t at, uint64_t notice_us) {
  Link& link = links_[at];
  if (!link.up) return;
  link.up = false;
  ++disturbances_;
  ++link.generation;
  drop_accepted(link);
  if (!hosts_[link.dialer].peer) return;
  const uint64_t session = hosts_[link.dialer].session;
  queue_.after(notice_us, [this, at, session] {
    const Link& broken = links_[at];
    Host& dialer = hosts_[broken.dialer];
    if (dialer.session != session) return;
    links_[at].held_for_up = false;
    trace_.note(queue_.now_us(), {"link down", broken.dialer, broken.acceptor});
    dialer.peer->on_link(broken.reactor, static_cast<MemberIndex>(broken.acceptor), false);
    dial_later(at, rng_.below(kDialAgainUs));
  });
}

void Network::cut(size_t from, size_t to, bool noticed) {
  cut_[from * shape_.nodes + to] = true;
  ++disturbances_;
  const uint64_t after_us =
      noticed ? rng_.below(kNoticedUs) : rng_.between(kSilenceMinUs, kSilenceMaxUs);
  for (size_t at = 0; at < links_.size(); ++at) {
    const Link& link = links_[at];
    const bool along = (link.dialer == from && link.acceptor == to) ||
                       (link.dialer == to && link.acceptor == from);
    if (!along || !link.up) continue;
    queue_.after(after_us, [this, at, generation = link.generation] {
      const Link& cut_link = links_[at];
      if (cut_link.generation != generation) return;
      if (cut_along(cut_link, 0) || cut_along(cut_link, 1)) break_link(at, 0);
    });
  }
}

void Network::heal() {
  cut_.assign(cut_.size(), false);
  for (size_t at = 0; at < links_.size(); ++at) {
    for (int direction = 0; direction < 2; ++direction) {
      std::vector<std::string> held;
      held.swap(links_[at].held[direction]);
      if (!links_[at].up) continue;
      for (std::string& frame : held) schedule({at, direction}, std::move(frame));
    }
  }
}

bool Network::all_linked() const {
  for (const Link& link : links_) {
    const bool wanted =
        link.dialer != link.acceptor && hosts_[link.dialer].peer && hosts_[link.acceptor].peer;
    if (wanted && !link.up) return false;
  }
  return true;
}

bool Network::linked_both_ways(size_t node) const {
  for (size_t other = 0; other < hosts_.size(); ++other) {
    if (other == node || !hosts_[other].peer || hosts_[other].leaves) continue;
    for (size_t reactor = 0; reactor < shape_.reactors; ++reactor) {
      if (!links_[link_of(node, reactor, other)].up) return false;
      if (!links_[link_of(other, reactor, node)].up) return false;
    }
  }
  return true;
}

bool Network::delivered_all_of(size_t node) const {
  for (const Link& link : links_) {
    const bool back = link.acceptor == node;
    if (!link.up || (!back && link.dialer != node)) continue;
    if (link.last_us[back ? 1 : 0] >= queue_.now_us()) return false;
  }
  return true;
}

size_t Network::tell_dialers(size_t node, const std::string& frame) {
  hosts_[node].leaves = true;
  size_t told = 0;
  for (size_t at = 0; at < links_.size(); ++at) {
    if (links_[at].acceptor != node || !links_[at].up) continue;
    carry({at, 1}, frame);
    ++told;
  }
  return told;
}

void Network::send(const Sender& from, LinkIndex to, std::string_view batch) {
  Way way;
  if (!to.is_accepted()) {
    way.link = link_of(from.node, from.reactor, to.member());
  } else {
    const auto found = accepted_.find({from.node * shape_.reactors + from.reactor, to});
    if (found == accepted_.end()) return;  // whoever asked is gone
    way = {found->second, 1};
  }
  if (!links_[way.link].up) return;
  cluster::Frame frame;
  size_t size = 0;
  while (cluster::parse_frame(batch, &frame, &size) == cluster::FrameStatus::kFrame) {
    sent_bytes_[static_cast<size_t>(frame.head.type)] += size;
    hosts_[from.node].sent_bytes += size;
    carry(way, batch.substr(0, size));
    batch.remove_prefix(size);
  }
}

void Network::carry(const Way& way, std::string_view frame) {
  Link& link = links_[way.link];
  if (cut_along(link, way.direction)) {
    if (weather_.holds_back) link.held[way.direction].emplace_back(frame);
    return;
  }
  if (weather_.loss > 0 && rng_.chance(weather_.loss)) {
    trace_.note(queue_.now_us(), {"lost", way.link, frame.size()});
    return;
  }
  schedule(way, std::string(frame));
  if (weather_.duplication > 0 && rng_.chance(weather_.duplication)) {
    schedule(way, std::string(frame));
  }
}

void Network::schedule(const Way& way, std::string frame) {
  Link& link = links_[way.link];
  uint64_t time_us = queue_.now_us() + draw_delay();
  if (!weather_.reorders) time_us = std::max(time_us, link.last_us[way.direction]);
  link.last_us[way.direction] = time_us;
  queue_.at(time_us, [this, way, generation = link.generation, moved = std::move(frame)] {
    if (links_[way.link].generation == generation) deliver(way, moved);
  });
}

void Network::deliver(const Way& way, const std::string& frame) {
  const Link& link = links_[way.link];
  const bool forth = way.direction == 0;
  const size_t receiver = forth ? link.acceptor : link.dialer;
  trace_.note(queue_.now_us(), {"frame", receiver, way.link, frame});
  const LinkIndex from =
      forth ? link.accepted_index : LinkIndex(static_cast<MemberIndex>(link.acceptor));
  hosts_[receiver].peer->on_frame(forth ? link.accepting_reactor : link.reactor, from, frame);
}

}  // namespace kvorum::sim

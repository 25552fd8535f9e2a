// SPDX-License-Identifier: Apache-2.0
#include "server/peers/peer_routes.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/contains.h"
#include "cluster/wire/asker.h"

namespace kvorum::server {

using cluster::LinkIndex;
using cluster::MemberIndex;
using Kind = LinkItem::Kind;

PeerRoutes::PeerRoutes(const PeerRoutesParts& parts, RouteOwner& owner)
    : parts_(parts),
      owner_(owner),
      self_(parts.reactor),
      reactors_(parts.board->plan().reactors),
      mail_(reactors_) {
  KVORUM_CHECK(self_ < reactors_);
}

PeerRoutes::Route& PeerRoutes::at(MemberIndex member) {
  if (member >= routes_.size()) routes_.resize(size_t{member} + 1);
  return routes_[member];
}

// A node that waits asks with one reactor alone.
void PeerRoutes::choose(const cluster::ClusterView& view) {
  const LinkPlan& plan = parts_.board->plan();
  const auto is_peer = [&](size_t i) { return i != view.self && !view.members[i].has_departed(); };
  size_t peers = 0;
  for (size_t i = 0; i < view.members.size(); ++i) peers += is_peer(i);
  dialers_ = plan.dialers(peers);
  routes_.resize(std::max(routes_.size(), view.members.size()));
  for (size_t i = 0; i < view.members.size(); ++i) {
    Route& route = routes_[i];
    if (!is_peer(i)) {
      if (route.met && !std::exchange(route.joined, true)) --unjoined_;
      continue;
    }
    if (!std::exchange(route.met, true)) ++unjoined_;
    const auto member = static_cast<MemberIndex>(i);
    choose_way(member, parts_.waits ? self_ : plan.carrier(member, self_, dialers_));
    if (!route.askers.empty()) owner_.dial(member, true);
  }
}

bool PeerRoutes::speaks_of(MemberIndex member) const {
  const uint32_t speaker = parts_.waits ? 0 : parts_.board->plan().carrier(member, 0, dialers_);
  return speaker == self_;
}

void PeerRoutes::choose_way(MemberIndex member, uint32_t reactor) {
  Route& route = at(member);
  if (route.wanted == reactor) return;
  route.wanted = reactor;
  if (route.next) {
    const uint32_t before = route.next->reactor;
    route.next.reset();
    end_way(member, before);
  }
  if (route.used && route.used->reactor == reactor) return;
  const auto old = std::find_if(route.old.begin(), route.old.end(),
                                [&](const Way& way) { return way.reactor == reactor; });
  if (old != route.old.end()) {
    route.next = Way{reactor, old->state};
    route.old.erase(old);
  } else {
    route.next = Way{reactor, begin_way(member, reactor)};
  }
  advance(member);
}

LinkState PeerRoutes::begin_way(MemberIndex member, uint32_t reactor) {
  if (reactor != self_) {
    mail_to(reactor, Kind::kSubscribe, member);
    return {};
  }
  owner_.dial(member, false);
  return at(member).own;
}

// It is in no list of the route any more.
void PeerRoutes::end_way(MemberIndex member, uint32_t reactor) {
  if (reactor == self_) return drop_unused(member);
  mail_to(reactor, Kind::kUnsubscribe, member);
}

// The link that this reactor dialed, once nobody asks on it.
void PeerRoutes::drop_unused(MemberIndex member) {
  Route& route = at(member);
  const auto is_own = [&](const Way& way) { return way.reactor == self_; };
  const bool asked_here = uses_own(route) || (route.next && is_own(*route.next)) ||
                          std::any_of(route.old.begin(), route.old.end(), is_own);
  if (asked_here || !route.askers.empty()) return;
  route.own = {};
  route.owes_stop_seen = false;
  owner_.drop(member);
}

void PeerRoutes::on_own(MemberIndex member, const LinkState& state) {
  Route& route = at(member);
  const LinkState before = std::exchange(route.own, state);
  for (const uint32_t asker : route.askers) say_state(member, asker);
  if (!state.up) {
    route.unaware.clear();
    route.owes_stop_seen = false;
  } else if (state.stopping && !before.stopping) {
    route.unaware = route.askers;
    route.owes_stop_seen = true;
  }
  on_state(member, self_, state);
  look_at_stop(member);
}

// How a way of this reactor is now.
void PeerRoutes::on_state(MemberIndex member, uint32_t reactor, const LinkState& state) {
  Route& route = at(member);
  const auto is_it = [&](const Way& way) { return way.reactor == reactor; };
  if (state.stopping && reactor != self_) stop_seen_.push_back({member, reactor});
  const auto old = std::find_if(route.old.begin(), route.old.end(), is_it);
  if (old != route.old.end()) {
    if (state.up && state.number == old->state.number) return;
    route.old.erase(old);
    tell_down(member, route);  // what was asked there is not answered any more
    end_way(member, reactor);
    return tell(member);
  }
  for (std::optional<Way>* const way : {&route.used, &route.next}) {
    if (*way && is_it(**way)) (*way)->state = state;
  }
  advance(member);
}

// A way that is up is left for the next one when that one is as good.
void PeerRoutes::advance(MemberIndex member) {
  Route& route = at(member);
  const bool up = route.used && route.used->state.up;
  if (route.next) {
    const LinkState& state = route.next->state;
    if (!up || (state.up && (!state.one_way || route.used->state.one_way))) {
      std::optional<Way> before = std::exchange(route.used, std::exchange(route.next, {}));
      owner_.use(member, uses_own(route));
      if (up) {
        const LinkState& used = route.used->state;
        if (used.version == route.told.version) route.told.number = used.number;  // no gap
        before->until_us = owner_.now_us() + parts_.linger_us;
        owner_.note_deadline(before->until_us);
        route.old.push_back(*before);
      } else if (before) {
        end_way(member, before->reactor);
      }
    }
  }
  tell(member);
}

void PeerRoutes::tell_down(MemberIndex member, Route& route) {
  if (!std::exchange(route.told.up, false)) return;
  owner_.tell_link(member, false, route.told.version);
  parts_.board->note_link(member, false);
}

// A node that waits has no part in the cluster.
void PeerRoutes::tell(MemberIndex member) {
  Route& route = at(member);
  if (!route.used) return;
  const LinkState state = route.used->state;
  if (state.tried && !std::exchange(route.joined, true)) --unjoined_;
  if (parts_.waits) return;
  if (!state.up || state.number != route.told.number) tell_down(member, route);
  const LinkState told = std::exchange(route.told, state);
  if (!state.up) return;
  if (!told.up) {
    owner_.tell_link(member, true, state.version);
    parts_.board->note_link(member, true);
  }
  if (!told.up || told.one_way != state.one_way) owner_.tell_one_way(member, state.one_way);
  if (state.stopping && (!told.up || !told.stopping)) owner_.tell_stopping(member);
}

void PeerRoutes::send(LinkIndex to, std::string& batch) {
  const MemberIndex member = to.member();
  const bool carried = member < routes_.size() && routes_[member].used &&
                       routes_[member].used->state.up && !uses_own(routes_[member]);
  if (carried && !batch.empty()) {
    const Way& way = *routes_[member].used;
    LinkItem& item = mail_to(way.reactor, Kind::kFrames, member);
    item.number = way.state.number;
    item.size = batch.size();
    mail_[way.reactor].bytes.append(batch);
  }
  constexpr size_t kBatchBytesKept = 1024 * 1024;
  give_back(batch, kBatchBytesKept);
}

void PeerRoutes::send_large(LinkIndex to, cluster::LargeFrame frame) {
  const MemberIndex member = to.member();
  if (member >= routes_.size() || !routes_[member].used) return;
  const Way& way = *routes_[member].used;
  if (!way.state.up || way.reactor == self_) return;
  mail_to(way.reactor, Kind::kLarge, member).number = way.state.number;
  mail_[way.reactor].large.push_back(std::move(frame));
}

PeerRoutes::MessageWay PeerRoutes::message_way(MemberIndex member, uint16_t version) const {
  if (member >= routes_.size()) return MessageWay::kNone;
  const Route& route = routes_[member];
  if (!route.told.up || route.told.version < version) return MessageWay::kNone;
  return uses_own(route) ? MessageWay::kOwn : MessageWay::kCarried;
}

void PeerRoutes::carry_messages(MemberIndex member, std::string_view frames) {
  const Way& way = *routes_[member].used;
  LinkItem& item = mail_to(way.reactor, Kind::kMessages, member);
  item.number = way.state.number;
  item.size = frames.size();
  mail_[way.reactor].bytes.append(frames);
}

void PeerRoutes::doubt(MemberIndex member) {
  if (member >= routes_.size() || !routes_[member].used) return;
  const uint32_t reactor = routes_[member].used->reactor;
  if (reactor != self_) mail_to(reactor, Kind::kDoubt, member);
}

bool PeerRoutes::pass_on(MemberIndex member, const cluster::Frame& answer) {
  const auto asker = cluster::asker_of(answer.head, reactors_);
  if (!asker || *asker == self_) return false;
  const bool whole = answer.owner != nullptr;
  LinkItem& item = mail_to(*asker, whole ? Kind::kWhole : Kind::kAnswer, member);
  item.head = answer.head;
  if (whole) {
    item.sent_us = answer.sent_us;
    mail_[*asker].large.push_back({{}, *answer.owner, answer.payload});
  } else {
    item.size = answer.payload.size();
    mail_[*asker].bytes.append(answer.payload);
  }
  return true;
}

bool PeerRoutes::pass_on_flow(MemberIndex member, const cluster::FrameHead& head) {
  const auto asker = cluster::asker_of(head, reactors_);
  if (!asker || *asker == self_) return false;
  mail_to(*asker, Kind::kFlow, member).head = head;
  return true;
}

LinkItem& PeerRoutes::mail_to(uint32_t reactor, Kind kind, MemberIndex member) {
  LinkMail& mail = mail_[reactor];
  if (mail.empty()) addressed_.push_back(reactor);
  LinkItem& item = mail.items.emplace_back();
  item.kind = kind;
  item.member = member;
  item.from = self_;
  return item;
}

// Frames that could not leave with this turn come first: then it says so with the next.
void PeerRoutes::post_mail() {
  const cluster::Outbox& outbox = owner_.outbox();
  std::erase_if(stop_seen_, [&](const StopSeen& seen) {
    if (outbox.waiting_bytes(seen.member) != 0) return false;
    mail_to(seen.reactor, Kind::kStopSeen, seen.member);
    return true;
  });
  LinkBoard& board = *parts_.board;
  for (const uint32_t reactor : addressed_) {
    if (board.mailbox(reactor).put(mail_[reactor])) board.on_mail(reactor);
  }
  addressed_.clear();
}

void PeerRoutes::take_mail() {
  parts_.board->mailbox(self_).take(taken_);
  std::string_view bytes = taken_.bytes;
  size_t large = 0;
  for (const LinkItem& item : taken_.items) {
    switch (item.kind) {
      case Kind::kLarge:
        on_large(item, std::move(taken_.large[large++]));
        break;
      case Kind::kWhole: {
        const cluster::LargeFrame& whole = taken_.large[large++];
        owner_.hand_over(item.member, {item.head, whole.rest, item.sent_us, &whole.body});
        break;
      }
      default:
        on_item(item, bytes.substr(0, item.size));
        bytes.remove_prefix(item.size);
        break;
    }
  }
  taken_.clear();
}

void PeerRoutes::on_item(const LinkItem& item, std::string_view bytes) {
  switch (item.kind) {
    case Kind::kSubscribe:
      return on_subscribe(item.member, item.from);
    case Kind::kUnsubscribe:
      return on_unsubscribe(item.member, item.from);
    case Kind::kFrames:
      return on_frames(item, bytes);
    case Kind::kMessages:
      return owner_.send_messages_on_own(item.member, bytes);
    case Kind::kStopSeen:
      return on_aware(item.member, item.from);
    case Kind::kDoubt:
      return owner_.doubt_own(item.member);
    case Kind::kState:
      return on_state(item.member, item.from, item.state);
    case Kind::kAnswer:
      return owner_.hand_over(item.member, {item.head, bytes});
    case Kind::kFlow:
      return on_flow(item);
    case Kind::kLarge:
    case Kind::kWhole:
      break;  // take_mail() has them
  }
}

void PeerRoutes::say_state(MemberIndex member, uint32_t reactor) {
  mail_to(reactor, Kind::kState, member).state = at(member).own;
}

// This reactor may not know of the member yet: it will dial it once it does.
void PeerRoutes::on_subscribe(MemberIndex member, uint32_t reactor) {
  Route& route = at(member);
  KVORUM_CHECK(reactor != self_ && !contains(route.askers, reactor));
  route.askers.push_back(reactor);
  owner_.dial(member, true);
  say_state(member, reactor);
}

void PeerRoutes::on_unsubscribe(MemberIndex member, uint32_t reactor) {
  std::erase(at(member).askers, reactor);
  on_aware(member, reactor);
  drop_unused(member);
}

void PeerRoutes::on_aware(MemberIndex member, uint32_t reactor) {
  std::erase(at(member).unaware, reactor);
  look_at_stop(member);
}

// Nobody here asks it anything behind this.
void PeerRoutes::look_at_stop(MemberIndex member) {
  Route& route = at(member);
  if (!route.owes_stop_seen || !route.unaware.empty()) return;
  route.owes_stop_seen = false;
  const cluster::FrameHead head{cluster::MessageType::kStoppingSeen};
  if (uses_own(route)) {
    cluster::FrameWriter(owner_.outbox().frames(member), head).finish();
    return;
  }
  std::string batch;
  cluster::FrameWriter(batch, head).finish();
  owner_.send_on_own(member, batch);
}

// With those of this reactor, where it asks on the same link.
void PeerRoutes::on_frames(const LinkItem& item, std::string_view bytes) {
  const Route& route = at(item.member);
  if (!route.own.up || route.own.number != item.number) return;
  if (uses_own(route)) {
    owner_.outbox().frames(item.member).append(bytes);
    return;
  }
  std::string batch(bytes);
  owner_.send_on_own(item.member, batch);
}

void PeerRoutes::on_large(const LinkItem& item, cluster::LargeFrame frame) {
  const Route& route = at(item.member);
  if (!route.own.up || route.own.number != item.number) return;
  owner_.send_large_on_own(item.member, std::move(frame));
}

// Whoever waits is patient, and an old way stays.
void PeerRoutes::on_flow(const LinkItem& item) {
  for (Way& way : at(item.member).old) {
    if (way.reactor != item.from) continue;
    way.until_us = owner_.now_us() + parts_.linger_us;
  }
  owner_.tell_flow(item.member, item.head);
}

uint64_t PeerRoutes::on_time(uint64_t now_us) {
  uint64_t next_us = 0;
  for (size_t i = 0; i < routes_.size(); ++i) {
    const auto member = static_cast<MemberIndex>(i);
    std::vector<Way>& old = routes_[i].old;
    for (size_t at = 0; at < old.size();) {
      Way& way = old[at];
      const bool busy = way.reactor == self_ && owner_.is_busy(member);
      if (busy) way.until_us = now_us + parts_.linger_us;
      if (now_us < way.until_us) {
        if (next_us == 0 || way.until_us < next_us) next_us = way.until_us;
        ++at;
        continue;
      }
      const uint32_t reactor = way.reactor;
      old.erase(old.begin() + static_cast<std::ptrdiff_t>(at));
      end_way(member, reactor);
    }
  }
  return next_us;
}

}  // namespace kvorum::server

// SPDX-License-Identifier: Apache-2.0
#include "server/peers/dialed_peer.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/bytes.h"
#include "base/check.h"

namespace kvorum::server {

using cluster::Frame;
using cluster::MessageType;

// One connection to the peer: the dialer's side of the greeting, then answers.
class DialedPeer::Link final : public PeerLink {
 public:
  Link(DialedPeer& peer, TcpSocket socket)
      : PeerLink(std::move(socket), *peer.home_.parts().share),
        peer_(peer),
        greeting_(*peer.home_.parts().identity, peer.peer_, peer.home_.fresh_nonce(),
                  peer.version_) {}

  void start() {
    std::string batch;
    greeting_.begin(batch);
    PeerLink::start(peer_.now_us());
    send(batch);
  }
  // Each ping asks for the peer's clock; the pong echoes when it left.
  void ping() {
    std::string batch;
    cluster::FrameWriter(batch, {MessageType::kPing, 0, 0, peer_.now_us()}).finish();
    send(batch);
  }
  uint64_t heard_us() const { return last_heard_us(); }

 private:
  void before_frames(std::span<const Frame> frames) override {
    peer_.home_.parts().coordinator->prefetch(frames);
  }

  bool on_frame(const Frame& frame) override {
    return is_up() ? on_answer(frame) : on_greeting(frame);
  }

  bool on_greeting(const Frame& frame) {
    std::string batch;
    const GreetingStep step = greeting_.on_frame(frame, batch);
    if (step == GreetingStep::kFailed) return fail(greeting_.trouble());
    if (!batch.empty()) send(batch);
    if (step == GreetingStep::kGoesOn || !is_open()) return is_open();
    if (greeting_.version() < peer_.home_.oldest_version()) {
      return fail(peer_.home_.too_old_text(greeting_.version()));
    }
    const uint64_t own = peer_.home_.parts().identity->view_hash;
    const uint64_t theirs = greeting_.peer().view_hash;
    if (own != 0 && theirs != 0 && own != theirs) {
      peer_.home_.log_trouble(peer_.speaks(), peer_.who() + " (configuration)",
                              "its keyspaces, weights, racks or zones differ from ours: give every "
                              "node the same file");
    }
    greeted();
    peer_.note_version(greeting_.peer().newest);
    peer_.came_up();
    const FoundedPlacement& founded = greeting_.peer().founded;
    if (founded.version != 0) {
      peer_.home_.parts().admission->on_same_founding(peer_.peer_.id, founded.is_firm);
    }
    return is_open();
  }

  // Requests come on the link that the peer dialed.
  bool on_answer(const Frame& frame) {
    if (frame.head.type == MessageType::kPong) {
      peer_.on_clock(frame);
      peer_.on_pong((frame.head.flags & cluster::kPongLinked) != 0);
    } else if (frame.head.type == MessageType::kStopping) {
      peer_.on_stopping();
    } else if (cluster::may_come_from_dialed(frame.head.type)) {
      const bool passed = peer_.shared_ && peer_.home_.routes().pass_on(peer_.member_, frame);
      if (!passed) peer_.home_.hand_over(peer_.member_, frame);
    }
    return is_open();
  }

  bool fail(std::string_view why) {
    const uint16_t older = greeting_.older_version();
    if (older != 0 && older < peer_.home_.oldest_version()) {
      close();
      peer_.lost(peer_.home_.too_old_text(older), /*refused=*/true);
      return false;
    }
    if (older != 0) {
      close();
      peer_.dial_again(older);
      return false;
    }
    const cluster::NodeId known_as = greeting_.known_as();
    const FoundedPlacement founded_as = greeting_.founded_as();
    AdmissionListener& admission = *peer_.home_.parts().admission;
    close();
    peer_.lost(why, /*refused=*/true);
    if (known_as != 0) admission.on_known_as(known_as);
    if (founded_as.version != 0) admission.on_founded_as(founded_as);
    return false;
  }

  // A peer that stops has answered all that it was asked.
  bool wants_last_input() const override { return true; }
  void on_closed(std::string_view why) override { peer_.lost(why); }
  // Both what is asked here and what is answered belongs to an operation of who asks.
  void on_flow(const cluster::FrameHead& head) override {
    if (peer_.shared_ && peer_.home_.routes().pass_on_flow(peer_.member_, head)) return;
    peer_.home_.tell_flow(peer_.member_, head);
  }
  TurnClock& clock() override { return *peer_.home_.parts().clock; }

  DialedPeer& peer_;
  DialerGreeting greeting_;
};

DialedPeer::DialedPeer(PeerLinks& home, cluster::MemberIndex member)
    : home_(home),
      member_(member),
      peer_(home.parts().view->members[member]),
      address_(peer_.peer),
      version_(home.parts().identity->versions.newest),
      resolver_(*home.parts().io) {}

DialedPeer::~DialedPeer() = default;

uint64_t DialedPeer::now_us() const { return home_.parts().clock->now().steady_us; }
std::string DialedPeer::who() const { return peer_.name + " at " + address_.to_text(); }

void DialedPeer::choose_address() {
  const auto told = home_.parts().coordinator->told_address(member_);
  address_ = told && address_ == peer_.peer ? *told : peer_.peer;
}

void DialedPeer::publish(const cluster::Member& peer) {
  const bool moved = !(peer_.peer == peer.peer);
  peer_ = peer;
  if (state_ == State::kUp && version_ < home_.oldest_version()) {
    lost(home_.too_old_text(version_), /*refused=*/true);
  }
  if (peer_.has_departed()) {
    told_.tried = true;
    return tell();
  }
  if (moved) on_greeted();
}

void DialedPeer::dial() {
  choose_address();
  state_ = State::kConnecting;
  await_answer();
  ++attempt_;
  error_code error;
  const auto address = asio::ip::make_address(address_.host, error);
  if (error) return resolve();
  connect({Tcp::endpoint(address, address_.port)});
}

void DialedPeer::await_answer() {
  deadline_us_ = now_us() + patience_us_;
  home_.note_deadline(deadline_us_);
}

// That the peer cannot be reached is said once an attempt had all its time.
void DialedPeer::ran_out(std::string_view what) {
  if (patience_us_ == kConnectUs) return lost(what);
  patience_us_ = kConnectUs;
  rest();
}

void DialedPeer::attempt_begins() {
  connecting_ = true;
  home_.attempt_begins();
}

void DialedPeer::attempt_ends() {
  connecting_ = false;
  home_.attempt_ends();
}

void DialedPeer::resolve() {
  attempt_begins();
  const auto done = [this, attempt = attempt_](const error_code& error,
                                               const Tcp::resolver::results_type& found) {
    attempt_ends();
    if (attempt != attempt_ || state_ != State::kConnecting) return;
    if (error) return lost("its host name is not known: " + error.message());
    std::vector<Tcp::endpoint> endpoints;
    for (const auto& entry : found) endpoints.push_back(entry.endpoint());
    connect(endpoints);
  };
  resolver_.async_resolve(address_.host, std::to_string(address_.port), done);
}

void DialedPeer::connect(const std::vector<Tcp::endpoint>& endpoints) {
  attempt_begins();
  endpoints_ = endpoints;
  socket_ = std::make_unique<TcpSocket>(home_.parts().io->get_executor());
  asio::async_connect(*socket_, endpoints_,
                      [this, attempt = attempt_](const error_code& error, const Tcp::endpoint&) {
                        attempt_ends();
                        if (attempt == attempt_ && state_ == State::kConnecting) {
                          on_connected(error);
                        }
                      });
}

void DialedPeer::on_connected(const error_code& error) {
  if (error) return lost(error.message());
  state_ = State::kGreeting;
  await_answer();
  link_ = std::make_unique<Link>(*this, std::move(*socket_));
  socket_.reset();
  link_->start();
}

// It speaks no newer version: once more, in that one. Whatever comes of it, the next attempt begins
// with the newest, for the peer may be upgraded by then.
void DialedPeer::dial_again(uint16_t version) {
  KVORUM_CHECK(version < version_);
  rest();
  version_ = version;
  deadline_us_ = now_us();
  home_.note_deadline(deadline_us_);
}

void DialedPeer::note_version(uint16_t newest) {
  const uint16_t own = home_.parts().identity->versions.newest;
  if (newest == own || !speaks()) return;
  log_info("peer {}: version {} of the peer protocol is spoken with it, this node could speak {}",
           who(), version_, own);
}

void DialedPeer::came_up() {
  state_ = State::kUp;
  told_ = {true, true, false, told_.tried, version_, home_.next_link_number()};
  patience_us_ = kFirstConnectUs;
  deadline_us_ = ask_clock_at_us_ = now_us();
  home_.note_deadline(deadline_us_);
  backoff_.reset();
  home_.log_recovery(speaks(), who());
  home_.note_trouble(member_, {}, false);
  // A node that waits has no part in the cluster but that it comes to know the history.
  if (home_.parts().identity->waits) ask_for_history();
  tell();
  doubt();
}

void DialedPeer::tell() { home_.routes().on_own(member_, told_); }

void DialedPeer::ask_for_history() {
  std::string batch;
  cluster::FrameWriter frame(batch, {MessageType::kHistoryBuckets, 0, 0, 0});
  home_.parts().coordinator->encode_history_buckets(frame.out());
  frame.finish();
  send(batch);
}

void DialedPeer::on_greeted() {
  if (state_ == State::kUp) return told_.one_way ? doubt() : void();
  // An attempt from before the peer was there may wait for its packets to be sent anew.
  if (state_ == State::kConnecting && now_us() + patience_us_ > deadline_us_ + kStaleUs) rest();
  if (state_ != State::kResting) return;
  patience_us_ = kFirstConnectUs;
  deadline_us_ = now_us();
  home_.note_deadline(deadline_us_);
}

void DialedPeer::doubt() {
  ask_wait_us_ = kAskFirstUs;
  ask_soon(0);
}

void DialedPeer::ask_soon(uint64_t wait_us) {
  ask_us_ = now_us() + wait_us;
  if (state_ != State::kUp || ask_us_ >= deadline_us_) return;
  deadline_us_ = ask_us_;
  home_.note_deadline(deadline_us_);
}

void DialedPeer::on_pong(bool linked) {
  if (state_ != State::kUp) return;
  if (linked) ask_us_ = 0;
  if (linked == told_.one_way || (linked && !told_.tried)) {
    told_.one_way = !linked;
    told_.tried = told_.tried || linked;
    tell();
  }
  if (linked || state_ != State::kUp) return;
  if (ask_us_ > now_us()) return;
  ask_soon(ask_wait_us_);
  ask_wait_us_ = std::min(2 * ask_wait_us_, kAskLongestUs);
}

void DialedPeer::on_stopping() {
  if (state_ != State::kUp || told_.stopping) return;
  told_.stopping = told_.tried = true;
  if (speaks()) log_info("peer {}: it stops", who());
  tell();
}

bool DialedPeer::sends() const { return link_ && link_->sends(); }
size_t DialedPeer::waiting_bytes() const { return link_ ? link_->waiting_bytes() : 0; }
bool DialedPeer::receives() const { return link_ && link_->receives(); }

void DialedPeer::lost(std::string_view why, bool refused) {
  if (state_ == State::kResting || state_ == State::kClosed) return;
  const bool was_up = state_ == State::kUp;
  if (link_) link_->abort();
  rest();
  home_.note_trouble(member_, why, refused);
  if (!was_up || !told_.stopping) {
    home_.log_trouble(speaks(), who(),
                      was_up ? fmt::format("the link is lost: {}", why) : std::string(why));
  }
  if (was_up) clock_ = {};
  if (!was_up && told_.tried) return;
  told_.up = false;
  told_.tried = true;
  tell();
}

void DialedPeer::rest() {
  state_ = State::kResting;
  version_ = home_.parts().identity->versions.newest;
  ++attempt_;
  resolver_.cancel();
  error_code ignored;
  if (socket_) socket_->close(ignored);
  if (link_) {
    link_->close();
    closed_.push_back(std::move(link_));
  }
  deadline_us_ = now_us() + backoff_.next_us(home_.rng());
  home_.note_deadline(deadline_us_);
}

void DialedPeer::send(std::string& batch) {
  if (state_ != State::kUp) return batch.clear();
  link_->send(batch);
}

void DialedPeer::send_large(cluster::LargeFrame frame) {
  if (state_ == State::kUp) link_->send_large(std::move(frame));
}

uint64_t DialedPeer::on_time(uint64_t now) {
  if (now < deadline_us_) return deadline_us_;
  switch (state_) {
    case State::kResting:
      // A handler of the last attempt may still be on its way: then look again soon.
      if (peer_.has_departed()) return 0;
      if (connecting_) {
        deadline_us_ = now + Backoff::kFirstUs;
      } else {
        dial();
      }
      break;
    case State::kConnecting:
      ran_out("no answer to the attempt to connect");
      break;
    case State::kGreeting:
      ran_out("no answer to the greeting");
      break;
    case State::kUp:
      look_at_silence(now);
      ask_clock(now);
      break;
    case State::kClosed:
      return 0;
  }
  return deadline_us_;
}

void DialedPeer::look_at_silence(uint64_t now) {
  const uint64_t heard = std::max(link_->heard_us(), home_.parts().clock->woke_from_long_us());
  const uint64_t silence = now > heard ? now - heard : 0;
  if (silence >= PeerLink::kDeadAfterUs) return lost("it has been silent for 3 s");
  if (told_.stopping) {  // it is asked nothing any more
    deadline_us_ = heard + PeerLink::kDeadAfterUs;
    return;
  }
  if (ask_us_ != 0 && ask_us_ <= now) {
    ask_us_ = 0;
    link_->ping();
    if (state_ != State::kUp) return;
  }
  if (silence < PeerLink::kPingAfterUs) {
    deadline_us_ = heard + PeerLink::kPingAfterUs;
  } else {
    deadline_us_ = heard + PeerLink::kDeadAfterUs;
    link_->ping();
  }
  if (ask_us_ != 0) deadline_us_ = std::min(deadline_us_, ask_us_);
}

void DialedPeer::ask_clock(uint64_t now) {
  if (state_ != State::kUp || told_.stopping) return;
  if (now >= ask_clock_at_us_) {
    link_->ping();
    ask_clock_at_us_ = now + kClockEveryUs;
  }
  if (state_ == State::kUp) deadline_us_ = std::min(deadline_us_, ask_clock_at_us_);
}

void DialedPeer::on_clock(const Frame& pong) {
  ByteReader reader(pong.payload);
  const uint64_t wall_ms = reader.u64();
  if (!reader.ok()) return;
  const Now now = home_.parts().clock->now();
  const auto change = clock_.add({pong.head.operation, now.steady_us, now.wall_ms, wall_ms});
  if (change == cluster::PeerClock::Change::kNone) return;
  home_.log_clock(speaks(), who(), *clock_.report());
}

void DialedPeer::close() {
  if (state_ == State::kClosed) return;
  rest();
  state_ = State::kClosed;
}

void DialedPeer::reap() { closed_.clear(); }

}  // namespace kvorum::server

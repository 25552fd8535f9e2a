// SPDX-License-Identifier: Apache-2.0
// The network between nodes as server/ uses it: each reactor dials every peer, lands at some
// reactor there, asks on that link and is answered on it. The dialing coordinator knows a link by
// its member, the accepting one by a place that is not given twice in
// a session. Frames travel one by one through the weather (delay, loss, duplication, reordering)
// and through cuts; a cut is noticed soon (the links break) or after a silence (as with a dead
// switch). One thread; all chances come from its own seeded generator.
//
//   down --dial, greeted--> up --cut noticed, node died--> down (dialer told, dials again)
#pragma once

#include <array>
#include <map>
#include <string>
#include <vector>

#include "base/rng.h"
#include "cluster/wire/frame.h"
#include "tests/sim/event_queue.h"
#include "tests/sim/swarm.h"
#include "tests/sim/trace.h"

namespace kvorum::sim {

// A node as the network sees it. To the network a member is the node of that index: each node knows
// members by indexes of its own.
class Peer {
 public:
  virtual ~Peer() = default;
  virtual void on_frame(size_t reactor, cluster::LinkIndex from, std::string_view frame) = 0;
  virtual void on_link(size_t reactor, cluster::MemberIndex peer, bool up) = 0;
};

class Network {
 public:
  struct Shape {
    size_t nodes = 0;
    size_t reactors = 0;
  };
  Network(EventQueue& queue, Trace& trace, const Shape& shape, uint64_t seed);

  void set_weather(const NetworkWeather& weather) { weather_ = weather; }

  // A node is there and dials, or is gone; `quietly`: its peers get no reset, only silence.
  void join(size_t node, Peer* peer);
  void leave(size_t node, bool quietly);

  // Where a frame batch of a coordinator's outbox goes: a dialed link, or an
  // accepted one.
  struct Sender {
    size_t node = 0;
    size_t reactor = 0;
  };
  void send(const Sender& from, cluster::LinkIndex to, std::string_view batch);

  // One direction. `noticed`: links over it break soon, else only after a silence.
  void cut(size_t from, size_t to, bool noticed);
  void heal();
  bool is_cut(size_t from, size_t to) const { return cut_[from * shape_.nodes + to]; }
  // Counts cuts, broken links and deaths: what was reachable before and after, with no more of them
  // in between, was so all the time.
  uint64_t disturbances() const { return disturbances_; }
  // Bytes of the frames that nodes sent, by type of message.
  using Traffic = std::array<uint64_t, 256>;
  const Traffic& sent_bytes() const { return sent_bytes_; }
  // Of one node, all types together.
  uint64_t sent_bytes_of(size_t node) const { return hosts_[node].sent_bytes; }
  // Every dialed link between living nodes is up.
  bool all_linked() const;
  // The same of one node's links to those that do not leave, and theirs to it.
  bool linked_both_ways(size_t node) const;
  // All that the node has sent has arrived.
  bool delivered_all_of(size_t node) const;
  // Sends a frame back on each link that others dialed to the node, and lets nobody dial it any
  // more; returns how many there are.
  size_t tell_dialers(size_t node, const std::string& frame);

 private:
  struct Link {
    size_t dialer = 0, reactor = 0, acceptor = 0;
    bool up = false;
    bool held_for_up = false;  // by its dialer, also where it is up; a break it notices later
    uint64_t generation = 0;
    size_t accepting_reactor = 0;
    cluster::LinkIndex accepted_index;
    uint64_t last_us[2] = {0, 0};      // delivery of the last frame, by direction
    std::vector<std::string> held[2];  // frames held back by a silent cut
  };
  struct Host {
    Peer* peer = nullptr;
    bool leaves = false;  // soon
    uint64_t session = 0;
    uint64_t sent_bytes = 0;
    std::vector<uint16_t> next_place;  // of accepted links, by reactor
  };
  // A way along a link: 0 from dialer to acceptor, 1 back.
  struct Way {
    size_t link = 0;
    int direction = 0;
  };

  size_t link_of(size_t dialer, size_t reactor, size_t acceptor) const {
    return (dialer * shape_.reactors + reactor) * shape_.nodes + acceptor;
  }
  bool cut_along(const Link& link, int direction) const;
  bool reachable(const Link& link) const;
  uint64_t draw_delay();
  void dial_later(size_t link, uint64_t delay_us);
  void dial(size_t link);
  void establish(size_t link);
  void dial_back(const Link& greeted);
  void break_link(size_t link, uint64_t notice_us);
  void drop_accepted(const Link& link);
  void carry(const Way& way, std::string_view frame);
  void schedule(const Way& way, std::string frame);
  void deliver(const Way& way, const std::string& frame);

  EventQueue& queue_;
  Trace& trace_;
  const Shape shape_;
  Rng rng_;
  NetworkWeather weather_;
  std::vector<Host> hosts_;
  std::vector<Link> links_;
  std::vector<bool> cut_;
  uint64_t disturbances_ = 0;
  Traffic sent_bytes_{};
  std::map<std::pair<size_t, cluster::LinkIndex>, size_t> accepted_;  // (host, index) -> link
};

}  // namespace kvorum::sim

// SPDX-License-Identifier: Apache-2.0
// What the reactors of a node tell each other of their links, and which of them dials whom. A peer
// that greets one of them is there for all: those that rest between two attempts dial it at once
// (on_greeted). And a peer that asks whether this node can use it means all reactors (all_linked).
// Owned by the node; for all reactor threads, on_greeted and on_mail are set before they start.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <functional>
#include <vector>

#include "cluster/ring/member.h"
#include "server/peers/link_mail.h"

namespace kvorum::server {

// Every reactor dials every peer while that makes no more than `links_max` links; else as many of
// them dial a peer as there may be, and the others ask on the link of one of those. One of them
// always does, so a node has links_max links or as many as it has peers, whichever is more. Which
// ones it is goes by the member's index: so all reactors have about as many.
struct LinkPlan {
  uint32_t reactors = 1;
  uint32_t links_max = 256;

  // How many reactors dial each of so many peers.
  uint32_t dialers(size_t peers) const {
    const size_t each = links_max / std::max<size_t>(peers, 1);
    return static_cast<uint32_t>(std::clamp<size_t>(each, 1, reactors));
  }
  // On whose link this reactor asks the member; its own, where it is one of them.
  uint32_t carrier(cluster::MemberIndex member, uint32_t reactor, uint32_t dialers) const {
    const uint32_t first = member % reactors;
    const uint32_t place = (reactor + reactors - first) % reactors;
    return (first + place % dialers) % reactors;
  }
};

class LinkBoard {
 public:
  LinkBoard(uint32_t reactors, uint32_t links_max)
      : plan_{reactors, links_max}, mailboxes_(reactors) {}

  const LinkPlan& plan() const { return plan_; }
  LinkMailbox& mailbox(uint32_t reactor) { return mailboxes_[reactor]; }

  // Of the link that one reactor asks on.
  void note_link(cluster::MemberIndex member, bool up) {
    links_[member].fetch_add(up ? 1 : -1, std::memory_order_acq_rel);
  }
  bool all_linked(cluster::MemberIndex member) const {
    return links_[member].load(std::memory_order_acquire) >= static_cast<int64_t>(plan_.reactors);
  }

  std::function<void(cluster::MemberIndex member)> on_greeted;
  std::function<void(uint32_t reactor)> on_mail;  // its mailbox is not empty any more

 private:
  std::array<std::atomic<int64_t>, cluster::kMembersMax> links_{};  // by member
  const LinkPlan plan_;
  std::vector<LinkMailbox> mailboxes_;  // by reactor
};

}  // namespace kvorum::server

// SPDX-License-Identifier: Apache-2.0
// What the reactors of a node tell each other of their links. A peer that greets one of them is
// there for all: those that rest between two attempts dial it at once (on_greeted). And a peer that
// asks whether this node can use it means all reactors (all_linked). Owned by the node; for all
// reactor threads, on_greeted is set before they start.
#pragma once

#include <array>
#include <atomic>
#include <functional>

#include "cluster/ring/member.h"

namespace kvorum::server {

class LinkBoard {
 public:
  explicit LinkBoard(uint32_t reactors) : reactors_(reactors) {}

  // Of one reactor's dialed link.
  void note_link(cluster::MemberIndex member, bool up) {
    links_[member].fetch_add(up ? 1 : -1, std::memory_order_acq_rel);
  }
  bool all_linked(cluster::MemberIndex member) const {
    return links_[member].load(std::memory_order_acquire) >= static_cast<int64_t>(reactors_);
  }

  std::function<void(cluster::MemberIndex member)> on_greeted;

 private:
  std::array<std::atomic<int64_t>, cluster::kMembersMax> links_{};  // by member
  const uint32_t reactors_;
};

}  // namespace kvorum::server

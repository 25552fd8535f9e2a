// SPDX-License-Identifier: Apache-2.0
// What a node still has to vouch for before the frontier may pass it: per keyspace, partition and
// other primary, the oldest version that was stored, removed or covered here since their last clean
// exchange began. Versions are remembered in slices of time, each with the least HLC of what
// changed in it; a clean exchange makes the slices from before it count no more for that peer, once
// they are synced. Private to the frontier protocol (frontier_protocol.h), which locks.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/time.h"
#include "cluster/ring/cluster_view.h"
#include "cluster/version/hybrid_clock.h"
#include "engine/table/object_table.h"

namespace kvorum::cluster {

inline constexpr Hlc kNoHlc{~uint64_t{0}};

class FrontierLedger {
 public:
  // A copy of this node, and the peer that it is compared with.
  struct PeerCopy {
    uint8_t keyspace = 0;
    uint32_t partition = 0;
    MemberIndex peer = kNoMember;
  };

  FrontierLedger(const ClusterView& view, engine::ObjectTable* table);

  // Who holds copies may be others than before: what was exchanged with those that stay counts on.
  void publish(const ClusterView& before, const ClusterView& view);

  // This node is a primary of the partition, as a rule together with others.
  bool holds(uint8_t keyspace, uint32_t partition) const {
    KVORUM_CHECK(keyspace < kKeyspacesMax && partition < partitions_);
    return copies_[size_t{keyspace} * partitions_ + partition].held;
  }
  // Ends the slice of every partition that changed. Whether any did.
  bool take_slices(HybridClock& clock, Now now);
  // An exchange that began at `began` (of the own clock) was clean, in these two runs.
  void note_clean(const PeerCopy& of, uint64_t run, uint64_t peer_run, Hlc began);
  // Clean exchanges whose contents are synced by now begin to count.
  void settle();

  // The least HLC that is not vouched for, kNoHlc where there is none; zero while there is a copy
  // without a clean exchange in both current runs (*open then names one). `runs`
  // are the current ones, by member.
  Hlc least(uint64_t run, std::span<const uint64_t> runs, std::optional<PeerCopy>* open) const;
  // The least of what was settled since the last call: it counted until just now.
  Hlc take_settled();

 private:
  void publish(const ClusterView& view, uint32_t partition);

  struct Slice {
    Hlc end;  // the clock when it ended: everything in it happened before
    Hlc least;
  };
  struct Peer {
    MemberIndex member = kNoMember;
    uint64_t run = 0;  // of this node, 0: no clean exchange yet
    uint64_t peer_run = 0;
    Hlc began;
  };
  struct Copy {
    bool held = false;
    std::deque<Slice> slices;
    std::vector<Peer> peers;
  };
  struct Pending {
    PeerCopy of;
    uint64_t run, peer_run;
    Hlc began;
    engine::Ticket ticket;
  };

  Copy* find(uint8_t keyspace, uint32_t partition);
  static Hlc least_since(const Copy& copy, Hlc began);
  static void prune(Copy& copy);

  engine::ObjectTable* const table_;
  const uint32_t partitions_;
  std::vector<Copy> copies_;  // [keyspace][partition]; without peers: not a primary
  std::deque<Pending> pending_;
  Hlc settled_ = kNoHlc;
  std::vector<std::pair<size_t, Hlc>> taken_;  // scratch
};

}  // namespace kvorum::cluster

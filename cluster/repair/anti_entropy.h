// SPDX-License-Identifier: Apache-2.0
// Anti-entropy (paper 4.7): compares this node's copies with those of the other primaries by their
// hash trees, and repairs what differs in both directions. One coordinator of a node asks; all
// answer (exchange_server.h).
//
// Here are the rounds with each peer (peer_round.h): when one begins, which partitions it finds to
// differ, what an operator wishes. Partitions that differ are exchanged one after the other
// (exchange_asker.h); clean exchanges make copies whole (wholeness.h).
//
//     kIdle --due, or its link came up-->
//     kOpening: a digest per keyspace -->
//     kRoots: roots of those that differ -->
//     kExchanging: partitions that differ, one after the other --> kIdle
//
// An exchange that has only keys left to repair makes room for the next one. Between two nodes each
// drives the exchanges of every other partition, unless one of both is not whole: it drives all.
// Private to cluster/; owned by the coordinator.
#pragma once

#include <vector>

#include "cluster/repair/exchange_asker.h"
#include "cluster/repair/peer_round.h"
#include "cluster/repair/repair_wish.h"
#include "cluster/repair/wholeness.h"
#include "cluster/upkeep/tree_keeper.h"

namespace kvorum::cluster {

class AntiEntropy final : public DamageSink, private ExchangeSink {
 public:
  AntiEntropy(Core& core, KeyRepair& keys);

  // The view has changed: members may have joined.
  void publish(Now now);
  void on_link(MemberIndex peer, bool up, Now now);
  // False where the frame is malformed, or of no type that is an answer of an exchange.
  bool on_message(MemberIndex from, const Frame& frame, Now now);
  void on_scanned(SlotId range, const ScanPage& page, Now now) {
    asker_.on_scanned(range, page, now);
  }
  // Rounds begin at once: the copy is whole only after exchanges that began later than this.
  void on_damage(uint8_t keyspace, uint32_t partition, Now now) override;
  void on_time(Now now);
  uint64_t next_deadline_us() const;

  // Rounds with all peers begin at once, and compare what the wish names whoever drives it.
  void repair(const RepairWish& wish, Now now);
  RepairProgress progress() const;

 private:
  void on_exchange_ended(MemberIndex peer, bool clean, Now now) override;
  void on_only_keys_left(MemberIndex peer, Now now) override { advance_round(peer, now); }

  bool enabled() const;
  void begin_round(MemberIndex peer, Now now);
  bool on_opened(MemberIndex from, const Frame& frame, Now now);
  void ask_roots(MemberIndex peer, uint8_t keyspace);
  bool on_roots(MemberIndex from, const Frame& frame, Now now);
  void advance_round(MemberIndex peer, Now now);
  bool gives_to(MemberIndex peer) const;
  void rest(MemberIndex peer, Now now);
  void end_round(MemberIndex peer, Now now);
  void note_equal(const PeerRound& round, uint8_t keyspace, const std::vector<uint32_t>& partitions,
                  const RootFence& fence);
  bool in_haste() const { return wholeness_.lacks_some() || !core_.view->moving.empty(); }

  Core& core_;
  ExchangeAsker asker_;
  Wholeness wholeness_;
  std::vector<PeerRound> rounds_;  // by member
  uint64_t next_number_ = 1;
  uint64_t began_us_ = 0, partitions_done_ = 0, keys_before_ = 0;  // of progress()
};

}  // namespace kvorum::cluster

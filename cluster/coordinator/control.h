// SPDX-License-Identifier: Apache-2.0
// What a node does once and not per reactor: replays hints, compares copies with the other
// primaries, keeps hash trees, speaks in gossip, reaps, expires, moves partitions. One coordinator
// of a node has it (CoordinatorOptions::has_control); the machines that only answer others are each
// coordinator's. Private to cluster/; owned by the coordinator.
#pragma once

#include "cluster/membership/agreement_link.h"
#include "cluster/membership/gossip.h"
#include "cluster/membership/held_copies_link.h"
#include "cluster/membership/history_link.h"
#include "cluster/membership/mover.h"
#include "cluster/repair/anti_entropy.h"
#include "cluster/repair/key_repair.h"
#include "cluster/upkeep/expiry.h"
#include "cluster/upkeep/hint_replay.h"
#include "cluster/upkeep/range_dropper.h"
#include "cluster/upkeep/tree_keeper.h"

namespace kvorum::cluster {

class Control {
 public:
  // Of the coordinator; each answers on every coordinator, and speaks unasked on this one.
  struct Links {
    Gossip& gossip;
    AgreementLink& agreements;
    HistoryLink& histories;
    HeldCopiesLink& held_copies;
  };
  Control(Core& core, const Links& links)
      : hint_replay_(core),
        key_repair_(core),
        anti_entropy_(core, key_repair_),
        tree_keeper_(core, anti_entropy_),
        expiry_(core),
        range_dropper_(core),
        mover_(core),
        links_(links) {}

  Machine& hint_replay() { return hint_replay_; }
  void flush_hints(Now now) { hint_replay_.flush(now); }
  uint64_t hints_in_reach(Now now) const { return hint_replay_.in_reach(now); }
  Machine& key_repair() { return key_repair_; }

  // False where the frame is malformed, or of no type that is an answer of an exchange.
  bool on_message(MemberIndex from, const Frame& frame, Now now) {
    return anti_entropy_.on_message(from, frame, now);
  }
  void on_link(MemberIndex peer, bool up, Now now);
  // A page that anti-entropy or the tree keeper asked for.
  void on_scanned(SlotId operation, const ScanPage& page, Now now);
  void publish(Now now);
  void on_time(Now now);
  uint64_t next_deadline_us() const;

  void repair(const RepairWish& wish, Now now) { anti_entropy_.repair(wish, now); }
  std::vector<ExpiredKey> take_expired(bool wanted) { return expiry_.take_told(wanted); }
  RepairProgress repair_progress() const { return anti_entropy_.progress(); }

 private:
  HintReplay hint_replay_;
  KeyRepair key_repair_;
  AntiEntropy anti_entropy_;
  TreeKeeper tree_keeper_;
  Expiry expiry_;
  RangeDropper range_dropper_;
  Mover mover_;
  const Links links_;
};

}  // namespace kvorum::cluster

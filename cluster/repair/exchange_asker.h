// SPDX-License-Identifier: Apache-2.0
// This node as the one that asks in exchanges of anti-entropy (exchange_server.h answers): compares
// its copy of a partition with a peer's and repairs what differs, in both directions.
//
//   descending the trees (tree_descent.h) --> comparing: digests of the objects in the stretches
//     that differ (differing_keys.h) --> repairing keys (key_repair.h) --> done
//
// A stretch of which this node has nothing is not compared but filled: whole objects come, page
// after page, and are merged at once. So a copy that is new, or lost, is made at the price of a
// copy; where that was interrupted, what came is compared and the rest filled.
//
// Nothing grows with the data: so many messages, ranges and keys at a time. An exchange is clean
// when all that differed was repaired and acknowledged (clean_exchanges.h). Private to cluster/;
// owned by AntiEntropy.
#pragma once

#include <deque>
#include <vector>

#include "base/slot_map.h"
#include "cluster/repair/differing_keys.h"
#include "cluster/repair/key_repair.h"
#include "cluster/repair/tree_descent.h"
#include "cluster/wire/keyspace_messages.h"

namespace kvorum::cluster {

// Told of what becomes of exchanges; may begin others.
class ExchangeSink {
 public:
  virtual ~ExchangeSink() = default;
  // It takes part in takes_another() no more.
  virtual void on_exchange_ended(MemberIndex peer, bool clean, Now now) = 0;
  // It has only keys left to repair, or nothing but its end to tell.
  virtual void on_only_keys_left(MemberIndex peer, Now now) = 0;
};

class ExchangeAsker final : public KeyRepairSink {
 public:
  static constexpr size_t kExchangesPerPeerMax = 64;  // those that only repair keys included
  static constexpr size_t kRangesInFlightMax = 8;     // per exchange
  static constexpr size_t kKeysInFlightMax = 256;     // of a node
  static constexpr size_t kKeysQueuedMax = 4096;      // per exchange: then no new range is compared
  static constexpr size_t kBytesInFlightMax = 4 << 20;
  static constexpr uint64_t kAnswerUs = 5'000'000;
  static constexpr uint64_t kYoungMs = 1000;  // a version may still be on its way
  static constexpr uint64_t kCommitLookUs = 2'000;
  static constexpr uint64_t kLanes = 4;  // stretches of an empty partition, filled side by side
  static constexpr size_t kPageBytes = 128 * 1024;  // that is filled, about

  ExchangeAsker(Core& core, KeyRepair& keys, ExchangeSink& sink);

  // The view has changed: members may have joined.
  void publish() { begun_.resize(core_.view->members.size()); }

  struct Start {
    MemberIndex peer;
    uint8_t keyspace;
    uint32_t partition;
    ExchangeParty own, other;
    int depth;  // of the peer's tree
    RootFence fence = {0, false};
  };
  void begin(const Start& start, Now now);
  // Whether a further exchange with the peer may begin: one at a time is more than keys.
  bool takes_another(MemberIndex peer, Now now);
  // A copy that is not whole is filled from one peer at a time; from others, other partitions are.
  bool fills_from_another(MemberIndex peer, uint8_t keyspace, uint32_t partition);
  // Those that have not ended.
  size_t begun_with(MemberIndex peer) const { return begun_[peer].size(); }
  bool waits_for_budget() const { return budget_at_us_ != 0; }
  // Its link broke: all exchanges with it fail.
  void break_off(MemberIndex peer, Now now);

  // False where the frame is malformed, or of no type that is an answer of an exchange.
  bool on_message(MemberIndex from, const Frame& frame, Now now);
  void on_scanned(SlotId range, const ScanPage& page, Now now);
  void on_key_repaired(SlotId exchange, bool ok, Now now) override;
  void on_time(Now now);
  uint64_t next_deadline_us() const {
    return sooner_of(sooner_of(tick_at_us_, budget_at_us_), commits_at_us_);
  }

 private:
  struct Exchange {
    MemberIndex peer;
    uint8_t keyspace;
    uint32_t partition;
    ExchangeParty own, other;
    RootFence fence;  // what both knew when it began, and whether the peer's copy was whole
    bool own_whole;   // the same of this node's
    TreeDescent descent;
    int peer_depth;  // of its tree: 0 where it has little
    bool nodes_open;
    std::deque<Stretch> stretches;
    size_t ranges_open;
    std::deque<DifferingKey> keys;
    size_t keys_open;
    engine::Ticket ticket;  // of what was filled: the exchange is clean once that is committed
    bool failed;
    bool done_sent;
    uint64_t deadline_us;  // of nodes, or of the answer to done; 0: none is awaited
  };
  struct Range {
    SlotId exchange;
    Stretch stretch;
    RangeObjects own;
    bool reading;  // from the store
    bool fills;    // nothing is here: whole objects were asked for
    uint64_t deadline_us;
  };

  // Does what can be done now. The exchange may be gone afterwards.
  void advance(SlotId id, Now now);
  void fail(Exchange& exchange);
  void tell_done(SlotId id, Exchange& exchange, Now now);
  bool on_done(MemberIndex from, const Frame& frame, Now now);
  void end(SlotId id, Now now);
  bool only_keys_left(const Exchange& exchange) const;

  // ---- trees
  void descend(SlotId id, Exchange& exchange, Now now);
  bool on_nodes(MemberIndex from, const Frame& frame, Now now);
  void compare_nodes(Exchange& exchange, const TreeNodesReply& reply);

  // ---- stretches
  void begin_ranges(SlotId id, Exchange& exchange, Now now);
  void begin_range(SlotId exchange_id, const Stretch& stretch, Now now);
  void ask_range(SlotId id, Range& range, Now now);
  bool on_differences(MemberIndex from, const Frame& frame, Now now);
  bool plan_keys(Exchange& exchange, const Range& range, const RangeDifferences& found);
  void end_range(SlotId id);
  void end_ranges_with(MemberIndex peer);

  // ---- what is filled
  void add_stretch(Exchange& exchange, const Stretch& stretch);
  bool take_values(Exchange& exchange, const RangeDifferences& found, Now now);
  bool take_object(Exchange& exchange, const PageItem& item, Hlc frontier, Now now);
  bool is_committed(const Exchange& exchange) const;
  void look_for_commits(Now now);

  // ---- keys
  void begin_keys(SlotId id, Exchange& exchange, Now now);
  void begin_held_back_keys(Now now);
  size_t keys_in_flight_max() const;

  // ---- pace
  bool may_begin(size_t bytes, Now now);
  void spend_budget(Now now);
  void look_for_silence(Now now);

  Core& core_;
  KeyRepair& keys_;
  ExchangeSink& sink_;
  SlotMap<Exchange> exchanges_;
  SlotMap<Range> ranges_;
  std::vector<std::vector<SlotId>> begun_;  // by member, in the order of their beginning
  size_t keys_in_flight_ = 0;
  bool keys_held_back_ = false;  // some exchange has keys that had to wait for others
  uint64_t budget_at_us_ = 0;    // nothing new before; 0: at any time
  uint64_t commits_at_us_ = 0;   // to look whether what was filled is committed; 0: nothing waits
  uint64_t tick_at_us_ = 0;      // while something is under way: looks for silence
};

}  // namespace kvorum::cluster

// SPDX-License-Identifier: Apache-2.0
// Anti-entropy (paper 4.7): compares this node's copies with those of the other primaries by their
// hash trees, and repairs what differs in both directions. One coordinator of a node asks; all
// answer (exchange_server.h). The work has two levels:
//
//   a round with one peer                           an exchange of one partition within it
//     kIdle --due, or its link came up-->             descending: nodes, level by level, below
//     kOpening: a digest per keyspace -->             those that differ -->
//     kRoots: roots of those that differ -->          comparing: digests of the objects in the
//     kExchanging: partitions that differ,            differing stretches -->
//       one after the other --> kIdle                 repairing keys (key_repair.h) --> done
//
// An exchange that has only keys left to repair makes room for the next one. Between two nodes each
// drives the exchanges of every other partition, unless one of both is not whole: it drives all.
// Nothing grows with the data: so many messages, ranges and keys at a time. An exchange is clean
// when all that differed was repaired and acknowledged (clean_exchanges.h). Private to cluster/;
// owned by the coordinator.
#pragma once

#include <array>
#include <deque>
#include <optional>
#include <vector>

#include "cluster/machine/repair_wish.h"
#include "cluster/repair/key_repair.h"
#include "cluster/repair/range_objects.h"
#include "cluster/repair/tree_keeper.h"
#include "cluster/wire/anti_entropy_messages.h"
#include "cluster/wire/keyspace_messages.h"

namespace kvorum::cluster {

class AntiEntropy final : public KeyRepairSink, public DamageSink {
 public:
  static constexpr size_t kExchangesPerPeerMax = 64;  // those that only repair keys included
  static constexpr size_t kRangesInFlightMax = 8;     // per exchange
  static constexpr size_t kKeysInFlightMax = 256;     // of a node
  static constexpr size_t kKeysQueuedMax = 4096;      // per exchange: then no new range is compared
  static constexpr size_t kBytesInFlightMax = 4 << 20;
  static constexpr uint64_t kAnswerUs = 5'000'000;
  static constexpr uint64_t kYoungMs = 1000;       // a version may still be on its way
  static constexpr uint64_t kGraceUs = 5'000'000;  // for a link to come up, or to come back

  AntiEntropy(Core& core, KeyRepair& keys);

  // The view has changed: members may have joined.
  void publish() { rounds_.resize(core_.view->members.size()); }
  void on_link(MemberIndex peer, bool up, Now now);
  // False where the frame is malformed, or of no type that is an answer of an exchange.
  bool on_message(MemberIndex from, const Frame& frame, Now now);
  void on_scanned(SlotId range, const ScanPage& page, Now now);
  void on_key_repaired(SlotId exchange, bool ok, Now now) override;
  // The copy is not whole until exchanges that begin from now on were clean.
  void on_damage(uint8_t keyspace, uint32_t partition, Now now) override;
  void on_time(Now now);
  uint64_t next_deadline_us() const;

  // Rounds with all peers begin at once, and compare what the wish names whoever drives it.
  void repair(const RepairWish& wish, Now now);
  RepairProgress progress() const;

 private:
  struct Differing {
    uint8_t keyspace;
    uint32_t partition;
    int depth;
  };
  struct Round {
    enum class State : uint8_t { kIdle, kOpening, kRoots, kExchanging };
    State state = State::kIdle;
    uint64_t number = 0;       // echoed in answers
    uint64_t due_us = 0;       // of the next one
    uint64_t deadline_us = 0;  // of the answers that are awaited
    bool all = false;
    bool clean = true;
    std::optional<RepairWish> wish, next_wish;
    ExchangeParty own, peer;
    KeyspaceMask roots_open = 0;  // whose roots are awaited
    // What was compared in each keyspace: what is held may change before the answer comes.
    std::array<std::vector<uint32_t>, kKeyspacesMax> compared;
    std::deque<Differing> differing;
    std::vector<SlotId> exchanges;
    uint64_t rounds = 0;
  };
  struct Stretch {
    uint64_t from, end;
  };
  struct DifferingKey {
    std::string key;
    bool pull;
    uint64_t newest_ms;
  };
  struct Exchange {
    MemberIndex peer;
    uint8_t keyspace;
    uint32_t partition;
    ExchangeParty own, other;
    int depth;  // that both trees have
    int level;
    bool nodes_open;
    std::deque<uint64_t> parents;  // of `level`, to be asked about
    std::vector<uint64_t> asked, children;
    std::deque<Stretch> stretches;
    size_t ranges_open;
    std::deque<DifferingKey> keys;
    size_t keys_open;
    bool failed;
    bool done_sent;
    uint64_t deadline_us;  // of nodes, or of the answer to done; 0: none is awaited
  };
  struct Range {
    SlotId exchange;
    Stretch stretch;
    RangeObjects own;
    bool reading;  // from the store
    uint64_t deadline_us;
  };

  bool enabled() const;
  // Counts the bytes that fn appends for a peer.
  void ask(MemberIndex peer, FunctionRef<void(std::string& batch)> fn);
  bool may_begin(size_t bytes, Now now);
  size_t keys_in_flight_max() const;
  void fail(Exchange& exchange);
  void end_ranges_of(MemberIndex peer);
  void look_for_silence(Now now);
  void spend_budget(Now now);

  // anti_entropy_round.cc
  void begin_round(MemberIndex peer, Now now);
  bool on_opened(MemberIndex from, const Frame& frame, Now now);
  void ask_roots(MemberIndex peer, uint8_t keyspace);
  bool on_roots(MemberIndex from, const Frame& frame, Now now);
  void advance_round(MemberIndex peer, Now now);
  void end_round(MemberIndex peer, Now now);
  void note_clean(uint8_t keyspace, const std::vector<uint32_t>& partitions,
                  const ExchangeParty& own, const ExchangeParty& peer);
  bool wished(const Round& round, uint8_t keyspace, uint32_t partition) const;
  std::vector<uint32_t> driven_partitions(const Round& round, MemberIndex peer,
                                          uint8_t keyspace) const;
  void look_at_wholeness(Now now);
  bool may_be_whole(uint8_t keyspace, uint32_t partition, Now now) const;
  bool former_exchanged(uint8_t keyspace, uint32_t partition) const;
  bool has_exchanged(uint8_t keyspace, uint32_t partition, MemberIndex with) const;
  bool is_away(MemberIndex primary, Now now) const;

  // anti_entropy_exchange.cc
  void begin_exchange(MemberIndex peer, const Differing& differing, Now now);
  void restart_at(Exchange& exchange, int depth);
  void advance(SlotId id, Now now);
  void descend(SlotId id, Exchange& exchange, Now now);
  void add_stretches(Exchange& exchange);
  bool on_nodes(MemberIndex from, const Frame& frame, Now now);
  void compare_nodes(Exchange& exchange, const TreeNodesReply& reply);
  bool on_done(MemberIndex from, const Frame& frame, Now now);
  void end_exchange(SlotId id, Now now);
  bool only_keys_left(const Exchange& exchange) const;

  // anti_entropy_range.cc
  void begin_ranges(SlotId id, Exchange& exchange, Now now);
  void begin_range(SlotId exchange_id, const Stretch& stretch, Now now);
  void ask_range(SlotId id, Range& range, Now now);
  bool on_differences(MemberIndex from, const Frame& frame, Now now);
  bool plan_keys(Exchange& exchange, const Range& range, const RangeDifferences& found);
  void plan_key(Exchange& exchange, const RangeObject* own, const ScanItem* theirs);
  void begin_keys(SlotId id, Exchange& exchange, Now now);
  void begin_held_back_keys(Now now);
  void end_range(SlotId id);

  Core& core_;
  KeyRepair& keys_;
  std::vector<Round> rounds_;  // by member
  SlotMap<Exchange> exchanges_;
  SlotMap<Range> ranges_;
  size_t keys_in_flight_ = 0;
  bool keys_held_back_ = false;  // some exchange has keys that had to wait for others
  uint64_t next_number_ = 1;
  uint64_t budget_at_us_ = 0;  // nothing new before; 0: at any time
  uint64_t grace_until_us_ = 0;
  Hlc damaged_at_;                // copies that are not whole need exchanges that began later
  uint64_t wholeness_at_us_ = 0;  // to be looked at; 0: as soon as a copy is not whole
  uint64_t tick_at_us_ = 0;       // while something is under way: looks for silence
  uint64_t began_us_ = 0, partitions_done_ = 0, keys_before_ = 0;
};

}  // namespace kvorum::cluster

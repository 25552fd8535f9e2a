// SPDX-License-Identifier: Apache-2.0
// The round of anti-entropy with one peer, from its opening to the last partition that differs, and
// when the next one is due. A value: AntiEntropy sends its questions and begins its exchanges.
// Private to the anti-entropy machines.
//
//   kIdle --open()--> kOpening --await_roots()--> kRoots --take_roots()--> kExchanging --> kIdle
#pragma once

#include <array>
#include <deque>
#include <optional>
#include <vector>

#include "base/position.h"
#include "base/time.h"
#include "cluster/repair/repair_wish.h"
#include "cluster/ring/member.h"
#include "cluster/wire/anti_entropy_messages.h"

namespace kvorum::cluster {

// A partition whose roots differ, and how deep the peer's tree of it is.
struct DifferingPartition {
  uint8_t keyspace;
  uint32_t partition;
  int depth;
  RootFence fence = {0, false};  // what both knew, and whether the peer's copy was whole
  bool operator==(const DifferingPartition&) const = default;
};

struct PeerRound {
  static constexpr uint64_t kAllEveryRounds = 8;  // then also those that the peer drives
  static constexpr uint64_t kAfterFailureUs = 1'000'000;
  static constexpr uint64_t kNotWholeUs = 300'000;

  enum class State : uint8_t { kIdle, kOpening, kRoots, kExchanging };
  State state = State::kIdle;
  uint64_t number = 0;       // echoed in answers
  uint64_t due_us = 0;       // of the next one
  uint64_t deadline_us = 0;  // of the answers that are awaited
  bool all = false;          // compares what the peer drives, too
  bool clean = true;         // so far
  std::optional<RepairWish> wish, next_wish;
  ExchangeParty own, peer;
  KeyspaceMask roots_open = 0;  // whose roots are awaited
  // What was compared in each keyspace: what is held may change before the answer comes.
  std::array<std::vector<uint32_t>, kKeyspacesMax> compared;
  std::array<std::vector<uint32_t>, kKeyspacesMax> moving;  // moving_partitions()
  // Of each of `compared`, as its roots were asked for; or none.
  std::array<std::vector<RootFence>, kKeyspacesMax> fences;
  std::deque<DifferingPartition> differing;  // whose exchanges are not begun
  uint64_t rounds = 0;

  // An operator's wish is being granted, or will be.
  bool has_wish() const { return next_wish || (state != State::kIdle && wish); }
  bool awaits_answer() const { return state == State::kOpening || state == State::kRoots; }
  bool is_due(Now now) const {
    return state == State::kIdle && due_us != 0 && now.steady_us >= due_us;
  }
  bool is_silent(Now now) const { return awaits_answer() && now.steady_us >= deadline_us; }
  // Of the state it is in; 0: none.
  uint64_t next_deadline_us() const {
    return state == State::kIdle ? due_us : awaits_answer() ? deadline_us : 0;
  }

  void open(uint64_t next_number, const ExchangeParty& self, uint64_t silent_at_us);
  // Its link broke.
  void break_off();
  // Of what was compared in a keyspace whose digests differ, that which this node drives: what is
  // left to compare by its roots. Both members are this node and the peer.
  const std::vector<uint32_t>& keep_driven(uint8_t keyspace, MemberIndex self, MemberIndex other);
  // Adds the moving ones to what is compared by roots.
  const std::vector<uint32_t>& add_moving(uint8_t keyspace);
  void await_roots(uint8_t keyspace);
  bool awaits_roots(uint8_t keyspace) const;
  // Notes which of the partitions differ, where the wish names them; returns those that are equal,
  // with what both knew of them. REQUIRES: awaits_roots().
  struct EqualPartition {
    uint32_t partition;
    RootFence fence;
  };
  std::vector<EqualPartition> take_roots(uint8_t keyspace, const PartitionRootsReply& reply);
  // After its end, about: so long until the next one.
  uint64_t pause_us(uint64_t interval_us, bool in_haste) const;
};

}  // namespace kvorum::cluster

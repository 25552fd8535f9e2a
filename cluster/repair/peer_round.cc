// SPDX-License-Identifier: Apache-2.0
#include "cluster/repair/peer_round.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "cluster/repair/range_objects.h"

namespace kvorum::cluster {
namespace {

bool names(const std::optional<RepairWish>& wish, uint8_t keyspace, uint32_t partition) {
  if (!wish) return true;
  return (wish->keyspace < 0 || wish->keyspace == keyspace) &&
         (wish->partition < 0 || wish->partition == partition);
}

}  // namespace

void PeerRound::open(uint64_t next_number, const ExchangeParty& self, uint64_t silent_at_us) {
  KVORUM_CHECK(state == State::kIdle);
  state = State::kOpening;
  number = next_number;
  deadline_us = silent_at_us;
  clean = true;
  wish = std::exchange(next_wish, std::nullopt);
  all = wish.has_value() || ++rounds % kAllEveryRounds == 0;
  own = self;
  roots_open = 0;
  differing.clear();
}

void PeerRound::break_off() {
  due_us = 0;
  state = State::kIdle;
  differing.clear();
}

const std::vector<uint32_t>& PeerRound::keep_driven(uint8_t keyspace, MemberIndex self,
                                                    MemberIndex other) {
  std::vector<uint32_t>& partitions = compared[keyspace];
  if (all) return partitions;
  if (own.whole != peer.whole) {
    if (own.whole) partitions.clear();
    return partitions;
  }
  std::erase_if(partitions, [&](uint32_t partition) { return !drives(self, other, partition); });
  return partitions;
}

void PeerRound::await_roots(uint8_t keyspace) {
  KVORUM_CHECK(keyspace < kKeyspacesMax && !compared[keyspace].empty());
  roots_open = static_cast<KeyspaceMask>(roots_open | mask_of(keyspace));
}

bool PeerRound::awaits_roots(uint8_t keyspace) const {
  return state == State::kRoots && keyspace < kKeyspacesMax &&
         (roots_open & mask_of(keyspace)) != 0;
}

std::vector<uint32_t> PeerRound::take_roots(uint8_t keyspace, const PartitionRootsReply& reply) {
  KVORUM_CHECK(awaits_roots(keyspace));
  roots_open = static_cast<KeyspaceMask>(roots_open & ~mask_of(keyspace));
  peer.clock = reply.peer.clock;
  if (reply.peer.run != peer.run) clean = false;
  std::vector<uint32_t> equal;
  auto named = reply.differing.begin();
  for (const uint32_t partition : compared[keyspace]) {
    while (named != reply.differing.end() && named->first < partition) ++named;
    if (named == reply.differing.end() || named->first != partition) {
      equal.push_back(partition);
    } else if (names(wish, keyspace, partition)) {
      differing.push_back({keyspace, partition, named->second});
    }
  }
  return equal;
}

uint64_t PeerRound::pause_us(uint64_t interval_us, bool copies_are_missing) const {
  if (next_wish) return 0;
  uint64_t pause = interval_us;
  if (!clean) pause = std::min(pause, kAfterFailureUs);
  if (copies_are_missing) pause = std::min(pause, kNotWholeUs);
  return pause;
}

}  // namespace kvorum::cluster

// SPDX-License-Identifier: Apache-2.0
#include "cluster/repair/peer_round.h"

#include <algorithm>
#include <iterator>
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

const std::vector<uint32_t>& PeerRound::add_moving(uint8_t keyspace) {
  std::vector<uint32_t>& partitions = compared[keyspace];
  std::vector<uint32_t> both;
  std::set_union(partitions.begin(), partitions.end(), moving[keyspace].begin(),
                 moving[keyspace].end(), std::back_inserter(both));
  return partitions = std::move(both);
}

std::vector<PeerRound::EqualPartition> PeerRound::take_roots(uint8_t keyspace,
                                                             const PartitionRootsReply& reply) {
  KVORUM_CHECK(awaits_roots(keyspace));
  roots_open = static_cast<KeyspaceMask>(roots_open & ~mask_of(keyspace));
  peer.clock = reply.peer.clock;
  if (reply.peer.run != peer.run) clean = false;
  const std::vector<uint32_t>& partitions = compared[keyspace];
  const bool fenced = fences[keyspace].size() == partitions.size();
  const auto lists = [](const std::vector<uint32_t>& list, uint32_t partition) {
    return std::binary_search(list.begin(), list.end(), partition);
  };
  std::vector<EqualPartition> equal;
  auto named = reply.differing.begin();
  for (size_t at = 0; at < partitions.size(); ++at) {
    const uint32_t partition = partitions[at];
    while (named != reply.differing.end() && named->first < partition) ++named;
    const bool differs = named != reply.differing.end() && named->first == partition;
    if (lists(reply.apart, partition)) continue;
    const RootFence fence{fenced ? fences[keyspace][at].signature : 0,
                          !lists(reply.lacking, partition)};
    if (!differs) {
      equal.push_back({partition, fence});
    } else if (names(wish, keyspace, partition)) {
      differing.push_back({keyspace, partition, named->second, fence});
    }
  }
  return equal;
}

uint64_t PeerRound::pause_us(uint64_t interval_us, bool in_haste) const {
  if (next_wish) return 0;
  uint64_t pause = interval_us;
  if (!clean) pause = std::min(pause, kAfterFailureUs);
  if (in_haste) pause = std::min(pause, kNotWholeUs);
  return pause;
}

}  // namespace kvorum::cluster

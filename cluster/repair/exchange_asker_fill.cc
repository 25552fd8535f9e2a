// SPDX-License-Identifier: Apache-2.0
// The stretches of an exchange of which this node has nothing: whole objects, page after page.
#include <algorithm>

#include "base/packed.h"
#include "cluster/repair/exchange_asker.h"

namespace kvorum::cluster {

bool ExchangeAsker::fills_from_another(MemberIndex peer, uint8_t keyspace, uint32_t partition) {
  if (core_.parts.is_whole(keyspace, partition)) return false;
  bool found = false;
  exchanges_.for_each([&](SlotId, const Exchange& exchange) {
    found |= exchange.peer != peer && exchange.keyspace == keyspace &&
             exchange.partition == partition && !exchange.done_sent;
  });
  return found;
}

// What is empty is asked for in several places at once: the peer reads while this node merges.
void ExchangeAsker::add_stretch(Exchange& exchange, const Stretch& stretch) {
  const Ring& ring = core_.view->ring;
  const bool empty = core_.parts.table->record_count(exchange.keyspace, exchange.partition) == 0;
  const uint64_t end = stretch.end != 0 ? stretch.end : ring.end_of(exchange.partition).high;
  const uint64_t step = (end - stretch.from) / kLanes;  // the last end wraps around to zero
  if (!empty || exchange.peer_depth == 0 || step == 0) return exchange.stretches.push_back(stretch);
  for (uint64_t lane = 0; lane < kLanes; ++lane) {
    const bool last = lane + 1 == kLanes;
    exchange.stretches.push_back(
        {stretch.from + lane * step, last ? stretch.end : stretch.from + (lane + 1) * step});
  }
}

bool ExchangeAsker::take_values(Exchange& exchange, const RangeDifferences& found, Now now) {
  if (found.values.empty()) return true;  // all of it came without values, and is pulled
  std::string bytes;
  std::vector<PageItem> items;
  if (!unpack(found.values, kPageValuesMax, bytes)) return false;
  if (!parse_page_items(bytes, &items)) return false;
  core_.counters.filled_bytes += bytes.size();
  return std::all_of(items.begin(), items.end(), [&](const PageItem& item) {
    return take_object(exchange, item, found.frontier, now);
  });
}

// What cannot be merged at once, or what the peer lacks since, is repaired as any other key.
bool ExchangeAsker::take_object(Exchange& exchange, const PageItem& item, Hlc frontier, Now now) {
  Object theirs;
  if (!decode_object(item.object, theirs)) return false;
  const KeyRef key{item.key, position_of(item.key, core_.view->partitioner), exchange.keyspace};
  if (core_.partition_for(key) != exchange.partition) return false;
  const OwnCopies::Taken taken = core_.own.take_in(key, theirs, frontier, now);
  const bool done = taken.result.access == engine::Access::kDone;
  const bool filled = done && taken.grown;
  core_.counters.keys_pulled += filled;
  core_.counters.keys_filled += filled;
  exchange.ticket = std::max(exchange.ticket, taken.result.ticket);
  if (!done || taken.differs) exchange.keys.push_back({std::string(item.key), true, 0});
  return true;
}

bool ExchangeAsker::is_committed(const Exchange& exchange) const {
  return exchange.ticket <= core_.parts.table->commits().committed();
}

void ExchangeAsker::look_for_commits(Now now) {
  commits_at_us_ = 0;
  std::vector<SlotId> waiting;
  exchanges_.for_each([&](SlotId id, const Exchange& exchange) {
    const bool waits = exchange.ticket > 0 && only_keys_left(exchange) && !exchange.done_sent;
    if (waits) waiting.push_back(id);
  });
  const bool failed = core_.parts.table->store_health().failed();
  for (const SlotId id : waiting) {
    if (failed) fail(*exchanges_.find(id));
    advance(id, now);
  }
}

}  // namespace kvorum::cluster

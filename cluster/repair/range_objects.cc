// SPDX-License-Identifier: Apache-2.0
#include "cluster/repair/range_objects.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/check.h"
#include "base/contains.h"
#include "base/hash.h"
#include "cluster/wire/keyspace_messages.h"

namespace kvorum::cluster {

std::optional<RangeObjects> read_range(const Core& core, const RangeLoad& range) {
  const ScanPage page = read_resident_page(core.parts, range);
  if (page.access == engine::Access::kNotResident) return std::nullopt;
  return range_objects_of(core, range.keyspace, page);
}

RangeObjects range_objects_of(const Core& core, uint8_t keyspace, const ScanPage& page) {
  RangeObjects range;
  std::vector<PageItem> items;
  range.refused = page.access != engine::Access::kDone || !parse_page_items(page.items, &items);
  if (range.refused) return range;
  range.end = page.done ? 0 : page.next.high;
  range.values = page.values;
  range.whole = page.whole;
  range.objects.reserve(items.size());
  Object object;
  for (const PageItem& item : items) {
    const bool decoded = decode_object(item.object, object);
    KVORUM_CHECK(decoded);
    KVORUM_CHECK(range.objects.empty() || range.objects.back().high <= item.high);
    RangeObject& one = range.objects.emplace_back();
    one.key = item.key;
    one.high = item.high;
    one.stripped = item.object;
    one.digest = leaf_digest({item.key, {item.high, 0}, keyspace}, object, core.parts.digest_seed);
    for (const Version& version : object.versions) {
      one.newest_ms = std::max(one.newest_ms, version.dot.hlc.ms());
    }
  }
  return range;
}

std::vector<uint32_t> shared_partitions(const Core& core, uint8_t keyspace, MemberIndex peer) {
  const ClusterView& view = *core.view;
  KVORUM_CHECK(view.is_member() && peer != core.self());
  const auto former = core.parts.is_moving() ? core.parts.former->list() : nullptr;
  std::vector<uint32_t> shared;
  const size_t n = view.quorum(keyspace).n;
  for (uint32_t partition = 0; partition < view.ring.partitions(); ++partition) {
    const std::span<const MemberIndex> primaries = view.ring.primaries(partition, n);
    bool both = contains(primaries, core.self()) && contains(primaries, peer) &&
                view.find_moving(partition) == nullptr;
    if (!both && former) {
      const Holders holders = holders_of(view, *former, keyspace, partition);
      both = contains(holders, core.self()) && contains(holders, peer);
    }
    if (both) shared.push_back(partition);
  }
  return shared;
}

std::vector<uint32_t> moving_partitions(const Core& core, uint8_t keyspace, MemberIndex peer) {
  const ClusterView& view = *core.view;
  std::vector<uint32_t> moving;
  if (!view.is_changed()) return moving;
  for (uint32_t partition = 0; partition < view.ring.partitions(); ++partition) {
    if (!view.is_owner(peer, keyspace, partition)) continue;
    const bool both = view.is_owner(core.self(), keyspace, partition);
    const bool hands_over = !both && core.parts.table->record_count(keyspace, partition) > 0;
    if (hands_over || (both && view.find_moving(partition) != nullptr)) moving.push_back(partition);
  }
  return moving;
}

RootFence fence_of(const Core& core, uint8_t keyspace, uint32_t partition) {
  if (!core.view->is_changed()) return {};
  const bool known = core.parts.history == nullptr || core.parts.history->is_adopted(*core.view);
  return {known ? core.view->signature(partition) : 0, core.parts.is_whole(keyspace, partition)};
}

bool drives(MemberIndex a, MemberIndex b, uint32_t partition) {
  KVORUM_CHECK(a != b);
  return ((uint32_t{a} + b + partition) % 2 == 0) == (a < b);
}

uint64_t roots_digest(const Core& core, uint8_t keyspace, const std::vector<uint32_t>& partitions) {
  std::string roots;
  for (const uint32_t partition : partitions) {
    put_u32(roots, partition);
    put_u64(roots, core.parts.table->digest(keyspace, partition));
    if (core.view->is_changed()) put_u64(roots, core.view->signature(partition));
  }
  return hash_seeded(roots, core.parts.digest_seed);
}

ExchangeParty party_of(const Core& core, Now now) {
  const bool whole = core.parts.whole == nullptr || core.parts.whole->missing() == 0;
  return {core.self_id(), core.parts.current_incarnation(), core.parts.clock->reading(now.wall_ms),
          whole};
}

CleanExchange clean_exchange(const ExchangeParty& own, const ExchangeParty& other,
                             const RootFence& fence) {
  return {other.node, own.run, other.run, own.clock, fence.signature, fence.whole};
}

void send_counted(Core& core, LinkIndex to, FunctionRef<void(std::string& batch)> fn) {
  std::string& batch = core.outbox.frames(to);
  const size_t before = batch.size();
  fn(batch);
  core.counters.exchange_bytes += batch.size() - before;
}

}  // namespace kvorum::cluster

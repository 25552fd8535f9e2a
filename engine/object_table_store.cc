// SPDX-License-Identifier: Apache-2.0
// Reading the store beneath an ObjectTable: warm() at the start, load() of one object, and scans
// of partitions that are not all in memory. These block on I/O, with no lock held.
#include <algorithm>
#include <map>
#include <optional>

#include "base/check.h"
#include "engine/object_table.h"
#include "engine/object_table_impl.h"
#include "engine/tree_planting.h"

namespace kvorum::engine {
namespace {

constexpr int kAttemptsMax = 100;  // each lost to an eviction in the partition at that moment
constexpr size_t kLongBucketStretch = 64;
constexpr size_t kTreeStretch = 256;  // objects read for a tree at a time

std::string store_bound(uint8_t keyspace, uint64_t position_high) {
  return store_key({{}, {position_high, 0}, keyspace});
}

Status busy() { return {Code::kUnavailable, "the partition is being evicted too fast to be read"}; }

}  // namespace

Status ObjectTable::warm() {
  KVORUM_CHECK(impl_->shared.options.store != nullptr);
  const TableOptions& options = impl_->shared.options;
  KeptTrees kept;
  if (options.keeps_trees) {
    if (Status status = kept.read(*options.store); !status.ok()) return status;
  }
  impl_->kept.begin = kept.tail_begin;
  impl_->kept.end = kept.tail_end;
  impl_->kept.complete = kept.complete;
  std::string head;
  TreePlanting planting(kept);
  const auto visit = [&](std::string_view bytes, std::string_view value) {
    KeyRef key;
    RecordChange facts;
    head.clear();
    bool good = parse_store_key(bytes, &key);
    good = good && position_of(key.key, options.partitioner).high == key.position.high;
    good = good && options.codec->from_portable(key, value, head, &facts);
    if (!good) {
      impl_->damaged.fetch_add(1, std::memory_order_relaxed);
      return true;
    }
    PartitionTable& table = impl_->get(key);
    planting.see(table, table.place_of(key).place, facts.digest_change);
    const std::lock_guard guard(table.lock());
    facts.head = head;
    table.warm(key, facts, !facts.live || !impl_->shared.over_memory());
    return true;
  };
  Status status = options.store->scan({}, std::string(1, kFactPrefix), visit);
  planting.plant();
  impl_->plant_empty(kept, planting);
  if (status.ok()) impl_->shared.warmed.store(true, std::memory_order_release);
  return status;
}

Status ObjectTable::load(const KeyRef& key) {
  KVORUM_CHECK(impl_->shared.options.store != nullptr);
  PartitionTable& table = impl_->get(key);
  const KeyPlace at = table.place_of(key);
  std::string value, head;
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    uint64_t departures;
    {
      const std::lock_guard guard(table.lock());
      if (table.find(at) != nullptr || table.complete()) return {};
      departures = table.departures();
    }
    const Status status = impl_->seen(impl_->shared.options.store->read(store_key(key), &value));
    if (!status.ok() && status.code() != Code::kNotFound) return status;
    const SharedBytes read = share(std::exchange(value, {}));
    RecordChange found;
    head.clear();
    if (status.ok() && !impl_->shared.options.codec->from_portable(key, *read, head, &found)) {
      return impl_->lose(table, key);
    }
    found.head = head;
    found.owner = &read;
    PartitionTable::Outcome outcome;
    {
      const std::lock_guard guard(table.lock());
      // What was read may be older than a version that came and was evicted since.
      if (departures != table.departures()) continue;
      table.install(key, status.ok() ? &found : nullptr);
    }
    impl_->after_update(outcome);
    return {};
  }
  return busy();
}

Status ObjectTable::Impl::seen(Status status) {
  if (status.code() == Code::kCorruption) {
    faults.damage.fetch_add(1, std::memory_order_relaxed);
    if (listener == nullptr) return status;
    store_damaged.store(true);
    call_dirty_callback();
  } else if (status.code() == Code::kIoError) {
    faults.reads.fetch_add(1, std::memory_order_relaxed);
  }
  return status;
}

// The bytes passed their checksum and are no object: no salvage would mend that.
Status ObjectTable::Impl::lose(PartitionTable& table, const KeyRef& key) {
  faults.damage.fetch_add(1, std::memory_order_relaxed);
  if (listener == nullptr) return {Code::kCorruption, "an object in the store is damaged"};
  listener->on_loss(key.keyspace, partition_of(key.position, shared.options.partition_bits));
  PartitionTable::Outcome outcome;
  {
    const std::lock_guard guard(table.lock());
    table.distrust();
    outcome = table.forget(key);
  }
  after_update(outcome);
  return {};
}

// A stretch of a partition as the store has it, corrected by what the table has.
struct ObjectTable::Impl::StoreScan {
  PartitionTable& table;
  ScanRange range;
  struct Stored {
    std::string bytes;  // of the head alone, where the body stands apart
    SharedView body;

    RecordView view() const { return {bytes, body.empty() ? nullptr : &body}; }
    bool operator==(const Stored& other) const {
      return bytes == other.bytes && body.bytes == other.body.bytes;
    }
  };
  static Stored stored(std::string_view head, std::string_view body);
  static Stored stored(const RecordView& record);
  struct Found {
    std::optional<Stored> record;  // none where it was erased
    bool live = false;
    bool expires = false;
  };
  std::map<std::pair<uint64_t, std::string>, Found> records;  // by position and key
  std::optional<uint64_t> next;  // the position after the stretch, if not the partition's end

  Status read_store(Impl& impl);
  // With `rewrites`: has written what the store does not have, or not like this. Returns whether
  // nothing was dirty before.
  bool overlay(bool rewrites);
};

ObjectTable::Impl::StoreScan::Stored ObjectTable::Impl::StoreScan::stored(std::string_view head,
                                                                          std::string_view body) {
  Stored record{std::string(head), {}};
  if (body.size() < kSharedBytesMin) {
    record.bytes.append(body);
  } else {
    record.body.owner = share(std::string(body));
    record.body.bytes = *record.body.owner;
  }
  return record;
}

ObjectTable::Impl::StoreScan::Stored ObjectTable::Impl::StoreScan::stored(
    const RecordView& record) {
  return {std::string(record.bytes), record.body == nullptr ? SharedView{} : *record.body};
}

Status ObjectTable::Impl::StoreScan::read_store(Impl& impl) {
  const bool last = range.partition + 1 == uint32_t{1} << impl.shared.options.partition_bits;
  std::string end = store_bound(range.keyspace, range.end);
  if (range.end == 0) {
    end = last ? std::string(1, static_cast<char>(range.keyspace + 1))
               : store_bound(range.keyspace, table.position_of_place(0) + table.partition_width());
  }
  std::string head;
  uint64_t position = 0;
  return impl.seen(impl.shared.options.store->scan(
      store_bound(range.keyspace, range.from.high), end,
      [&](std::string_view bytes, std::string_view value) {
        KeyRef key;
        RecordChange facts;
        head.clear();
        if (!parse_store_key(bytes, &key) ||
            !impl.shared.options.codec->from_portable(key, value, head, &facts)) {
          return true;  // warm() has counted it
        }
        if (records.size() >= range.count_min && !records.empty() &&
            key.position.high != position) {
          next = key.position.high;
          return false;
        }
        position = key.position.high;
        records.emplace(std::pair{position, std::string(key.key)},
                        Found{stored(head, facts.body), facts.live, facts.deadline_ms != 0});
        return true;
      }));
}

bool ObjectTable::Impl::StoreScan::overlay(bool rewrites) {
  bool turned_dirty = false;
  std::vector<Entry*> entries;
  uint64_t place = table.place_of({{}, {range.from.high, 0}, range.keyspace}).place;
  const uint64_t end = next ? *next : range.end;  // 0: the partition's
  while (place < BucketIndex::kPlacesEnd && (end == 0 || table.position_of_place(place) < end)) {
    entries.clear();
    place = table.index().collect_bucket(static_cast<uint32_t>(place), kLongBucketStretch, entries);
    for (Entry* entry : entries) {
      const KeyRef key = table.key_of(*entry);
      if (key.position.high < range.from.high || (end != 0 && key.position.high >= end)) continue;
      Found& found = records[{key.position.high, std::string(key.key)}];
      std::optional<Stored> record;
      if (!entry->has(Entry::kAbsent)) record = stored(entry->record());
      if (rewrites && record != found.record) turned_dirty |= table.rewrite(entry);
      found = {std::move(record), entry->has(Entry::kLive), entry->has(Entry::kDeadline)};
    }
  }
  return turned_dirty;
}

Result<bool> ObjectTable::Impl::scan_stretch(StoreScan& scan) {
  uint64_t departures;
  {
    const std::lock_guard guard(scan.table.lock());
    departures = scan.table.departures();
  }
  Status status = scan.read_store(*this);
  if (!status.ok()) return status;
  const std::lock_guard guard(scan.table.lock());
  if (departures != scan.table.departures()) return false;
  scan.overlay(false);
  return true;
}

Result<ScanEnd> ObjectTable::scan_store(const ScanRange& range,
                                        FunctionRef<void(const ScanItem&)> fn) const {
  PartitionTable& table = impl_->get(range.keyspace, range.partition);
  if (partition_of(range.from, partition_bits()) > range.partition) return ScanEnd{};
  ScanRange rest = range;
  rest.from.high = std::max(range.from.high, table.position_of_place(0));
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    const ScanEnd resident = scan(rest, fn);
    if (resident.access == Access::kDone) return resident;
    Impl::StoreScan stretch{table, rest, {}, {}};
    const Result<bool> taken = impl_->scan_stretch(stretch);
    if (!taken.ok()) return taken.status();
    if (!taken.value()) continue;
    for (const auto& [place, found] : stretch.records) {
      if (!found.record) continue;
      const Position position = position_of(place.second, impl_->shared.options.partitioner);
      fn({{place.second, position, range.keyspace}, found.record->view()});
    }
    return ScanEnd{Access::kDone, !stretch.next, {stretch.next.value_or(0), 0}};
  }
  return busy();
}

std::vector<PartitionTable::TreeItem> ObjectTable::Impl::tree_items(const StoreScan& stretch) {
  std::vector<PartitionTable::TreeItem> items;
  for (const auto& [place, found] : stretch.records) {
    if (!found.record || (stretch.next && place.first >= *stretch.next)) continue;
    const KeyRef key{place.second, {place.first, 0}, stretch.range.keyspace};
    items.push_back({stretch.table.place_of(key).place, found.live, found.expires,
                     shared.options.codec->digest(key, found.record->view())});
  }
  return items;
}

// The stretch ends where a place does: ties of a place are never split.
Result<TreeBuild> ObjectTable::build_tree_from_store(uint8_t keyspace, uint32_t partition) {
  PartitionTable& table = impl_->get(keyspace, partition);
  size_t count_min = kTreeStretch;
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    uint64_t departures, frontier;
    {
      const std::lock_guard guard(table.lock());
      departures = table.departures();
      frontier = table.tree_frontier();
    }
    const Position from{table.position_of_place(frontier), 0};
    Impl::StoreScan stretch{table, {keyspace, partition, from, count_min}, {}, {}};
    if (Status status = stretch.read_store(*impl_); !status.ok()) return status;
    bool turned_dirty = false;
    std::optional<TreeBuild> built;
    {
      const std::lock_guard guard(table.lock());
      if (departures != table.departures()) continue;
      uint64_t end = HashTree::kPlacesEnd;
      if (stretch.next) {
        end = table.place_of({{}, {*stretch.next, 0}, keyspace}).place;
        count_min *= 2;
        if (end == frontier) continue;
        stretch.next = table.position_of_place(end);
      }
      turned_dirty = stretch.overlay(table.distrusted());
      built = table.build_tree(impl_->tree_items(stretch), end);
    }
    if (turned_dirty) impl_->call_dirty_callback();
    return *built;
  }
  return busy();
}

uint64_t ObjectTable::damaged_count() const {
  return impl_->damaged.load(std::memory_order_relaxed);
}

}  // namespace kvorum::engine

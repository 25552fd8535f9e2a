// SPDX-License-Identifier: Apache-2.0
// Scans of partitions that are not all in memory: the store, corrected by what the table has. Of a
// body that is in a file nothing is read. These block on I/O, with no lock held.
#include <algorithm>
#include <map>
#include <optional>

#include "engine/table/object_table.h"
#include "engine/table/object_table_impl.h"

namespace kvorum::engine {
namespace {

constexpr size_t kLongBucketStretch = 64;
constexpr size_t kTreeStretch = 256;  // objects read for a tree at a time

std::string store_bound(uint8_t keyspace, uint64_t position_high) {
  return store_key({{}, {position_high, 0}, keyspace});
}

}  // namespace

// A stretch of a partition as the store has it, corrected by what the table has.
struct ObjectTable::Impl::StoreScan {
  PartitionTable& table;
  ScanRange range;
  struct Stored {
    std::string bytes;  // of the head alone, where the body stands apart
    SharedView body{};  // of one that is in a file only where it is in memory
    FileReference file{};

    RecordView view() const { return {bytes, body.empty() ? nullptr : &body}; }
    // Nothing is in two files.
    bool operator==(const Stored& other) const {
      if (bytes != other.bytes || !(file == other.file)) return false;
      return file.exists() || body.bytes == other.body.bytes;
    }
  };
  static Stored stored(std::string_view head, const RecordChange& facts);
  static Stored stored(const Entry& entry);
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

ObjectTable::Impl::StoreScan::Stored ObjectTable::Impl::StoreScan::stored(
    std::string_view head, const RecordChange& facts) {
  Stored record{.bytes = std::string(head), .file = facts.file};
  if (facts.body.size() < kSharedBytesMin) {
    record.bytes.append(facts.body);
  } else {
    record.body.owner = share(std::string(facts.body));
    record.body.bytes = *record.body.owner;
  }
  return record;
}

ObjectTable::Impl::StoreScan::Stored ObjectTable::Impl::StoreScan::stored(const Entry& entry) {
  const RecordView record = entry.record();
  return {std::string(record.bytes), record.body == nullptr ? SharedView{} : *record.body,
          entry.file()};
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
        if (!parse_store_key(bytes, &key) || !impl.decode_stored(key, value, head, &facts)) {
          return true;  // warm() has counted it
        }
        if (records.size() >= range.count_min && !records.empty() &&
            key.position.high != position) {
          next = key.position.high;
          return false;
        }
        position = key.position.high;
        records.emplace(std::pair{position, std::string(key.key)},
                        Found{stored(head, facts), facts.live, facts.deadline_ms != 0});
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
      if (!entry->has(Entry::kAbsent)) record = stored(*entry);
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
  for (int attempt = 0; attempt < Impl::kAttemptsMax; ++attempt) {
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
  return Impl::busy();
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
  for (int attempt = 0; attempt < Impl::kAttemptsMax; ++attempt) {
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
  return Impl::busy();
}

}  // namespace kvorum::engine

// SPDX-License-Identifier: Apache-2.0
#include "engine/table/store_scan.h"

#include "base/check.h"
#include "engine/partition/record_codec.h"
#include "engine/store/store.h"
#include "engine/table/stored_record.h"

namespace kvorum::engine {
namespace {

std::string store_bound(uint8_t keyspace, uint64_t position_high) {
  return store_key({{}, {position_high, 0}, keyspace});
}

StoreScan::Stored stored_of(const RecordChange& facts) {
  StoreScan::Stored record{.bytes = std::string(facts.head), .file = facts.file};
  if (facts.body.size() < kSharedBytesMin) {
    record.bytes.append(facts.body);
  } else {
    record.body.owner = share(std::string(facts.body));
    record.body.bytes = *record.body.owner;
  }
  return record;
}

StoreScan::Stored stored_of(const Entry& entry) {
  const RecordView record = entry.record();
  return {std::string(record.bytes), record.body == nullptr ? SharedView{} : *record.body,
          entry.file()};
}

}  // namespace

Status StoreScan::read_store(const TableShared& shared, StoreHealth& health) {
  KVORUM_CHECK(shared.options.store != nullptr && shared.options.codec != nullptr);
  KVORUM_CHECK(records_.empty() && !next_);  // once
  const bool last = range_.partition + 1 == uint32_t{1} << shared.options.partition_bits;
  std::string end = store_bound(range_.keyspace, range_.end);
  if (range_.end == 0) {
    end =
        last ? std::string(1, static_cast<char>(range_.keyspace + 1))
             : store_bound(range_.keyspace, table_.position_of_place(0) + table_.partition_width());
  }
  StoredRecord stored;
  uint64_t position = 0;
  const auto visit = [&](std::string_view bytes, std::string_view value) {
    KeyRef key;
    if (!parse_store_key(bytes, &key) || !stored.decode(shared, key, value)) {
      return true;  // warm() has counted it
    }
    if (records_.size() >= range_.count_min && !records_.empty() && key.position.high != position) {
      next_ = key.position.high;
      return false;
    }
    position = key.position.high;
    const RecordChange& facts = stored.facts;
    records_.emplace(std::pair{position, std::string(key.key)},
                     Found{stored_of(facts), facts.live, facts.deadline_ms != 0});
    return true;
  };
  const std::string begin = store_bound(range_.keyspace, range_.from.high);
  return health.note_read(shared.options.store->scan(begin, end, visit));
}

bool StoreScan::overlay(PartitionTable& table, bool rewrites) {
  KVORUM_CHECK(&table == &table_);
  bool turned_dirty = false;
  std::vector<Entry*> entries;
  uint64_t place = table.place_of({{}, {range_.from.high, 0}, range_.keyspace}).place;
  const uint64_t end = next_ ? *next_ : range_.end;  // 0: the partition's
  while (place < BucketIndex::kPlacesEnd && (end == 0 || table.position_of_place(place) < end)) {
    entries.clear();
    place = table.index().collect_bucket(static_cast<uint32_t>(place),
                                         PartitionWalk::kLongBucketStretch, entries);
    for (Entry* entry : entries) {
      const KeyRef key = table.key_of(*entry);
      if (key.position.high < range_.from.high || (end != 0 && key.position.high >= end)) continue;
      Found& found = records_[{key.position.high, std::string(key.key)}];
      std::optional<Stored> record;
      if (!entry->has(Entry::kAbsent)) record = stored_of(*entry);
      const bool journaled = table.is_journaled(*entry);
      if (rewrites && !journaled && record != found.record) turned_dirty |= table.rewrite(entry);
      found = {std::move(record), entry->has(Entry::kLive), entry->has(Entry::kDeadline)};
    }
  }
  return turned_dirty;
}

std::vector<PartitionTree::Item> StoreScan::tree_items(const RecordCodec& codec) const {
  std::vector<PartitionTree::Item> items;
  for (const auto& [at, found] : records_) {
    const auto& [position, name] = at;
    if (!found.record || (next_ && position >= *next_)) continue;
    const KeyRef key{name, {position, 0}, range_.keyspace};
    items.push_back({table_.place_of(key).place, found.live, found.expires,
                     codec.digest(key, found.record->view())});
  }
  return items;
}

}  // namespace kvorum::engine

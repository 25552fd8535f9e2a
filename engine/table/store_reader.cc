// SPDX-License-Identifier: Apache-2.0
#include "engine/table/store_reader.h"

#include <algorithm>
#include <bit>
#include <deque>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/check.h"
#include "engine/store/store.h"
#include "engine/table/store_scan.h"
#include "engine/table/stored_record.h"
#include "engine/table/tree_planting.h"

namespace kvorum::engine {
namespace {

constexpr int kAttemptsMax = 100;     // each lost to an eviction in the partition
constexpr size_t kTreeStretch = 256;  // objects read for a tree at a time

Status busy() { return {Code::kUnavailable, "the partition is being evicted too fast to be read"}; }

}  // namespace

// One pass of warm() over the store.
class StoreReader::Warming {
 public:
  Warming(StoreReader& reader, const KeptTrees& kept) : reader_(reader), planting_(kept) {}

  // What one of so many threads reads: a part of each keyspace.
  Status run(uint32_t thread, uint32_t threads);
  TreePlanting& planting() { return planting_; }
  std::vector<uint64_t>& files() { return files_; }

 private:
  void visit(const StoredItem& item);
  bool decode(const StoredItem& item, KeyRef* key);

  StoreReader& reader_;
  TreePlanting planting_;
  std::vector<uint64_t> files_;  // that records refer to
  StoredRecord stored_;
};

bool StoreReader::Warming::decode(const StoredItem& item, KeyRef* key) {
  const TableShared& shared = reader_.directory_.shared();
  return parse_store_key(item.key, key) &&
         position_of(key->key, shared.options.partitioner).high == key->position.high &&
         (item.erased || stored_.decode(shared, *key, item.value));
}

// An object goes into memory where there is room; a tombstone always, and what only the journal
// has.
void StoreReader::Warming::visit(const StoredItem& item) {
  const TableShared& shared = reader_.directory_.shared();
  const RecordChange& facts = stored_.facts;
  KeyRef key;
  bool good = decode(item, &key);
  if (good && item.erased) {
    PartitionTable& table = reader_.directory_.get(key);
    const SpinLockGuard guard(table.lock());
    return table.warm_journaled(key, nullptr);
  }
  bool resident = good && (!facts.live || item.journaled || shared.fits(facts.file.bytes));
  if (good && facts.file.exists()) {
    files_.push_back(facts.file.id);
    const Status read = resident ? stored_.read_body(shared) : Status();
    // What the journal has cannot be loaded later.
    good = read.code() != Code::kCorruption && (read.ok() || !item.journaled);
    resident = resident && read.ok();
  }
  if (!good) {
    reader_.damaged_.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  PartitionTable& table = reader_.directory_.get(key);
  planting_.see(table, table.place_of(key).place, facts.digest_change);
  const SpinLockGuard guard(table.lock());
  item.journaled ? table.warm_journaled(key, &facts) : table.warm(key, facts, resident);
}

// Each keyspace has as many parts as there are threads. Partitions are whole in them: there are no
// fewer, and both are powers of two.
Status StoreReader::Warming::run(uint32_t thread, uint32_t threads) {
  const uint32_t parts = kKeyspacesMax * threads;
  const auto begin_of = [&](uint32_t part) {
    if (part == parts) return std::string(1, kFactPrefix);
    std::string bytes(1, static_cast<char>(part / threads));
    const uint64_t within = part % threads;
    if (within != 0) put_u64_big_endian(bytes, within << (64 - std::countr_zero(threads)));
    return bytes;
  };
  Status status;
  for (uint32_t part = thread; status.ok() && part < parts; part += threads) {
    status = reader_.directory_.options().store->scan_at_start(
        begin_of(part), begin_of(part + 1), [this](const StoredItem& item) { visit(item); });
  }
  planting_.plant();
  return status;
}

Status StoreReader::read_all(const KeptTrees& kept, TreePlanting* planting,
                             std::vector<uint64_t>* files) {
  const uint32_t count = directory_.options().start_threads;
  KVORUM_CHECK(std::has_single_bit(count));
  KVORUM_CHECK(count <= uint32_t{1} << directory_.options().partition_bits);
  std::deque<Warming> parts;
  for (uint32_t i = 0; i < count; ++i) parts.emplace_back(*this, kept);
  std::vector<Status> ended(count);
  const auto run = [&](uint32_t i) { ended[i] = parts[i].run(i, count); };
  std::vector<std::thread> others;
  for (uint32_t i = 1; i < count; ++i) others.emplace_back(run, i);
  run(0);
  for (std::thread& thread : others) thread.join();
  for (Warming& part : parts) {
    planting->take_over(part.planting());
    files->insert(files->end(), part.files().begin(), part.files().end());
  }
  const auto bad =
      std::find_if(ended.begin(), ended.end(), [](const Status& s) { return !s.ok(); });
  return bad == ended.end() ? Status() : *bad;
}

Status StoreReader::warm() {
  const TableOptions& options = directory_.options();
  KVORUM_CHECK(options.store != nullptr);
  KeptTrees kept;
  if (options.keeps_trees) {
    if (Status status = kept.read(*options.store); !status.ok()) return status;
  }
  trees_.begin(kept);
  TreePlanting planting(kept);
  std::vector<uint64_t> files;  // that records refer to
  Status status = read_all(kept, &planting, &files);
  trees_.end(kept, planting);
  if (status.ok()) status = remove_unnamed_files(files);
  if (!status.ok()) return status;
  options.store->end_start();
  directory_.shared().warmed.store(true, std::memory_order_release);
  return status;
}

// Of writes that ended before their record, and of records that went just before the end. A record
// that cannot be read may have named one.
Status StoreReader::remove_unnamed_files(std::vector<uint64_t>& named) const {
  const TableShared& shared = directory_.shared();
  const bool keeps = shared.options.keeps_unnamed_files || damaged_count() != 0;
  if (!shared.filing || keeps) return {};
  std::sort(named.begin(), named.end());
  return shared.filing->remove_all_but(named);
}

Status StoreReader::load(const KeyRef& key) {
  KVORUM_CHECK(directory_.options().store != nullptr);
  if (directory_.shared().filing) {
    Status status = directory_.shared().filing->write_waiting(key);
    if (!status.ok()) health_.note_fault(status, false);
    if (!status.ok()) return status;
  }
  PartitionTable& table = directory_.get(key);
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    const Result<bool> loaded = load_once(table, key);
    if (!loaded.ok()) return loaded.status();
    if (loaded.value()) return {};
  }
  return busy();
}

bool StoreReader::awaits_file(const KeyRef& key) const {
  return directory_.shared().filing && directory_.shared().filing->awaits_file(key);
}

// What the store, and the file beside it, have of an object.
struct StoreReader::Found {
  bool exists = false;
  bool whole = true;  // else it is damaged
  SharedBytes value;
  StoredRecord stored;
};

Status StoreReader::read_stored(const KeyRef& key, Found* found) {
  const TableShared& shared = directory_.shared();
  std::string value;
  Status status = health_.note_read(shared.options.store->read(store_key(key), &value));
  if (status.code() == Code::kNotFound) return {};
  if (!status.ok()) return status;
  found->exists = true;
  found->value = share(std::move(value));
  found->whole = found->stored.decode(shared, key, *found->value);
  found->stored.facts.owner = &found->value;
  if (found->whole) status = found->stored.read_body(shared);
  found->whole &= status.code() != Code::kCorruption;
  return found->whole ? health_.note_read(status) : Status();
}

// False where the partition changed meanwhile: what was read may be older than a version that came
// and was evicted since, and its file gone with it.
Result<bool> StoreReader::load_once(PartitionTable& table, const KeyRef& key) {
  const KeyPlace at = table.place_of(key);
  uint64_t departures;
  {
    const SpinLockGuard guard(table.lock());
    if (table.find(at) != nullptr || table.complete()) return true;
    departures = table.departures();
  }
  Found found;
  if (Status status = read_stored(key, &found); !status.ok()) return status;
  {
    const SpinLockGuard guard(table.lock());
    if (departures != table.departures()) return false;
    if (table.find(at) != nullptr) return true;
    if (found.whole) table.install(key, found.exists ? &found.stored.facts : nullptr);
  }
  if (!found.whole) {
    Status status = health_.lose(table, key, found.stored.facts.file);
    if (!status.ok()) return status;
  }
  hand_.after_growth();
  return true;
}

// False where the partition changed meanwhile.
Result<bool> StoreReader::read_stretch(PartitionTable& table, StoreScan& stretch) {
  uint64_t departures;
  {
    const SpinLockGuard guard(table.lock());
    departures = table.departures();
  }
  Status status = stretch.read_store(directory_.shared(), health_);
  if (!status.ok()) return status;
  const SpinLockGuard guard(table.lock());
  if (departures != table.departures()) return false;
  stretch.overlay(table, false);
  return true;
}

Result<ScanEnd> StoreReader::scan(const ScanRange& range, FunctionRef<void(const ScanItem&)> fn) {
  const TableOptions& options = directory_.options();
  PartitionTable& table = directory_.get(range.keyspace, range.partition);
  if (partition_of(range.from, options.partition_bits) > range.partition) return ScanEnd{};
  ScanRange rest = range;
  rest.from.high = std::max(range.from.high, table.position_of_place(0));
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    const ScanEnd resident = scan_resident(table, rest, fn);
    if (resident.access == Access::kDone) return resident;
    StoreScan stretch(table, rest);
    const Result<bool> taken = read_stretch(table, stretch);
    if (!taken.ok()) return taken.status();
    if (!taken.value()) continue;
    for (const auto& [place, found] : stretch.records()) {
      if (!found.record) continue;
      const Position position = position_of(place.second, options.partitioner);
      fn({{place.second, position, range.keyspace}, found.record->view()});
    }
    return ScanEnd{Access::kDone, !stretch.next(), {stretch.next().value_or(0), 0}};
  }
  return busy();
}

// The stretch ends where a place does: ties of a place are never split.
Result<TreeBuild> StoreReader::build_tree(uint8_t keyspace, uint32_t partition) {
  PartitionTable& table = directory_.get(keyspace, partition);
  size_t count_min = kTreeStretch;
  for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
    uint64_t departures, frontier;
    {
      const SpinLockGuard guard(table.lock());
      departures = table.departures();
      frontier = table.tree_frontier();
    }
    const Position from{table.position_of_place(frontier), 0};
    StoreScan stretch(table, {keyspace, partition, from, count_min});
    Status status = stretch.read_store(directory_.shared(), health_);
    if (!status.ok()) return status;
    bool turned_dirty = false;
    std::optional<TreeBuild> built;
    {
      const SpinLockGuard guard(table.lock());
      if (departures != table.departures()) continue;
      uint64_t end = HashTree::kPlacesEnd;
      if (stretch.next()) {
        end = table.place_of({{}, {*stretch.next(), 0}, keyspace}).place;
        count_min *= 2;
        if (end == frontier) continue;
        KVORUM_CHECK(end > frontier);
        stretch.end_at(table.position_of_place(end));
      }
      turned_dirty = stretch.overlay(table, table.tree().distrusted());
      built = table.build_tree(stretch.tree_items(*directory_.options().codec), end);
    }
    if (turned_dirty) directory_.shared().dirty.call_back();
    return *built;
  }
  return busy();
}

}  // namespace kvorum::engine

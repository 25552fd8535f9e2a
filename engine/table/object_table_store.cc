// SPDX-License-Identifier: Apache-2.0
// Reading the store beneath an ObjectTable, and the files of large bodies beside it: warm() at the
// start, load() of one object. These block on I/O, with no lock held.
#include <algorithm>

#include "base/check.h"
#include "engine/table/object_table.h"
#include "engine/table/object_table_impl.h"
#include "engine/table/tree_planting.h"

namespace kvorum::engine {

Status ObjectTable::Impl::busy() {
  return {Code::kUnavailable, "the partition is being evicted too fast to be read"};
}

// The record is `head` and facts->body, but for a body that is in facts->file.
bool ObjectTable::Impl::decode_stored(const KeyRef& key, std::string_view value, std::string& head,
                                      RecordChange* facts) const {
  head.clear();
  FileReference file;
  if (!take_file_reference(value, &file) || (file.exists() && !shared.filing)) return false;
  if (!shared.options.codec->from_portable(key, value, head, facts)) return false;
  facts->file = file;
  return true;
}

// kCorruption where the file is missing or damaged.
Status ObjectTable::Impl::read_body(RecordChange* facts, SharedBytes* body) const {
  if (!facts->file.exists()) return {};
  Result<SharedBytes> read = shared.filing->read(facts->file);
  if (!read.ok()) return read.status();
  *body = std::move(read).value();
  facts->body = **body;
  facts->owner = body;
  return {};
}

// One pass of warm() over the store.
struct ObjectTable::Impl::Warming {
  Impl& impl;
  TreePlanting planting;
  std::vector<uint64_t> files;  // that records refer to
  std::string head;

  void visit(std::string_view bytes, std::string_view value);
  bool read_record(KeyRef* key, RecordChange* facts, SharedBytes* body);
};

// An object goes into memory where there is room; a tombstone always.
void ObjectTable::Impl::Warming::visit(std::string_view bytes, std::string_view value) {
  const TableOptions& options = impl.shared.options;
  KeyRef key;
  RecordChange facts;
  SharedBytes body;
  bool good = parse_store_key(bytes, &key);
  good = good && position_of(key.key, options.partitioner).high == key.position.high;
  good = good && impl.decode_stored(key, value, head, &facts);
  bool resident = !facts.live || impl.shared.fits(facts.file.bytes);
  if (good && facts.file.exists()) {
    files.push_back(facts.file.id);
    const Status read = resident ? impl.read_body(&facts, &body) : Status();
    good = read.code() != Code::kCorruption;
    resident = resident && read.ok();
  }
  if (!good) {
    impl.damaged.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  PartitionTable& table = impl.get(key);
  planting.see(table, table.place_of(key).place, facts.digest_change);
  const std::lock_guard guard(table.lock());
  facts.head = head;
  table.warm(key, facts, resident);
}

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
  Impl::Warming warming{*impl_, TreePlanting(kept), {}, {}};
  const auto visit = [&warming](std::string_view bytes, std::string_view value) {
    warming.visit(bytes, value);
    return true;
  };
  Status status = options.store->scan({}, std::string(1, kFactPrefix), visit);
  warming.planting.plant();
  impl_->plant_empty(kept, warming.planting);
  if (status.ok()) status = impl_->remove_unnamed_files(warming.files);
  if (status.ok()) impl_->shared.warmed.store(true, std::memory_order_release);
  return status;
}

// Of writes that ended before their record, and of records that went just before the end. A record
// that cannot be read may have named one.
Status ObjectTable::Impl::remove_unnamed_files(std::vector<uint64_t>& named) const {
  const bool keeps = shared.options.keeps_unnamed_files || damaged.load() != 0;
  if (!shared.filing || keeps) return {};
  std::sort(named.begin(), named.end());
  return shared.filing->remove_all_but(named);
}

Status ObjectTable::load(const KeyRef& key) {
  KVORUM_CHECK(impl_->shared.options.store != nullptr);
  if (impl_->shared.filing) {
    Status status = impl_->shared.filing->write_waiting(key);
    if (!status.ok()) note_fault(status, false);
    if (!status.ok()) return status;
  }
  PartitionTable& table = impl_->get(key);
  for (int attempt = 0; attempt < Impl::kAttemptsMax; ++attempt) {
    const Result<bool> loaded = impl_->load_once(table, key);
    if (!loaded.ok()) return loaded.status();
    if (loaded.value()) return {};
  }
  return Impl::busy();
}

bool ObjectTable::awaits_file(const KeyRef& key) const {
  return impl_->shared.filing && impl_->shared.filing->awaits_file(key);
}

// What the store, and the file beside it, have of an object.
struct ObjectTable::Impl::Found {
  bool exists = false;
  bool whole = true;  // else it is damaged
  SharedBytes value, body;
  std::string head;
  RecordChange facts;
};

Status ObjectTable::Impl::read_stored(const KeyRef& key, Found* found) {
  std::string value;
  Status status = seen(shared.options.store->read(store_key(key), &value));
  if (status.code() == Code::kNotFound) return {};
  if (!status.ok()) return status;
  found->exists = true;
  found->value = share(std::move(value));
  found->whole = decode_stored(key, *found->value, found->head, &found->facts);
  found->facts.head = found->head;
  found->facts.owner = &found->value;
  if (found->whole) status = read_body(&found->facts, &found->body);
  found->whole &= status.code() != Code::kCorruption;
  return found->whole ? seen(status) : Status();
}

// False where the partition changed meanwhile: what was read may be older than a version that came
// and was evicted since, and its file gone with it.
Result<bool> ObjectTable::Impl::load_once(PartitionTable& table, const KeyRef& key) {
  const KeyPlace at = table.place_of(key);
  uint64_t departures;
  {
    const std::lock_guard guard(table.lock());
    if (table.find(at) != nullptr || table.complete()) return true;
    departures = table.departures();
  }
  Found found;
  if (Status status = read_stored(key, &found); !status.ok()) return status;
  {
    const std::lock_guard guard(table.lock());
    if (departures != table.departures()) return false;
    if (table.find(at) != nullptr) return true;
    if (found.whole) table.install(key, found.exists ? &found.facts : nullptr);
  }
  if (!found.whole) {
    if (Status status = lose(table, key, found.facts.file); !status.ok()) return status;
  }
  after_update({});
  return true;
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

// The store's checksum holds and yet that is no object, or its file is damaged: no salvage of the
// store would mend it.
Status ObjectTable::Impl::lose(PartitionTable& table, const KeyRef& key,
                               const FileReference& file) {
  faults.damage.fetch_add(1, std::memory_order_relaxed);
  if (listener == nullptr) return {Code::kCorruption, "an object in the store is damaged"};
  listener->on_loss(key.keyspace, partition_of(key.position, shared.options.partition_bits));
  PartitionTable::Outcome outcome;
  {
    const std::lock_guard guard(table.lock());
    table.distrust();
    outcome = table.forget(key, file);
  }
  after_update(outcome);
  return {};
}

uint64_t ObjectTable::damaged_count() const {
  return impl_->damaged.load(std::memory_order_relaxed);
}

}  // namespace kvorum::engine

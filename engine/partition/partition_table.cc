// SPDX-License-Identifier: Apache-2.0
#include "engine/partition/partition_table.h"

#include <algorithm>
#include <cstdlib>
#include <new>

#include "base/check.h"
#include "base/planted_bug.h"
#include "engine/partition/record_codec.h"

namespace kvorum::engine {
namespace {

constexpr int64_t kSpareTold = 4096;  // the difference that is worth telling the others of
constexpr size_t kTreeObjectsUnderLockMax = 128;
constexpr size_t kTreeStretch = 64;

bool inside(std::string_view part, std::string_view whole) {
  return !part.empty() && part.data() >= whole.data() && part.data() < whole.data() + whole.size();
}

size_t entry_bytes(const KeyPlace& at, const RecordChange& change) {
  const size_t body = change.body_stands_apart() ? BodyApart::kPointerBytes : change.body.size();
  return Entry::bytes_for(at.key.size(), change.head.size() + body, change.deadline_ms != 0);
}

FileReference file_of(const Entry* entry) {
  return entry == nullptr ? FileReference{} : entry->file();
}

// The entry's file, where the change stores its body under another head.
FileReference kept_file(const Entry* entry, const RecordChange& change) {
  const FileReference file = file_of(entry);
  if (!file.exists() || !change.body_stands_apart()) return {};
  const std::string_view body = entry->record().body->bytes;
  return body.data() == change.body.data() && body.size() == change.body.size() ? file
                                                                                : FileReference{};
}

}  // namespace

PartitionTable::PartitionTable(TableShared* shared, uint8_t keyspace, uint32_t partition)
    : shared_(shared),
      partition_(partition),
      keyspace_(keyspace),
      index_(&shared->index_pages, shared->options.hash_seed),
      pool_(&shared->entry_pages),
      deadlines_(&index_, &shared->deadlines),
      tree_(shared, {keyspace, partition}) {
  follow_policy();
  publish();
}

PartitionTable::~PartitionTable() {
  for (uint64_t place = 0; place < BucketIndex::kPlacesEnd;) {
    found_.clear();
    place = index_.collect_bucket(static_cast<uint32_t>(place), 64, found_);
    for (Entry* entry : found_) {
      index_.erase(entry);
      release(entry);
    }
  }
}

uint64_t PartitionTable::place_from(Position from) const {
  const uint32_t partition = partition_of(from, shared_->options.partition_bits);
  if (partition > partition_) return BucketIndex::kPlacesEnd;
  return partition < partition_ ? 0 : place_of({{}, from, 0}).place;
}

uint64_t PartitionTable::position_of_place(uint64_t place) const {
  const int bits = shared_->options.partition_bits;
  const uint64_t first = bits == 0 ? 0 : uint64_t{partition_} << (64 - bits);
  KVORUM_CHECK(place < BucketIndex::kPlacesEnd);
  return first + (place << 32 >> bits);
}

KeyRef PartitionTable::key_of(const Entry& entry) const {
  return {entry.key(), position_of(entry.key(), shared_->options.partitioner), keyspace_};
}

// The tag serves new entries and dirty lists; only those of a store are worth the hashing here.
KeyPlace PartitionTable::place_of(Entry* entry) const {
  if (has_store()) return place_of(key_of(*entry));
  return {entry->key(), entry->place(), 0};
}

void PartitionTable::prefetch_bucket(const KeyRef& key) const {
  __builtin_prefetch(this, 1);
  index_.prefetch_bucket(place_of(key).place);
}

void PartitionTable::prefetch_entry(const KeyRef& key) const {
  const KeyPlace at = place_of(key);
  index_.prefetch_entry(at.place, at.tag);
}

inline void PartitionTable::note_use(Entry* entry) {
  if (uses_ != nullptr) [[unlikely]]
    return uses_->note_use(entry, minute());
  if (!entry->has(Entry::kReferenced)) entry->set(Entry::kReferenced);
}

Entry* PartitionTable::find(const KeyPlace& at) {
  Entry* entry = index_.find(at);
  KVORUM_DEBUG_CHECK(entry == nullptr || entry->place() == at.place);
  if (entry != nullptr && notes_use_) note_use(entry);
  return entry;
}

bool PartitionTable::complete() const {
  return !has_store() || (shared_->warmed.load(std::memory_order_relaxed) &&
                          resident_count_ == counts_.records && !tree_.distrusted());
}

uint64_t PartitionTable::object_bytes() const {
  if (resident_count_ == 0) return 0;
  const auto resident = static_cast<double>(pool_.used_bytes() + bytes_apart_);
  const double part = static_cast<double>(resident_count_) / static_cast<double>(counts_.records);
  return static_cast<uint64_t>(resident / part);
}

uint64_t PartitionTable::memory_bytes() const {
  return pool_.used_bytes() + bytes_apart_ + index_.memory_bytes() + deadlines_.memory_bytes() +
         (dirty_.capacity() + taken_.capacity()) * sizeof(DirtyPlace) + tree_.memory_bytes();
}

void PartitionTable::publish() {
  const int64_t now = static_cast<int64_t>(memory_bytes());
  KVORUM_DEBUG_CHECK(index_.size() >= resident_count_);
  if (now == published_bytes_) return;
  shared_->memory_bytes.fetch_add(now - published_bytes_, std::memory_order_relaxed);
  published_bytes_ = now;
  const auto spare = static_cast<int64_t>(pool_.spare_bytes());
  if (std::abs(spare - published_spare_) < kSpareTold) return;
  shared_->spare_bytes.fetch_add(spare - published_spare_, std::memory_order_relaxed);
  published_spare_ = spare;
}

bool PartitionTable::find_file(const KeyRef& key, const Entry* entry, RecordChange& change) {
  if (!shared_->filing || change.action != RecordChange::Action::kStore) return true;
  if (!change.body_stands_apart()) return true;
  change.file = kept_file(entry, change);
  return change.file.exists() ||
         shared_->filing->take(key, {*change.owner, change.body}, &change.file);
}

PartitionTable::Outcome PartitionTable::apply(const KeyPlace& at, Entry* entry,
                                              const RecordChange& change) {
  KVORUM_CHECK(entry == nullptr || entry->place() == at.place);
  Outcome outcome;
  const FileReference file = file_of(entry);
  if (change.action != RecordChange::Action::kKeep) {
    oldest_changed_ = std::min(oldest_changed_, change.oldest_changed);
  }
  switch (change.action) {
    case RecordChange::Action::kKeep:
      if (entry != nullptr) outcome.result.ticket = pending_ticket(*entry);
      return outcome;
    case RecordChange::Action::kErase:
      tree_.fold(at.place, change.digest_change);
      if (entry == nullptr) return outcome;
      if (entry->has(Entry::kAbsent)) {
        outcome.result.ticket = pending_ticket(*entry);
        return outcome;
      }
      count(at.place, entry, {});
      if (has_store()) {
        entry = write_record(at, entry, {});
        entry->set(Entry::kAbsent);
        outcome.result.ticket = mark_dirty(entry, at.tag, &outcome.turned_dirty);
      } else {
        remove(entry);
      }
      break;
    case RecordChange::Action::kStore: {
      const size_t before =
          entry == nullptr ? 0 : EntryPool::class_bytes(entry->size()) + entry->bytes_apart();
      const size_t after = EntryPool::class_bytes(entry_bytes(at, change)) +
                           (change.body_stands_apart() ? change.body.size() : 0);
      if (after > before && !change.frees && !has_store() && !shared_->take_room(after - before)) {
        outcome.result.access = Access::kFull;
        return outcome;
      }
      count(at.place, entry, change);
      tree_.fold(at.place, change.digest_change);
      entry = write_record(at, entry, change);
      if (has_store()) outcome.result.ticket = mark_dirty(entry, at.tag, &outcome.turned_dirty);
      break;
    }
  }
  if (file.exists() && file.id != change.file.id) {
    shared_->filing->part_with(file, outcome.result.ticket);
  }
  publish();
  return outcome;
}

// Counts the change from what the entry (or none) is to what it becomes.
void PartitionTable::count(uint32_t place, const Entry* entry, const RecordChange& change) {
  const bool was_live = entry != nullptr && entry->has(Entry::kLive);
  const bool was_record = entry != nullptr && !entry->has(Entry::kAbsent);
  const bool is_record = change.action == RecordChange::Action::kStore;
  const bool is_live = is_record && change.live;
  const bool did_expire = was_live && entry->has(Entry::kDeadline);
  const bool expires = is_live && change.deadline_ms != 0;
  const ObjectCounts difference{uint64_t{is_live} - uint64_t{was_live},
                                uint64_t{expires} - uint64_t{did_expire},
                                uint64_t{is_record} - uint64_t{was_record}};
  counts_ += difference;
  tree_.count(place, difference);
  resident_count_ += difference.records;
  KVORUM_CHECK(counts_.hold() || tree_.distrusted() || planted(PlantedBug::kEvictJournaled));
}

// Puts the change's record, flag and deadline into the entry, in place if its size class stays, or
// into a new one. The index follows.
Entry* PartitionTable::write_record(const KeyPlace& at, Entry* entry, const RecordChange& change) {
  const size_t size = entry_bytes(at, change);
  const bool apart = change.body_stands_apart();
  const uint64_t old_deadline = entry == nullptr ? 0 : entry->deadline_ms();
  Entry* written = entry;
  if (entry != nullptr && !apart && !entry->has(Entry::kApart) &&
      !inside(change.head, entry->record()) &&
      EntryPool::class_bytes(entry->size()) == EntryPool::class_bytes(size)) {
    entry->set_record(change.head, change.body, change.deadline_ms);
  } else {
    written = new (pool_.allocate(size)) Entry;
    written->begin(at.place, at.key);
    if (entry != nullptr) written->copy_flags(*entry);
    if (apart) {
      auto* const body = new BodyApart{{*change.owner, change.body}, change.file};
      written->set_record_apart(change.head, body, change.deadline_ms);
      bytes_apart_ += change.body.size();
    } else {
      written->set_record(change.head, change.body, change.deadline_ms);
    }
    if (entry == nullptr) {
      note_first_use(written);
      index_.insert(at, written);
    } else {
      index_.replace(entry, written);
      release(entry);
    }
  }
  written->set(Entry::kAbsent, false);
  written->set(Entry::kLive, change.live);
  deadlines_.note_change(old_deadline, change.deadline_ms, at.place);
  return written;
}

void PartitionTable::remove(Entry* entry) {
  KVORUM_CHECK(!entry->has(Entry::kDirty));
  if (shared_->options.journal != nullptr) mark_epoch(entry, 0);
  deadlines_.note_change(entry->deadline_ms(), 0, entry->place());
  index_.erase(entry);
  release(entry);
}

void PartitionTable::release(Entry* entry) {
  KVORUM_CHECK(bytes_apart_ >= entry->bytes_apart());
  bytes_apart_ -= entry->bytes_apart();
  entry->drop_body();
  pool_.release(entry, entry->size());
}

uint64_t PartitionTable::count_gone(uint64_t now_ms,
                                    FunctionRef<bool(RecordView record)> fn) const {
  uint64_t gone = 0;
  deadlines_.each_due(now_ms, [&](const Entry& entry) {
    gone += static_cast<uint64_t>(entry.has(Entry::kLive) && fn(entry.record()));
  });
  return gone;
}

PartitionTable::Outcome PartitionTable::apply_expired(Entry* entry, const RecordChange& wanted) {
  KVORUM_CHECK(entry->has(Entry::kDeadline));
  const KeyPlace at = place_of(entry);
  RecordChange change = wanted;
  change.frees = true;
  // Its item is gone: a deadline that stays or moves away needs a new one.
  if (change.action != RecordChange::Action::kErase && change.deadline_ms >= entry->deadline_ms()) {
    deadlines_.push(change.deadline_ms, entry->place());
  }
  change.file = kept_file(entry, change);
  if (change.action != RecordChange::Action::kKeep) return apply(at, entry, change);
  change.live = entry->has(Entry::kLive);
  const RecordView record = entry->record();
  change.head = record.bytes;
  change.body = record.body == nullptr ? std::string_view() : record.body->bytes;
  change.owner = record.body == nullptr ? nullptr : &record.body->owner;
  change.file = entry->file();
  write_record(at, entry, change);
  publish();
  return {};
}

PartitionTable::Outcome PartitionTable::apply_swept(Entry* entry, const RecordChange& wanted) {
  RecordChange change = wanted;
  change.frees = true;
  change.file = kept_file(entry, change);
  return apply(place_of(entry), entry, change);
}

void PartitionTable::distrust() {
  void_loads();
  doubts_stored_ = true;
  tree_.distrust();
}

TreeBuild PartitionTable::build_tree() {
  const RecordCodec* const codec = shared_->options.codec;
  if (codec == nullptr) return TreeBuild::kDone;
  if (!complete()) return TreeBuild::kNotResident;
  uint64_t place = tree_frontier();
  for (size_t count = 0; count < kTreeObjectsUnderLockMax && place < HashTree::kPlacesEnd;) {
    found_.clear();
    place = index_.collect_bucket(static_cast<uint32_t>(place), kTreeStretch, found_);
    for (const Entry* entry : found_) {
      if (entry->has(Entry::kAbsent)) continue;
      const uint64_t digest = codec->digest({entry->key(), {}, keyspace_}, entry->record());
      tree_.add({entry->place(), entry->has(Entry::kLive), entry->has(Entry::kDeadline), digest});
    }
    count += found_.size() + 1;
  }
  return build_tree({}, place);
}

TreeBuild PartitionTable::build_tree(const std::vector<PartitionTree::Item>& items, uint64_t end) {
  for (const PartitionTree::Item& item : items) {
    KVORUM_CHECK(item.place < end);
    tree_.add(item);
  }
  const TreeBuild how = tree_.advance(end, counts_);
  publish();
  return how;
}

}  // namespace kvorum::engine

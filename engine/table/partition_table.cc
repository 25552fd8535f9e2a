// SPDX-License-Identifier: Apache-2.0
#include "engine/table/partition_table.h"

#include <algorithm>
#include <new>


namespace kvorum::engine {
namespace {

bool inside(std::string_view part, std::string_view whole) {
  return !part.empty() && part.data() >= whole.data() && part.data() < whole.data() + whole.size();
}

bool stands_apart(const RecordChange& change) { return worth_sharing(change.body, change.owner); }

size_t entry_bytes(const KeyPlace& at, const RecordChange& change) {
  const size_t body = stands_apart(change) ? BodyApart::kPointerBytes : change.body.size();
  return Entry::bytes_for(at.key.size(), change.head.size() + body, change.deadline_ms != 0);
}

FileReference file_of(const Entry* entry) {
  return entry == nullptr ? FileReference{} : entry->file();
}

// The entry's file, where the change stores its body under another head.
FileReference kept_file(const Entry* entry, const RecordChange& change) {
  const FileReference file = file_of(entry);
  if (!file.exists() || !stands_apart(change)) return {};
  const std::string_view body = entry->record().body->bytes;
  return body.data() == change.body.data() && body.size() == change.body.size() ? file
                                                                                : FileReference{};
}

}  // namespace

PartitionTable::PartitionTable(TableShared* shared, uint8_t keyspace, uint32_t partition)
    : shared_(shared),
      partition_(partition),
      keyspace_(keyspace),
      notes_use_(shared->options.store != nullptr || shared->evicts(keyspace)),
      index_(&shared->index_pages, shared->options.hash_seed),
      pool_(&shared->entry_pages) {
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

uint64_t PartitionTable::position_of_place(uint64_t place) const {
  const int bits = shared_->options.partition_bits;
  const uint64_t first = bits == 0 ? 0 : uint64_t{partition_} << (64 - bits);
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

Entry* PartitionTable::find(const KeyPlace& at) {
  Entry* entry = index_.find(at);
  if (entry != nullptr && notes_use_ && !entry->has(Entry::kReferenced)) {
    entry->set(Entry::kReferenced);
  }
  return entry;
}

bool PartitionTable::complete() const {
  return !has_store() || (shared_->warmed.load(std::memory_order_relaxed) &&
                          resident_count_ == record_count_ && !distrusted_);
}

uint64_t PartitionTable::memory_bytes() const {
  return pool_.used_bytes() + bytes_apart_ + index_.memory_bytes() + expiry_.memory_bytes() +
         (dirty_.capacity() + taken_.capacity()) * sizeof(DirtyPlace) + tree_.memory_bytes() +
         tree_log_.memory_bytes();
}

void PartitionTable::publish() {
  const int64_t now = static_cast<int64_t>(memory_bytes());
  if (now == published_bytes_) return;
  shared_->memory_bytes.fetch_add(now - published_bytes_, std::memory_order_relaxed);
  published_bytes_ = now;
}

bool PartitionTable::find_file(const KeyRef& key, const Entry* entry, RecordChange& change) {
  if (!shared_->filing || change.action != RecordChange::Action::kStore) return true;
  if (!stands_apart(change)) return true;
  change.file = kept_file(entry, change);
  return change.file.exists() ||
         shared_->filing->take(key, {*change.owner, change.body}, &change.file);
}

PartitionTable::Outcome PartitionTable::apply(const KeyPlace& at, Entry* entry,
                                              const RecordChange& change) {
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
                           (stands_apart(change) ? change.body.size() : 0);
      if (after > before && !change.frees && !has_store() &&
          !shared_->has_room_for(after - before)) {
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
  const uint64_t live = static_cast<uint64_t>(is_live) - static_cast<uint64_t>(was_live);
  const uint64_t records = static_cast<uint64_t>(is_record) - static_cast<uint64_t>(was_record);
  const bool did_expire = was_live && entry->has(Entry::kDeadline);
  const bool expires = is_live && change.deadline_ms != 0;
  const uint64_t expiring = static_cast<uint64_t>(expires) - static_cast<uint64_t>(did_expire);
  live_count_ += live;
  expiring_count_ += expiring;
  record_count_ += records;
  if (tree_.building() && place < tree_.frontier()) [[unlikely]] {
    recount_.live += live;
    recount_.expiring += expiring;
    recount_.records += records;
  }
  resident_count_ += records;
}

// Puts the change's record, flag and deadline into the entry, in place if its size class stays, or
// into a new one. The index follows.
Entry* PartitionTable::write_record(const KeyPlace& at, Entry* entry, const RecordChange& change) {
  const size_t size = entry_bytes(at, change);
  const bool apart = stands_apart(change);
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
      if (shared_->evicts(keyspace_)) written->set(Entry::kReferenced);
      index_.insert(at, written);
    } else {
      index_.replace(entry, written);
      release(entry);
    }
  }
  written->set(Entry::kAbsent, false);
  written->set(Entry::kLive, change.live);
  deadline_count_ += static_cast<size_t>(change.deadline_ms != 0);
  deadline_count_ -= static_cast<size_t>(old_deadline != 0);
  if (change.deadline_ms != 0 && (old_deadline == 0 || change.deadline_ms < old_deadline)) {
    push_deadline(change.deadline_ms, at.place);
  }
  return written;
}

void PartitionTable::remove(Entry* entry) {
  if (entry->has(Entry::kDeadline)) --deadline_count_;
  index_.erase(entry);
  release(entry);
}

void PartitionTable::release(Entry* entry) {
  bytes_apart_ -= entry->bytes_apart();
  entry->drop_body();
  pool_.release(entry, entry->size());
}

void PartitionTable::push_deadline(uint64_t deadline_ms, uint32_t place) {
  const bool lowers = expiry_.empty() || deadline_ms < expiry_.earliest_ms();
  expiry_.push({deadline_ms, place});
  if (expiry_.size() > 2 * deadline_count_ + kStaleDeadlinesMin) compact_deadlines();
  if (!lowers) return;
  earliest_.store(expiry_.earliest_ms(), std::memory_order_release);
  shared_->deadlines.lower(deadline_ms);
}

// Items of overwritten and erased objects wait for their time otherwise.
void PartitionTable::compact_deadlines() {
  std::vector<ExpiryHeap::Item> items = expiry_.take();
  std::sort(items.begin(), items.end(),
            [](const auto& a, const auto& b) { return a.place < b.place; });
  std::vector<ExpiryHeap::Item> kept;
  kept.reserve(deadline_count_);
  std::vector<Entry*> at_place;
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0 && items[i].place == items[i - 1].place) continue;
    at_place.clear();
    index_.collect_place(items[i].place, at_place);
    for (const Entry* entry : at_place) {
      if (entry->has(Entry::kDeadline)) kept.push_back({entry->deadline_ms(), entry->place()});
    }
  }
  expiry_.put_back(std::move(kept));
}

bool PartitionTable::take_due(uint64_t now_ms, std::vector<Entry*>& due) {
  due.clear();
  while (due.empty() && !expiry_.empty() && expiry_.earliest_ms() <= now_ms) {
    const uint32_t place = expiry_.top().place;
    expiry_.pop();
    found_.clear();
    index_.collect_place(place, found_);
    for (Entry* entry : found_) {
      if (!entry->has(Entry::kDeadline)) continue;
      if (entry->deadline_ms() > now_ms) {
        expiry_.push({entry->deadline_ms(), place});
      } else {
        due.push_back(entry);
      }
    }
  }
  earliest_.store(expiry_.earliest_ms(), std::memory_order_release);
  return !due.empty();
}

PartitionTable::Outcome PartitionTable::apply_expired(Entry* entry, const RecordChange& wanted) {
  const KeyPlace at = place_of(entry);
  RecordChange change = wanted;
  change.frees = true;
  // Its item is gone: a deadline that stays or moves away needs a new one.
  if (change.action != RecordChange::Action::kErase && change.deadline_ms >= entry->deadline_ms()) {
    push_deadline(change.deadline_ms, entry->place());
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

}  // namespace kvorum::engine

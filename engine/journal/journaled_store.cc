// SPDX-License-Identifier: Apache-2.0
#include "engine/journal/journaled_store.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/planted_bug.h"

namespace kvorum::engine {
namespace {

constexpr ptrdiff_t kAhead = 16;  // changes whose bytes are fetched into the caches meanwhile

std::string mark_key() { return std::string(1, kFactPrefix) + "journal"; }

bool is_fact(std::string_view key) { return key.front() == kFactPrefix; }

bool reaches_objects(std::string_view begin) { return begin.empty() || !is_fact(begin); }

Status refused() { return {Code::kUnavailable, "the journal failed and was not begun anew yet"}; }

}  // namespace

JournaledStore::JournaledStore(const JournalOptions& options, std::unique_ptr<JournalDisk> disk,
                               std::unique_ptr<Store> below)
    : options_(options),
      disk_(std::move(disk)),
      below_(std::move(below)),
      journal_(disk_.get(), options.capacity_bytes) {}

Result<std::unique_ptr<JournaledStore>> JournaledStore::open(const JournalOptions& options,
                                                             std::unique_ptr<JournalDisk> disk,
                                                             std::unique_ptr<Store> below,
                                                             std::string* damage) {
  std::unique_ptr<JournaledStore> store(
      new JournaledStore(options, std::move(disk), std::move(below)));
  Status status = store->recover(damage);
  if (!status.ok()) return status;
  return store;
}

Status JournaledStore::recover(std::string* damage) {
  std::string bytes;
  JournalMark mark;
  bool salvaged = options_.below_was_salvaged;
  Status status = below_->read(mark_key(), &bytes);
  if (status.code() == Code::kCorruption) {
    Result<std::string> done = below_->salvage(status);
    if (!done.ok()) return done.status();
    *damage = std::move(done).value();
    salvaged = true;
  } else if (!status.ok() && status.code() != Code::kNotFound) {
    return status;
  }
  const bool known = status.ok() && !salvaged && parse_journal_mark(bytes, &mark);
  auto found = recover_journal(*disk_, known ? &mark : nullptr, {options_.fresh_id, salvaged});
  if (!found.ok()) return found.status();
  RecoveredJournal recovered = std::move(found).value();
  store_id_ = recovered.beginning.store_id;
  is_new_ = !known && !salvaged && recovered.damage.empty();
  if (!recovered.damage.empty()) {
    *damage += damage->empty() ? "" : "; ";
    *damage += "the journal was damaged (" + recovered.damage + "); what could be read was saved";
    Result<std::string> kept = options_.keeps_damaged ? disk_->set_aside() : std::string();
    if (!kept.ok()) return kept.status();
    if (!kept.value().empty()) *damage += "; a copy of it is kept in " + kept.value();
  }
  {
    const MutexLock below(below_mutex_);
    const MutexLock guard(mutex_);
    for (const RecoveredJournal::Change& change : recovered.changes) {
      if (!is_fact(change.key)) continue;
      Fact fact{std::nullopt, recovered.beginning.last_sequence};
      if (!change.erase) fact.value = change.value;
      facts_.emplace(change.key, std::move(fact));
    }
    std::erase_if(recovered.changes, [](const auto& change) { return is_fact(change.key); });
    recovered_ = std::move(recovered.changes);
    holds_objects_ = !recovered_.empty();
    status = journal_.begin(std::move(recovered.beginning));
    const JournalMark now{store_id_, journal_.oldest(), false};
    if (status.ok() && !(known && mark == now)) status = write_mark(now);
    if (!status.ok()) return status;
    note_used();
  }
  return damage->empty() && !salvaged ? Status() : erase_facts(options_.salvage_erases);
}

Status JournaledStore::write_mark(const JournalMark& mark) {
  StoreBatch batch;
  batch.put(mark_key(), encode_journal_mark(mark));
  return below_->write(batch, true);
}

Status JournaledStore::write(const StoreBatch& batch, bool sync) {
  if (batch.empty()) return {};
  if (!options_.written_through.empty()) {
    if (Status status = write_through(batch); !status.ok()) return status;
  }
  const MutexLock guard(mutex_);
  return append(batch, sync);
}

Status JournaledStore::append(const StoreBatch& batch, bool sync) {
  if (failed_) return refused();
  const bool has_objects = !is_fact(batch[0].key);
  const uint64_t bytes = EncodedBatch::bytes_of(batch);
  Status status = has_objects ? wait_for_room(bytes) : Status();
  if (failed_) return refused();  // a sync beside
  if (status.ok()) status = journal_.make_room_for(bytes);
  if (!status.ok()) {  // nothing of it was written
    refused_bytes_ = bytes;
    return status;
  }
  status = journal_.append(batch);
  if (status.ok() && sync) {
    const Journal::Unsynced unsynced = journal_.take_unsynced();
    status = journal_.sync_slots(unsynced);
    if (status.ok()) journal_.note_synced(unsynced);
    if (!status.ok()) doubt_ = true;
  }
  failed_ = !status.ok();
  if (failed_) return status;
  note_facts(batch);
  note_used();
  if (has_objects) holds_objects_.store(true, std::memory_order_release);
  if (has_objects) changes_ += batch.size();
  return {};
}

// Where no checkpoint is under way waiting would not help.
bool JournaledStore::is_full_for(uint64_t bytes) const {
  return options_.waits_for_room && checkpoint_runs() && !lets_through_ &&
         !journal_.has_room_for(bytes);
}

// Of a journal that is full: ok where it soon is not.
Status JournaledStore::why_full() const {
  const MutexLock guard(trouble_mutex_);
  if (trouble_.ok()) return {};
  return {trouble_.code(), "the journal is full, and the checkpoint that would empty it fails: " +
                               trouble_.message()};
}

Status JournaledStore::wait_for_room(uint64_t bytes) {
  while (is_full_for(bytes) && !failed_) {
    if (Status status = why_full(); !status.ok()) return status;
    const Clock::time_point began = Clock::now();
    write_waits_ = true;
    room_.wait(mutex_);
    write_waits_ = false;
    stalled_ += Clock::now() - began;
  }
  return {};
}

Status JournaledStore::write_through(const StoreBatch& batch) {
  for (size_t at = 0; at < batch.size(); ++at) {
    const StoreBatch::Change change = batch[at];
    if (change.key != options_.written_through) continue;
    std::string stored;
    if (below_->read(change.key, &stored).ok() && stored == change.value) continue;
    StoreBatch alone;
    alone.put(change.key, change.value);
    const MutexLock below(below_mutex_);
    return below_->write(alone, true);
  }
  return {};
}

// They stand behind the objects of a batch.
void JournaledStore::note_facts(const StoreBatch& batch) {
  for (size_t at = batch.size(); at > 0; --at) {
    const StoreBatch::Change change = batch[at - 1];
    if (!is_fact(change.key)) break;
    Fact fact{std::nullopt, journal_.last_sequence()};
    std::string whole;
    if (!change.erase) fact.value = change.whole_value(whole);
    facts_.insert_or_assign(std::string(change.key), std::move(fact));
  }
}

Status JournaledStore::sync() {
  const MutexLock order(sync_mutex_);
  Journal::Unsynced unsynced;
  {
    const MutexLock guard(mutex_);
    if (failed_) return refused();
    unsynced = journal_.take_unsynced();
  }
  Status status = journal_.sync_slots(unsynced);
  const MutexLock guard(mutex_);
  if (status.ok()) {
    journal_.note_synced(unsynced);
  } else {
    failed_ = doubt_ = true;
    room_.notify_all();  // no checkpoint ends before a reopen()
  }
  return status;
}

Status JournaledStore::read(std::string_view key, std::string* value) const {
  if (is_fact(key)) {
    const MutexLock guard(mutex_);
    const auto fact = facts_.find(key);
    if (fact != facts_.end()) {
      if (!fact->second.value) return {Code::kNotFound, "erased"};
      *value = *fact->second.value;
      return {};
    }
  } else if (!recovered_.empty()) {
    const std::vector<Overlay> found = overlay(key, std::string(key) + '\0');
    if (!found.empty()) {
      if (!found[0].value) return {Code::kNotFound, "erased"};
      *value = *found[0].value;
      return {};
    }
  }
  return below_->read(key, value);
}

auto JournaledStore::first_recovered(std::string_view key) const -> Recovered::const_iterator {
  const auto before = [](const RecoveredJournal::Change& change, std::string_view bytes) {
    return change.key < bytes;
  };
  return std::lower_bound(recovered_.begin(), recovered_.end(), key, before);
}

auto JournaledStore::overlay(std::string_view begin, std::string_view end) const
    -> std::vector<Overlay> {
  std::vector<Overlay> found;
  for (auto change = first_recovered(begin);
       change != recovered_.end() && (end.empty() || change->key < end); ++change) {
    found.push_back({std::string(change->key), std::nullopt});
    if (!change->erase) found.back().value = change->value;
  }
  const MutexLock guard(mutex_);
  for (auto fact = facts_.lower_bound(begin); fact != facts_.end(); ++fact) {
    if (!end.empty() && fact->first >= end) break;
    found.push_back({fact->first, fact->second.value});
  }
  return found;
}

Status JournaledStore::scan(
    std::string_view begin, std::string_view end,
    FunctionRef<bool(std::string_view key, std::string_view value)> fn) const {
  if (recovered_.empty() && reaches_objects(begin) && !end.empty() && end[0] != kFactPrefix) {
    return below_->scan(begin, end, fn);
  }
  const std::vector<Overlay> here = overlay(begin, end);
  size_t next = 0;
  bool more = true;
  const auto show_here = [&] {
    const Overlay& item = here[next++];
    if (item.value) more = fn(item.key, *item.value);
  };
  Status status = below_->scan(begin, end, [&](std::string_view key, std::string_view value) {
    while (more && next < here.size() && here[next].key < key) show_here();
    if (more && next < here.size() && here[next].key == key) {
      show_here();
    } else if (more) {
      more = fn(key, value);
    }
    return more;
  });
  while (status.ok() && more && next < here.size()) show_here();
  return status;
}

Status JournaledStore::scan_at_start(std::string_view begin, std::string_view end,
                                     FunctionRef<void(const StoredItem& item)> fn) const {
  auto here = first_recovered(begin);
  const auto last = end.empty() ? recovered_.end() : first_recovered(end);
  const auto show_here = [&] {
    // Each lies elsewhere in what was read.
    if (last - here > kAhead) __builtin_prefetch((here + kAhead)->key.data());
    fn({here->key, here->value, true, here->erase});
    ++here;
  };
  Status status = below_->scan(begin, end, [&](std::string_view key, std::string_view value) {
    while (here != last && here->key < key) show_here();
    if (here != last && here->key == key) {
      show_here();
    } else {
      fn({key, value});
    }
    return true;
  });
  while (here != last) show_here();
  return status;
}

void JournaledStore::end_start() {
  recovered_.clear();
  recovered_.shrink_to_fit();
  disk_->done_reading();
}

// What was appended and not synced may be lost: the facts are appended again, and the table has its
// objects written again (CommitQueue::write_journaled_again).
Status JournaledStore::reopen() {
  {
    const MutexLock guard(mutex_);
    // Only room is missing: what a checkpoint put below would be lost by opening that anew.
    if (!failed_ && refused_bytes_ != 0 && checkpoint_runs()) return make_room();
  }
  if (Status status = recover_below(); !status.ok()) return status;
  const MutexLock guard(mutex_);
  if (!failed_) return make_room();
  if (Status status = journal_.rotate(); !status.ok()) return status;
  StoreBatch batch;
  for (const auto& [key, fact] : facts_) {
    fact.value ? batch.put(key, *fact.value) : batch.erase(key);
  }
  failed_ = false;
  holds_objects_.store(true, std::memory_order_release);  // in segments that a checkpoint ends
  return batch.empty() ? Status() : append(batch, false);
}

// For what was refused last: else the store would be back for a moment, again and again.
Status JournaledStore::make_room() {
  Status status = is_full_for(refused_bytes_) ? why_full() : Status();
  if (status.ok()) status = journal_.make_room_for(refused_bytes_);
  if (status.ok()) refused_bytes_ = 0;
  return status;
}

Result<std::string> JournaledStore::salvage(const Status& damage) {
  Result<std::string> done = std::string();
  {
    const MutexLock below(below_mutex_);
    done = below_->salvage(damage);
    if (!done.ok()) return done;
    generation_.fetch_add(1, std::memory_order_acq_rel);
    end_trouble();
    uint64_t oldest;
    {
      const MutexLock guard(mutex_);
      oldest = journal_.oldest();
    }
    if (Status status = write_mark({store_id_, oldest, false}); !status.ok()) return status;
  }
  if (Status status = erase_facts(options_.salvage_erases); !status.ok()) return status;
  if (Status status = reopen(); !status.ok()) return status;
  return done;
}

// They say something of all of the store that is not true any more.
Status JournaledStore::erase_facts(std::string_view key) {
  if (key.empty()) return {};
  StoreBatch batch;
  batch.erase(key);
  const MutexLock guard(mutex_);
  if (!failed_) return append(batch, true);
  note_facts(batch);  // reopen() appends it
  return {};
}

Status JournaledStore::begin_checkpoint() {
  const MutexLock guard(mutex_);
  KVORUM_CHECK(!checkpoint_runs());
  if (failed_) return refused();
  const Status status = begin_epoch();
  {
    const MutexLock trouble(trouble_mutex_);
    trouble_ = status;
  }
  if (status.ok()) return {};
  due_.store(false, std::memory_order_relaxed);
  begin_again_at_ = Clock::now() + kBeginAgain;
  return status;
}

Status JournaledStore::begin_epoch() {
  checkpoint_sequence_ = journal_.last_sequence();
  Status status = journal_.make_room_to_rotate();
  if (!status.ok()) return status;  // the segment of now goes on
  status = journal_.rotate();
  failed_ = !status.ok();
  if (failed_) return status;
  checkpoint_number_ = journal_.current();
  changes_begun_ = changes_;
  begun_at_ = Clock::now();
  holds_objects_.store(false, std::memory_order_release);
  runs_.store(true, std::memory_order_release);
  return {};
}

Status JournaledStore::put_below(const StoreBatch& batch) {
  const MutexLock below(below_mutex_);
  return note_below(below_->write(batch, false));
}

// The last that is written beneath, so that where it is there all before it is.
Status JournaledStore::put_last(const Facts& facts, const JournalMark& mark) {
  StoreBatch batch;
  for (const auto& [key, fact] : facts) {
    fact.value ? batch.put(key, *fact.value) : batch.erase(key);
  }
  batch.put(mark_key(), encode_journal_mark(mark));
  return note_below(below_->write(batch, true));
}

Status JournaledStore::end_checkpoint(uint64_t generation) {
  KVORUM_CHECK(checkpoint_runs());
  Facts facts;
  uint64_t number;
  {
    const MutexLock guard(mutex_);
    number = planted(PlantedBug::kRetireEarly) ? journal_.current() : checkpoint_number_;
    for (const auto& [key, fact] : facts_) {
      if (fact.sequence <= checkpoint_sequence_) facts.emplace(key, fact);
    }
  }
  {
    const MutexLock below(below_mutex_);
    if (generation != this->generation()) return {Code::kUnavailable, "the store was reopened"};
    Status status = put_last(facts, {store_id_, number, false});
    if (!status.ok()) return status;
  }
  const MutexLock order(sync_mutex_);
  const MutexLock guard(mutex_);
  for (const auto& [key, fact] : facts) {
    const auto known = facts_.find(key);
    if (known != facts_.end() && known->second.sequence == fact.sequence) facts_.erase(known);
  }
  journal_.retire_before(number);
  ++checkpoints_;
  changes_ended_ = changes_begun_;
  last_took_ = Clock::now() - begun_at_;
  end_trouble();
  lets_through_ = false;
  note_used();
  runs_.store(false, std::memory_order_release);
  room_.notify_all();
  return {};
}

void JournaledStore::let_through() {
  const MutexLock guard(mutex_);
  lets_through_ = true;
  room_.notify_all();
}

Status JournaledStore::recover_below() {
  Status status;
  {
    const MutexLock below(below_mutex_);
    status = below_->reopen();
    generation_.fetch_add(1, std::memory_order_acq_rel);  // what was not synced is gone, perhaps
  }
  if (!status.ok()) return note_below(status);
  if (!checkpoint_runs()) end_trouble();
  return {};
}

void JournaledStore::end_trouble() {
  const MutexLock guard(trouble_mutex_);
  trouble_ = {};
}

Status JournaledStore::note_below(Status status) {
  if (status.ok()) return status;
  {
    const MutexLock guard(trouble_mutex_);
    trouble_ = status;
  }
  const MutexLock guard(mutex_);
  room_.notify_all();
  return status;
}

Status JournaledStore::close() {
  Facts facts;
  uint64_t next;
  {
    const MutexLock guard(mutex_);
    if (failed_ || checkpoint_runs() || holds_objects()) return {};  // the next start reads it
    facts = facts_;
    next = journal_.current() + 1;
  }
  const MutexLock below(below_mutex_);
  return put_last(facts, {store_id_, next, true});
}

}  // namespace kvorum::engine

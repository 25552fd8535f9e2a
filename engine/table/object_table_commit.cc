// SPDX-License-Identifier: Apache-2.0
// Group commit: one round takes the partitions that are dirty, encodes their objects as they are
// and writes them in batches of bounded size. The round's ticket is published after the last one.
#include <algorithm>

#include "base/check.h"
#include "engine/table/object_table.h"
#include "engine/table/object_table_impl.h"

namespace kvorum::engine {
namespace {

constexpr size_t kBatchBytesMax = 16 * 1024 * 1024;
constexpr size_t kBegunTogether = 32;

}  // namespace

struct ObjectTable::Impl::Round {
  bool sync = false;
  Ticket ticket = 0;
  std::vector<PartitionTable*> partitions;
  size_t begun = 0;    // partitions whose dirty list was taken
  size_t encoded = 0;  // of them, those that are done
  size_t written = 0;
};

// Until it is written, what is encoded into a batch cannot be evicted: a load would read the past.
void ObjectTable::Impl::begin_batch() {
  batch_number = (batch_number + 1) % Entry::kBatchNumbers;
  shared.batch_in_flight.store(batch_number, std::memory_order_relaxed);
}

Status ObjectTable::Impl::write_batch(Round& round) {
  if (batch.empty()) return {};
  fill_positions(batch, shared.options.partitioner);
  const size_t objects = batch.size();
  add_tree_tail();
  Status status = shared.options.store->write(batch, round.sync);
  if (!status.ok()) return status;
  shared.batch_in_flight.store(TableShared::kNoBatch, std::memory_order_relaxed);
  for (size_t at = 0; at < objects; ++at) {
    const StoreBatch::Change change = batch[at];
    if (!change.erase) continue;
    KeyRef key;
    KVORUM_CHECK(parse_store_key(change.key, &key));
    PartitionTable& table = get(key);
    const std::lock_guard guard(table.lock());
    table.forget_erased(key);
  }
  round.written += objects;
  batch.clear();
  begin_batch();
  return {};
}

// Takes the dirty lists of a few partitions at a time: what they point at is on its way into the
// caches while the others are taken.
void ObjectTable::Impl::begin_partitions(Round& round) {
  const size_t first = round.begun;
  const size_t end = std::min(round.partitions.size(), first + kBegunTogether);
  for (; round.begun < end; ++round.begun) {
    const std::lock_guard guard(round.partitions[round.begun]->lock());
    round.partitions[round.begun]->begin_round(round.ticket);
  }
  for (size_t at = first; at < end; ++at) {
    const std::lock_guard guard(round.partitions[at]->lock());
    round.partitions[at]->prefetch_taken();
  }
}

// Encodes a partition, a bounded stretch under the lock at a time; writes batches that got full.
Status ObjectTable::Impl::write_partition(Round& round, PartitionTable& table) {
  for (bool more = true; more;) {
    {
      const std::lock_guard guard(table.lock());
      more = table.encode_some(batch);
      table.take_tree_changes(tree_changes);
    }
    if (batch.bytes() < kBatchBytesMax) continue;
    Status status = write_batch(round);
    if (!status.ok()) return status;
  }
  return {};
}

// What the failed batch and the rest of the round held is dirty again before it may be evicted.
void ObjectTable::Impl::fail_round(Round& round) {
  shared.failed.store(true, std::memory_order_release);
  for (size_t at = 0; at < batch.size(); ++at) {
    KeyRef key;
    if (batch[at].key.front() == kFactPrefix) continue;  // the tail of the trees
    KVORUM_CHECK(parse_store_key(batch[at].key, &key));
    PartitionTable& table = get(key);
    const std::lock_guard guard(table.lock());
    table.redirty(key);
  }
  batch.clear();
  for (size_t i = 0; i < round.partitions.size(); ++i) {
    PartitionTable& table = *round.partitions[i];
    const std::lock_guard guard(table.lock());
    if (i >= round.begun) table.begin_round(round.ticket);
    table.redirty_taken();
  }
  forget_kept_trees();
}

Result<size_t> ObjectTable::commit(bool sync) {
  if (failed()) return Status(Code::kUnavailable, "the store failed and was not reopened yet");
  if (!has_dirty()) return size_t{0};
  Impl::Round round;
  round.sync = sync;
  round.ticket = impl_->shared.dirty.take(round.partitions);
  impl_->begin_batch();
  Status status;
  for (; round.encoded < round.partitions.size() && status.ok(); ++round.encoded) {
    if (round.encoded == round.begun) impl_->begin_partitions(round);
    status = impl_->write_partition(round, *round.partitions[round.encoded]);
  }
  if (status.ok()) status = impl_->write_batch(round);
  if (!status.ok()) impl_->fail_round(round);
  impl_->shared.batch_in_flight.store(TableShared::kNoBatch, std::memory_order_relaxed);
  if (!status.ok()) return status;
  impl_->committed.store(round.ticket, std::memory_order_release);
  if (sync) note_synced(round.ticket);
  return round.written;
}

Ticket ObjectTable::committed() const { return impl_->committed.load(std::memory_order_acquire); }

Ticket ObjectTable::issued() const { return impl_->shared.dirty.issued(); }

Ticket ObjectTable::synced() const { return impl_->synced.load(std::memory_order_acquire); }

void ObjectTable::note_synced(Ticket ticket) {
  impl_->synced.store(ticket, std::memory_order_release);
  if (impl_->shared.filing) impl_->shared.filing->note_synced(ticket);
}

bool ObjectTable::has_dirty() const { return impl_->shared.dirty.any(); }

bool ObjectTable::failed() const { return impl_->shared.failed.load(std::memory_order_acquire); }

void ObjectTable::fail() { impl_->shared.failed.store(true, std::memory_order_release); }

void ObjectTable::recover() {
  // What a load met before counts no more; what it read may not be there any more.
  impl_->store_damaged.store(false);
  if (impl_->losing.exchange(false)) {
    impl_->for_each_table([](PartitionTable& table) {
      const std::lock_guard guard(table.lock());
      table.void_loads();
    });
  }
  impl_->shared.failed.store(false, std::memory_order_release);
  if (has_dirty()) impl_->call_dirty_callback();
}

void ObjectTable::set_loss_listener(LossListener* listener) { impl_->listener = listener; }

bool ObjectTable::store_damaged() const { return impl_->store_damaged.load(); }

void ObjectTable::lose_all() {
  impl_->losing.store(true);
  impl_->store_damaged.store(false);
  if (impl_->listener != nullptr) impl_->listener->on_loss_of_all();
  impl_->for_each_table([this](PartitionTable& table) {
    const std::lock_guard guard(table.lock());
    if (impl_->listener != nullptr) {
      table.distrust();
    } else {
      table.rewrite_all();
    }
  });
}

StoreFaults& StoreFaults::operator+=(const StoreFaults& other) {
  writes_failed += other.writes_failed;
  syncs_failed += other.syncs_failed;
  disk_full += other.disk_full;
  reads_failed += other.reads_failed;
  damage_met += other.damage_met;
  copies_lost += other.copies_lost;
  salvages += other.salvages;
  return *this;
}

StoreFaults ObjectTable::faults() const {
  const auto& counted = impl_->faults;
  return {counted.writes.load(),  counted.syncs.load(),  counted.full.load(),
          counted.reads.load(),   counted.damage.load(), impl_->differing_trees.size(),
          counted.salvages.load()};
}

void ObjectTable::note_fault(const Status& status, bool of_sync) {
  auto& counted = impl_->faults;
  std::atomic<uint64_t>* kind = of_sync ? &counted.syncs : &counted.writes;
  if (status.code() == Code::kNoSpace) kind = &counted.full;
  if (status.code() == Code::kCorruption) kind = &counted.damage;
  kind->fetch_add(1, std::memory_order_relaxed);
}

void ObjectTable::note_salvage() { impl_->faults.salvages.fetch_add(1, std::memory_order_relaxed); }

void ObjectTable::set_dirty_callback(void (*fn)(void*), void* argument) {
  impl_->dirty_callback = fn;
  impl_->dirty_argument = argument;
}

}  // namespace kvorum::engine

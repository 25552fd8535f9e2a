// SPDX-License-Identifier: Apache-2.0
// Group commit: one round takes the partitions that are dirty, encodes their objects as they are
// and writes them in batches of bounded size. The round's ticket is published after the last one.
#include "base/check.h"
#include "engine/object_table.h"
#include "engine/object_table_impl.h"

namespace kvorum::engine {
namespace {

constexpr uint64_t kBatchBytesMax = 16 * 1024 * 1024;

}  // namespace

struct ObjectTable::Impl::Round {
  bool sync = false;
  Ticket ticket = 0;
  std::vector<PartitionTable*> partitions;
  size_t begun = 0;  // partitions whose dirty list was taken
  StoreBatch batch;
  uint64_t batch_bytes = 0;
  size_t written = 0;
};

// Until it is written, what is encoded into a batch cannot be evicted: a load would read the past.
void ObjectTable::Impl::begin_batch() {
  batch_number = (batch_number + 1) % Entry::kBatchNumbers;
  shared.batch_in_flight.store(batch_number, std::memory_order_relaxed);
}

Status ObjectTable::Impl::write_batch(Round& round) {
  if (round.batch.changes.empty()) return {};
  Status status = shared.options.store->write(round.batch, round.sync);
  if (!status.ok()) return status;
  shared.batch_in_flight.store(TableShared::kNoBatch, std::memory_order_relaxed);
  for (const StoreBatch::Change& change : round.batch.changes) {
    if (!change.erase) continue;
    KeyRef key;
    KVORUM_CHECK(parse_store_key(change.key, &key));
    PartitionTable& table = get(key);
    const std::lock_guard guard(table.lock());
    table.forget_erased(key);
  }
  round.written += round.batch.changes.size();
  round.batch.changes.clear();
  round.batch_bytes = 0;
  begin_batch();
  return {};
}

// Encodes a partition, a bounded stretch under the lock at a time; writes batches that got full.
Status ObjectTable::Impl::write_partition(Round& round, PartitionTable& table) {
  {
    const std::lock_guard guard(table.lock());
    table.begin_round(round.ticket);
    ++round.begun;
  }
  for (bool more = true; more;) {
    {
      const std::lock_guard guard(table.lock());
      more = table.encode_some(round.batch, &round.batch_bytes);
    }
    if (round.batch_bytes < kBatchBytesMax) continue;
    Status status = write_batch(round);
    if (!status.ok()) return status;
  }
  return {};
}

// What the failed batch and the rest of the round held is dirty again before it may be evicted.
void ObjectTable::Impl::fail_round(Round& round) {
  shared.failed.store(true, std::memory_order_release);
  for (const StoreBatch::Change& change : round.batch.changes) {
    KeyRef key;
    KVORUM_CHECK(parse_store_key(change.key, &key));
    PartitionTable& table = get(key);
    const std::lock_guard guard(table.lock());
    table.redirty(key);
  }
  for (size_t i = 0; i < round.partitions.size(); ++i) {
    PartitionTable& table = *round.partitions[i];
    const std::lock_guard guard(table.lock());
    if (i >= round.begun) table.begin_round(round.ticket);
    table.redirty_taken();
  }
}

Result<size_t> ObjectTable::commit(bool sync) {
  if (failed()) return Status(Code::kUnavailable, "the store failed and was not reopened yet");
  if (!has_dirty()) return size_t{0};
  Impl::Round round;
  round.sync = sync;
  round.ticket = impl_->shared.dirty.take(round.partitions);
  impl_->begin_batch();
  Status status;
  while (round.begun < round.partitions.size() && status.ok()) {
    status = impl_->write_partition(round, *round.partitions[round.begun]);
  }
  if (status.ok()) status = impl_->write_batch(round);
  if (!status.ok()) impl_->fail_round(round);
  impl_->shared.batch_in_flight.store(TableShared::kNoBatch, std::memory_order_relaxed);
  if (!status.ok()) return status;
  impl_->committed.store(round.ticket, std::memory_order_release);
  return round.written;
}

Ticket ObjectTable::committed() const { return impl_->committed.load(std::memory_order_acquire); }

bool ObjectTable::has_dirty() const { return impl_->shared.dirty.any(); }

bool ObjectTable::failed() const { return impl_->shared.failed.load(std::memory_order_acquire); }

void ObjectTable::fail() { impl_->shared.failed.store(true, std::memory_order_release); }

void ObjectTable::recover() {
  impl_->shared.failed.store(false, std::memory_order_release);
  if (has_dirty()) impl_->call_dirty_callback();
}

void ObjectTable::set_dirty_callback(void (*fn)(void*), void* argument) {
  impl_->dirty_callback = fn;
  impl_->dirty_argument = argument;
}

}  // namespace kvorum::engine

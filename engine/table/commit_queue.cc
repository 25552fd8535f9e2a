// SPDX-License-Identifier: Apache-2.0
#include "engine/table/commit_queue.h"

#include <algorithm>

#include "base/check.h"
#include "engine/journal/journaled_store.h"

namespace kvorum::engine {
namespace {

constexpr size_t kBatchBytesMax = 16 * 1024 * 1024;
constexpr size_t kBegunTogether = 32;

}  // namespace

// Until it is written, what is encoded into a batch cannot be evicted: a load would read the past.
void CommitQueue::begin_batch() {
  if (checkpoint_is_due()) begin_checkpoint();
  batch_number_ = (batch_number_ + 1) % Entry::kBatchNumbers;
  directory_.shared().batch_in_flight.store(batch_number_, std::memory_order_relaxed);
}

bool CommitQueue::checkpoint_is_due() const {
  const JournaledStore* const journal = directory_.options().journal;
  if (journal == nullptr || journal->checkpoint_runs()) return false;
  const TableShared& shared = directory_.shared();
  if (shared.epochs.now().pending != 0) return false;  // the last one's end is not over
  return journal->checkpoint_due() || shared.checkpoint_wanted.load(std::memory_order_relaxed);
}

// Where the journal cannot begin another segment the write that follows says so.
void CommitQueue::begin_checkpoint() {
  TableShared& shared = directory_.shared();
  shared.checkpoint_wanted.store(false, std::memory_order_relaxed);
  if (!directory_.options().journal->begin_checkpoint().ok()) return;
  shared.epochs.begin();
  if (on_checkpoint_ != nullptr) on_checkpoint_(checkpoint_argument_);
}

void CommitQueue::write_journaled_again() {
  directory_.for_each([](PartitionTable& table) {
    const SpinLockGuard guard(table.lock());
    table.rewrite_journaled();
  });
}

Status CommitQueue::write_batch(Round& round) {
  if (batch_.empty()) return {};
  KVORUM_CHECK(directory_.shared().batch_in_flight.load(std::memory_order_relaxed) ==
               batch_number_);
  fill_positions(batch_, directory_.options().partitioner);
  const size_t objects = batch_.size();
  trees_.add_tail(batch_);
  Status status = directory_.options().store->write(batch_, round.sync);
  if (!status.ok()) return status;
  directory_.shared().batch_in_flight.store(TableShared::kNoBatch, std::memory_order_relaxed);
  for (size_t at = 0; at < objects; ++at) {
    const StoreBatch::Change change = batch_[at];
    if (!change.erase) continue;
    KeyRef key;
    KVORUM_CHECK(parse_store_key(change.key, &key));
    PartitionTable& table = directory_.get(key);
    const SpinLockGuard guard(table.lock());
    table.forget_erased(key);
  }
  round.written += objects;
  batch_.clear();
  begin_batch();
  return {};
}

// Takes the dirty lists of a few partitions at a time: what they point at is on its way into the
// caches while the others are taken.
void CommitQueue::begin_partitions(Round& round) {
  KVORUM_CHECK(round.encoded == round.begun && round.begun < round.partitions.size());
  const size_t first = round.begun;
  const size_t end = std::min(round.partitions.size(), first + kBegunTogether);
  for (; round.begun < end; ++round.begun) {
    const SpinLockGuard guard(round.partitions[round.begun]->lock());
    round.partitions[round.begun]->begin_round(round.ticket);
  }
  for (size_t at = first; at < end; ++at) {
    const SpinLockGuard guard(round.partitions[at]->lock());
    round.partitions[at]->prefetch_taken();
  }
}

// Encodes a partition, a bounded stretch under the lock at a time; writes batches that got full.
Status CommitQueue::write_partition(Round& round, PartitionTable& table) {
  for (bool more = true; more;) {
    {
      const SpinLockGuard guard(table.lock());
      more = table.encode_some(batch_);
      trees_.take_changes(table);
    }
    if (batch_.bytes() < kBatchBytesMax) continue;
    Status status = write_batch(round);
    if (!status.ok()) return status;
  }
  return {};
}

// What the failed batch and the rest of the round held is dirty again before it may be evicted.
void CommitQueue::fail_round(Round& round) {
  health_.fail();
  for (size_t at = 0; at < batch_.size(); ++at) {
    KeyRef key;
    if (batch_[at].key.front() == kFactPrefix) continue;  // the tail of the trees
    KVORUM_CHECK(parse_store_key(batch_[at].key, &key));
    PartitionTable& table = directory_.get(key);
    const SpinLockGuard guard(table.lock());
    table.redirty(key);
  }
  batch_.clear();
  for (size_t i = 0; i < round.partitions.size(); ++i) {
    PartitionTable& table = *round.partitions[i];
    const SpinLockGuard guard(table.lock());
    if (i >= round.begun) table.begin_round(round.ticket);
    table.redirty_taken();
  }
  trees_.forget_kept();
}

Result<size_t> CommitQueue::commit(bool sync) {
  if (Status status = health_.may_write(); !status.ok()) return status;
  if (!has_dirty()) return size_t{0};
  Round round;
  round.sync = sync;
  round.ticket = directory_.shared().dirty.take(round.partitions);
  KVORUM_CHECK(batch_.empty() && round.ticket > committed());
  begin_batch();
  Status status;
  for (; round.encoded < round.partitions.size() && status.ok(); ++round.encoded) {
    if (round.encoded == round.begun) begin_partitions(round);
    status = write_partition(round, *round.partitions[round.encoded]);
  }
  if (status.ok()) status = write_batch(round);
  if (!status.ok()) fail_round(round);
  directory_.shared().batch_in_flight.store(TableShared::kNoBatch, std::memory_order_relaxed);
  if (!status.ok()) return status;
  committed_.store(round.ticket, std::memory_order_release);
  if (sync) note_synced(round.ticket);
  return round.written;
}

void CommitQueue::note_synced(Ticket ticket) {
  KVORUM_CHECK(ticket <= committed());
  synced_.store(ticket, std::memory_order_release);
  if (directory_.shared().filing) directory_.shared().filing->note_synced(ticket);
}

}  // namespace kvorum::engine

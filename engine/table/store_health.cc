// SPDX-License-Identifier: Apache-2.0
#include "engine/table/store_health.h"

#include "base/check.h"

namespace kvorum::engine {

Status StoreHealth::may_write() const {
  if (!failed()) return {};
  return {Code::kUnavailable, "the store failed and was not reopened yet"};
}

void StoreHealth::recover() {
  // What a load met before counts no more; what it read may not be there any more.
  damaged_.store(false);
  if (losing_.exchange(false)) {
    directory_.for_each([](PartitionTable& table) {
      const SpinLockGuard guard(table.lock());
      table.void_loads();
    });
  }
  failed_.store(false, std::memory_order_release);
  const DirtyQueue& dirty = directory_.shared().dirty;
  if (dirty.any()) dirty.call_back();
}

void StoreHealth::lose_all() {
  losing_.store(true);
  damaged_.store(false);
  if (listener_ != nullptr) listener_->on_loss_of_all();
  directory_.for_each([this](PartitionTable& table) {
    const SpinLockGuard guard(table.lock());
    if (listener_ != nullptr) {
      table.distrust();
    } else {
      table.rewrite_all();
    }
  });
}

Status StoreHealth::lose(PartitionTable& table, const KeyRef& key, const FileReference& file) {
  damage_met_.fetch_add(1, std::memory_order_relaxed);
  if (listener_ == nullptr) return {Code::kCorruption, "an object in the store is damaged"};
  listener_->on_loss(key.keyspace, partition_of(key.position, directory_.options().partition_bits));
  PartitionTable::Outcome outcome;
  {
    const SpinLockGuard guard(table.lock());
    table.distrust();
    outcome = table.forget(key, file);
  }
  if (outcome.turned_dirty) directory_.shared().dirty.call_back();
  return {};
}

StoreFaults StoreHealth::faults() const {
  return {writes_failed_.load(), syncs_failed_.load(), disk_full_.load(), reads_failed_.load(),
          damage_met_.load(),    copies_lost_.load(),  salvages_.load()};
}

void StoreHealth::note_fault(const Status& status, bool of_sync) {
  KVORUM_CHECK(!status.ok());
  std::atomic<uint64_t>* kind = of_sync ? &syncs_failed_ : &writes_failed_;
  if (status.code() == Code::kNoSpace) kind = &disk_full_;
  if (status.code() == Code::kCorruption) kind = &damage_met_;
  kind->fetch_add(1, std::memory_order_relaxed);
}

Status StoreHealth::note_read(Status status) {
  if (status.code() == Code::kCorruption) {
    damage_met_.fetch_add(1, std::memory_order_relaxed);
    if (listener_ == nullptr) return status;
    damaged_.store(true);
    directory_.shared().dirty.call_back();
  } else if (status.code() == Code::kIoError) {
    reads_failed_.fetch_add(1, std::memory_order_relaxed);
  }
  return status;
}

}  // namespace kvorum::engine

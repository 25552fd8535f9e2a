// SPDX-License-Identifier: Apache-2.0
// How the store beneath a table fares: the faults that were met, whether it failed (updates are
// refused then, until recover()) and what it lost. Any thread, unless said otherwise, and without a
// partition's lock but for failed().
//
//   works --fail()--> failed --Store::reopen(), recover()--> works
//                       |                         ^
//                       +--lose_all(), Store::salvage()
#pragma once

#include <atomic>
#include <cstdint>

#include "base/position.h"
#include "base/status.h"
#include "engine/partition/table_directory.h"
#include "engine/store/file_reference.h"
#include "engine/table/store_faults.h"

namespace kvorum::engine {

// Told when copies of partitions on this node may have lost objects, before anybody can see it.
// Where there is one, other nodes hold copies too, and what cannot be read may be given up.
class LossListener {
 public:
  virtual ~LossListener() = default;
  virtual void on_loss(uint8_t keyspace, uint32_t partition) = 0;
  virtual void on_loss_of_all() = 0;
};

class StoreHealth {
 public:
  // `directory` outlives it.
  explicit StoreHealth(TableDirectory& directory) : directory_(directory) {}

  bool failed() const { return failed_.load(std::memory_order_acquire); }
  // A write or a sync failed: updates are refused until recover().
  void fail() { failed_.store(true, std::memory_order_release); }
  // After Store::reopen() succeeded: updates are taken again, dirty objects will be written.
  void recover();

  // Before work on the table begins.
  void set_loss_listener(LossListener* listener) { listener_ = listener; }
  // A read met damage that Store::salvage() has to mend. Only where there is a listener.
  bool damaged() const { return damaged_.load(); }
  // Around Store::salvage(), between fail() and recover(). Until their hash trees were built anew
  // partitions do not claim to know what is absent; what memory has and the store lost is written
  // again. Without a listener (hints: all in memory) all is written again at once.
  void lose_all();
  // An object in the store makes no sense, though the store's checksum holds, or its file is
  // damaged: no salvage would mend it. Erases both; kCorruption where there is no listener.
  Status lose(PartitionTable& table, const KeyRef& key, const FileReference& file);

  StoreFaults faults() const;
  // Of a write, or a sync.
  void note_fault(const Status& status, bool of_sync);
  // What a read of the store came to; returns it. Damage is told to whoever commits.
  Status note_read(Status status);
  void note_salvage() { salvages_.fetch_add(1, std::memory_order_relaxed); }
  // Partitions that did not hold, at the start, what their hash trees said.
  void note_lost_copies(uint64_t count) { copies_lost_.store(count, std::memory_order_relaxed); }

 private:
  TableDirectory& directory_;
  std::atomic<bool> failed_{false};
  std::atomic<bool> damaged_{false}, losing_{false};
  LossListener* listener_ = nullptr;
  std::atomic<uint64_t> writes_failed_{0}, syncs_failed_{0}, disk_full_{0}, reads_failed_{0};
  std::atomic<uint64_t> damage_met_{0}, copies_lost_{0}, salvages_{0};
};

}  // namespace kvorum::engine

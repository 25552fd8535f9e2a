// SPDX-License-Identifier: Apache-2.0
// Group commit of a table with a store: updates get the ticket of the round that will write them. A
// round takes the partitions that are dirty, encodes their objects as they are and writes them in
// batches of bounded size; its ticket is published after the last one.
//
//   update --> dirty, issued() --commit()--> committed() --sync, note_synced()--> synced()
//                ^                  |
//                +------ failed ----+   StoreHealth::fail(), until recover()
//
// commit() is called by one thread (Committer, or the simulator); all else by any, unless it says
// otherwise.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/status.h"
#include "engine/partition/table_directory.h"
#include "engine/store/store.h"
#include "engine/table/store_health.h"
#include "engine/table/tree_access.h"

namespace kvorum::engine {

class CommitQueue {
 public:
  // All outlive it.
  CommitQueue(TableDirectory& directory, StoreHealth& health, TreeAccess& trees)
      : directory_(directory), health_(health), trees_(trees) {}

  // One round: takes the dirty objects as they are, writes them, publishes the ticket. Returns the
  // number of objects. After an error the store failed (StoreHealth), and they are dirty again.
  Result<size_t> commit(bool sync);
  bool has_dirty() const { return directory_.shared().dirty.any(); }

  // With a journal, of the thread that commits: begins a checkpoint where one is due, between two
  // batches. commit() does it too.
  bool checkpoint_is_due() const;
  void begin_checkpoint();
  // What was journaled and not synced may be lost: all that only the journal has is dirty again.
  void write_journaled_again();

  // The ticket up to which updates are committed.
  Ticket committed() const { return committed_.load(std::memory_order_acquire); }
  // The ticket of the latest update: once synced() has reached it, all up to now is on the disk.
  Ticket issued() const { return directory_.shared().dirty.issued(); }
  // Commits up to this ticket survive a power cut. Without syncs of its own (`never`) whoever
  // commits says what counts as synced.
  Ticket synced() const { return synced_.load(std::memory_order_acquire); }
  void note_synced(Ticket ticket);

  // Called when the table turns from clean to dirty, or a read met damage, by the thread that did
  // it, with no lock held. Set while nobody updates.
  void set_dirty_callback(void (*callback)(void*), void* argument) {
    directory_.shared().dirty.set_callback(callback, argument);
  }
  // With a journal: called by whoever begins a checkpoint once it is begun, before anything waits
  // for its end. Set before commits begin.
  void set_checkpoint_callback(void (*callback)(void*), void* argument) {
    on_checkpoint_ = callback;
    checkpoint_argument_ = argument;
  }

 private:
  struct Round {
    bool sync = false;
    Ticket ticket = 0;
    std::vector<PartitionTable*> partitions;
    size_t begun = 0;    // partitions whose dirty list was taken
    size_t encoded = 0;  // of them, those that are done
    size_t written = 0;
  };

  void begin_batch();
  void begin_partitions(Round& round);
  Status write_batch(Round& round);
  Status write_partition(Round& round, PartitionTable& table);
  void fail_round(Round& round);

  TableDirectory& directory_;
  StoreHealth& health_;
  TreeAccess& trees_;
  std::atomic<Ticket> committed_{0};
  std::atomic<Ticket> synced_{0};
  uint32_t batch_number_ = 0;  // of the thread that commits, as is the next
  StoreBatch batch_;           // empty between rounds
  void (*on_checkpoint_)(void*) = nullptr;
  void* checkpoint_argument_ = nullptr;
};

}  // namespace kvorum::engine

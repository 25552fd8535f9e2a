// SPDX-License-Identifier: Apache-2.0
// The commit thread of a leveldb node: waits until the table is dirty, writes one batch for all
// reactors, syncs as the policy says (by interval on a thread of its own: sync_thread.h) and tells
// each reactor once per round. A store that failed is reopened, one that is damaged salvaged. Also
// owns the store threads that load objects. Started and stopped by the server; the simulator has
// its own.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "engine/table/object_table.h"

namespace kvorum::engine {

enum class SyncPolicy : uint8_t { kAlways, kInterval, kNever };

struct CommitterOptions {
  SyncPolicy sync = SyncPolicy::kInterval;
  uint32_t sync_interval_ms = 1000;
  // Rounds wait for a sync by interval that lasts so long: else a power cut would take more and
  // more (Redis waits as long).
  uint32_t sync_late_ms = 2000;
  uint32_t reopen_retry_ms = 1000;
  // Between two passes over the hash trees that the table keeps (TreeAccess::keep).
  uint32_t keep_trees_ms = 10'000;
  // Called on the commit thread after each round: (committed ticket, status of the round).
  std::function<void(Ticket, const Status&)> on_round = {};
  // Damage is mended by Store::salvage() at once; else that waits for the next start.
  bool salvages = false;
  // Called on the commit thread with what was done.
  std::function<void(const std::string&)> on_salvage = {};
};

class Committer {
 public:
  Committer(ObjectTable* table, Store* store, CommitterOptions options);
  ~Committer();  // commits and syncs what is dirty, then joins

  // Queues work for the store threads (loads, scans of partitions that are not complete).
  void run_on_store_thread(std::function<void()> work);
  // The same for loads that write large files first (StoreReader::awaits_file): other loads do not
  // wait behind megabytes.
  void run_on_file_thread(std::function<void()> work);

  uint64_t rounds() const;
  uint64_t failures() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace kvorum::engine

// SPDX-License-Identifier: Apache-2.0
// A disk that outlives its node, and the engine::Store on it, what LevelDB is to a node; beside it
// stand the slots of the journal (sim_journal.h). Written batches survive the death of the process;
// the tail that was not synced may be lost with the power, from its end, and of the journal any
// sector. Writes and reads fail while the disk is broken; as the contract of Store says, a store
// takes nothing after a failed write until it was reopened. Values may be damaged: they cannot be
// read until the disk was salvaged, and are gone then, or as they were before they were written
// last. Owned by a SimNode; one thread.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/rng.h"
#include "engine/store/store.h"
#include "tests/engine/memory_journal_disk.h"

namespace kvorum::sim {

class SimDisk {
 public:
  // Broken whenever `same_device` is.
  explicit SimDisk(uint64_t seed, const SimDisk* same_device = nullptr)
      : same_device_(same_device), rng_(seed) {}

  void write(const engine::StoreBatch& batch);
  void sync() { unsynced_.clear(); }
  // The power fails: some of the batches that were not synced are gone, newest first. Returns how
  // many.
  size_t lose_power();
  // The process ends, or opens its store anew, and there is no log: as above, but for the journal.
  size_t lose_memory();
  void wipe();
  using Values = std::map<std::string, std::string, std::less<>>;
  struct Copy {
    Values values;
    engine::testing::JournalMedium journal;
  };
  Copy copy() const { return {values_, journal_}; }
  // An old copy of the directory is put in its place.
  void restore(const Copy& copy);
  // Damages some of the objects: each with this chance. Returns how many.
  size_t damage_objects(double chance);
  // Changes bytes of the journal: false where there is none. The next start finds it.
  bool damage_journal();
  bool journal_damaged() const { return journal_damaged_; }
  void set_journal_found_damaged() { journal_damaged_ = false; }
  bool damaged() const { return !damaged_.empty(); }
  bool was_damaged() const { return was_damaged_; }  // ever
  bool damaged(std::string_view key) const { return damaged_.contains(key); }
  void salvage();
  void set_broken(bool broken) { broken_ = broken; }
  // What is there can be written again and no more.
  void set_full(bool full) { full_ = full; }
  bool full() const { return full_ || (same_device_ && same_device_->full()); }
  // With false a power cut loses all that was not synced, instead of some.
  void set_keeps_some(bool keeps_some) { keeps_some_ = keeps_some; }

  // Of a write, sync or read that fails once.
  void set_error_chance(double chance) { error_chance_ = chance; }

  bool broken() const { return broken_ || (same_device_ && same_device_->broken()); }
  bool fails_now() {
    const double chance = same_device_ ? same_device_->error_chance_ : error_chance_;
    return broken() || (chance > 0 && rng_.chance(chance));
  }
  size_t unsynced_batches() const { return unsynced_.size(); }
  const Values& values() const { return values_; }
  engine::testing::JournalMedium& journal() { return journal_; }
  Rng& rng() { return rng_; }

 private:
  // What undoes a batch: the keys it touched, as they were.
  using Before = std::vector<std::pair<std::string, std::optional<std::string>>>;

  Values values_;
  Values earlier_;  // before the last write of the key
  std::set<std::string, std::less<>> damaged_;
  std::deque<Before> unsynced_;
  const SimDisk* same_device_;
  engine::testing::JournalMedium journal_;
  bool broken_ = false, full_ = false;
  bool was_damaged_ = false, journal_damaged_ = false;
  double error_chance_ = 0;
  bool keeps_some_ = true;
  Rng rng_;
};

class SimStore final : public engine::Store {
 public:
  // Without a log what was not synced is lost from its end when the store is opened anew, too.
  explicit SimStore(SimDisk* disk, bool logged = true) : disk_(disk), logged_(logged) {}

  Status write(const engine::StoreBatch& batch, bool sync) override;
  Status sync() override;
  Status read(std::string_view key, std::string* value) const override;
  Status scan(std::string_view begin, std::string_view end,
              FunctionRef<bool(std::string_view key, std::string_view value)> fn) const override;
  Status reopen() override;
  Result<std::string> salvage(const Status& damage) override;

 private:
  SimDisk* disk_;
  const bool logged_;
  bool failed_ = false;
};

}  // namespace kvorum::sim

// SPDX-License-Identifier: Apache-2.0
// A table over a journal over a store, killed and cut from its power at every step: what is there
// afterwards is what some prefix of the commits made, and it holds all that was acknowledged.
#include "engine/commit/checkpoint.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/rng.h"
#include "engine/journal/journaled_store.h"
#include "engine/table/object_table.h"
#include "tests/engine/memory_journal_disk.h"
#include "tests/engine/test_records.h"
#include "tests/engine/unsynced_store.h"

namespace kvorum::engine::testing {
namespace {

using Value = std::optional<std::string>;

// All that was written of a key since it was looked at last.
struct Known {
  Value before;
  std::vector<std::pair<Ticket, Value>> writes;

  Value at(Ticket ticket) const {
    Value value = before;
    for (const auto& [written, later] : writes) {
      if (written <= ticket) value = later;
    }
    return value;
  }
};

class CheckpointCrashRun : public ::testing::TestWithParam<int> {
 protected:
  void start() {
    JournalOptions journal;
    journal.capacity_bytes = 64 * 1024;
    journal.fresh_id = 7;
    journal.waits_for_room = false;
    std::string damage;
    auto opened = JournaledStore::open(journal, std::make_unique<MemoryJournalDisk>(&journal_),
                                       std::make_unique<UnsyncedStore>(&below_), &damage);
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    ASSERT_EQ(damage, "");
    store_ = std::move(opened).value();
    TableOptions options;
    options.partition_bits = 2;
    options.store = store_.get();
    options.journal = store_.get();
    options.codec = &codec_;
    options.memory_bytes_max = kMemory;
    options.keeps_trees = true;
    table_ = std::make_unique<ObjectTable>(options);
    checkpoint_ = std::make_unique<Checkpoint>(*table_);
    ASSERT_TRUE(table_->store_reader().warm().ok());
    ASSERT_TRUE(table_->trees().differing().empty());
  }
  void stop() {
    checkpoints_ += store_->stats().checkpoints;
    checkpoint_.reset();
    table_.reset();
    store_.reset();
  }

  void write(const std::string& name) {
    const KeyRef key = key_ref(name);
    const bool erases = rng_.chance(0.25);
    const std::string value = std::to_string(++written_) + std::string(rng_.below(200), 'v');
    for (int attempt = 0; attempt < 5; ++attempt) {
      const UpdateResult result =
          erases ? engine::testing::erase(*table_, key) : put(*table_, key, value);
      if (result.access == Access::kDone) {
        auto& writes = known_[name].writes;
        // Of an erasure that found nothing the ticket is that of what stands there, if any.
        const Ticket before = writes.empty() ? 0 : writes.back().first;
        writes.emplace_back(std::max(before, result.ticket), erases ? Value() : value);
        return;
      }
      ASSERT_EQ(result.access, Access::kNotResident);
      ASSERT_TRUE(table_->store_reader().load(key).ok());
      ++loads_;
    }
  }
  Value read(const std::string& name) {
    Access access = Access::kNotResident;
    Value value = get(*table_, key_ref(name), &access);
    while (access == Access::kNotResident && table_->store_reader().load(key_ref(name)).ok()) {
      ++loads_;
      value = get(*table_, key_ref(name), &access);
    }
    return value;
  }
  void step_of_checkpoint() {
    if (!store_->checkpoint_runs()) {
      if (rng_.chance(0.02)) table_->commits().begin_checkpoint();
      return;
    }
    // It is opened anew where the journal failed, too, in the midst of a checkpoint.
    if (rng_.chance(0.002)) {
      below_.lose_power(rng_);
      ASSERT_TRUE(store_->recover_below().ok());
    }
    const auto step = checkpoint_->advance(1 + rng_.below(4096));
    ASSERT_TRUE(step.ok() || step.status().code() == Code::kUnavailable)
        << step.status().message();
  }

  // `least`: up to this ticket all is there. Some ticket from there on has to explain all keys.
  void check(Ticket least, Ticket last) {
    std::map<std::string, Value> found;
    for (const auto& [name, known] : known_) found[name] = read(name);
    const auto unexplained = [&](Ticket ticket) {
      return std::count_if(known_.begin(), known_.end(), [&](const auto& item) {
        return found[item.first] != item.second.at(ticket);
      });
    };
    Ticket best = least;
    for (Ticket ticket = least; ticket <= last; ++ticket) {
      if (unexplained(ticket) < unexplained(best)) best = ticket;
    }
    for (const auto& [name, known] : known_) {
      ASSERT_EQ(found[name], known.at(best))
          << name << ", at ticket " << best << " of " << least << " to " << last;
    }
    for (auto& [name, known] : known_) known = {found[name], {}};
  }

  void run(bool always) {
    start();
    for (int step = 0; step < 20000; ++step) {
      write("k" + std::to_string(rng_.below(400)));
      if (HasFatalFailure()) return;
      if (rng_.chance(0.1)) {
        ASSERT_TRUE(table_->commits().commit(always).ok());
      }
      if (rng_.chance(0.02)) {
        ASSERT_TRUE(table_->trees().keep(1 + rng_.below(400)).ok());
      }
      if (!always && rng_.chance(0.01)) {
        const Ticket committed = table_->commits().committed();
        ASSERT_TRUE(store_->sync().ok());
        table_->commits().note_synced(committed);
      }
      step_of_checkpoint();
      if (rng_.chance(0.01)) {
        const std::string name = "k" + std::to_string(rng_.below(400));
        ASSERT_EQ(read(name), known_[name].at(UINT64_MAX)) << name;
      }
      if (rng_.chance(0.003)) crash();
      if (HasFatalFailure()) return;
    }
    EXPECT_GT(crashes_, 20);
    EXPECT_GT(checkpoints_, 20U);
    EXPECT_GT(loads_, 100);
  }
  void crash() {
    ++crashes_;
    const bool power = rng_.chance(0.5);
    const CommitQueue& commits = table_->commits();
    const Ticket least = power ? commits.synced() : commits.committed(), last = commits.issued();
    stop();
    if (power) journal_.lose_power(rng_, rng_.chance(0.5) ? 0.5 : 1.0);
    below_.lose_power(rng_);  // it has no log
    start();
    if (!HasFatalFailure()) check(least, last);
  }

  static constexpr uint64_t kMemory = 40 * 1024;
  Rng rng_{static_cast<uint64_t>(GetParam())};
  JournalMedium journal_;
  StoreMedium below_;
  TestCodec codec_;
  std::unique_ptr<JournaledStore> store_;
  std::unique_ptr<ObjectTable> table_;
  std::unique_ptr<Checkpoint> checkpoint_;
  std::map<std::string, Known> known_;
  uint64_t written_ = 0, checkpoints_ = 0;
  int crashes_ = 0, loads_ = 0;
};

TEST_P(CheckpointCrashRun, SyncsBySomebody) { run(false); }
TEST_P(CheckpointCrashRun, SyncsEachCommit) { run(true); }

INSTANTIATE_TEST_SUITE_P(Seeds, CheckpointCrashRun, ::testing::Range(1, 9));

}  // namespace
}  // namespace kvorum::engine::testing

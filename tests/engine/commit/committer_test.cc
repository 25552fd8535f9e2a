// SPDX-License-Identifier: Apache-2.0
#include "engine/commit/committer.h"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <future>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include "engine/tree/kept_trees.h"
#include "tests/engine/map_store.h"
#include "tests/engine/test_records.h"

namespace kvorum::engine::testing {
namespace {

// Collects what the commit thread tells and lets the test wait for it.
class Rounds {
 public:
  void operator()(Ticket committed, const Status& status) {
    const std::lock_guard guard(mutex_);
    committed_ = committed;
    failures_ += status.ok() ? 0 : 1;
    changed_.notify_all();
  }
  void wait_for_ticket(Ticket ticket) {
    std::unique_lock guard(mutex_);
    changed_.wait(guard, [&] { return committed_ >= ticket; });
  }
  void wait_for_failure() {
    std::unique_lock guard(mutex_);
    changed_.wait(guard, [&] { return failures_ > 0; });
  }
  int failures() {
    const std::lock_guard guard(mutex_);
    return failures_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  Ticket committed_ = 0;
  int failures_ = 0;
};

class CommitterTest : public ::testing::Test {
 protected:
  void SetUp() override {
    TableOptions options;
    options.partition_bits = 2;
    options.store = &store_;
    options.codec = &codec_;
    options.keeps_trees = keeps_trees_;
    table_ = std::make_unique<ObjectTable>(options);
    ASSERT_TRUE(table_->store_reader().warm().ok());
  }
  void start(SyncPolicy sync, uint32_t sync_interval_ms = 1) {
    CommitterOptions options;
    options.sync = sync;
    options.sync_interval_ms = sync_interval_ms;
    options.sync_late_ms = sync_late_ms_;
    options.reopen_retry_ms = 1;
    options.keep_trees_ms = keep_trees_ms_;
    options.salvages = salvages_;
    options.on_round = std::ref(rounds_);
    committer_ = std::make_unique<Committer>(table_.get(), &store_, options);
  }

  bool keeps_trees_ = false;
  bool salvages_ = false;
  uint32_t sync_late_ms_ = 2000;
  uint32_t keep_trees_ms_ = 3'600'000;
  TestCodec codec_;
  MapStore store_;
  std::unique_ptr<ObjectTable> table_;
  Rounds rounds_;
  std::unique_ptr<Committer> committer_;
};

TEST_F(CommitterTest, EachUpdateIsCommittedAndToldOf) {
  start(SyncPolicy::kNever);
  for (int i = 0; i < 200; ++i) {
    const UpdateResult result = put(*table_, key_ref("k"), std::to_string(i));
    rounds_.wait_for_ticket(result.ticket);
    EXPECT_EQ(value_of(store_.values()[store_key(key_ref("k"))]), std::to_string(i));
  }
  EXPECT_GE(committer_->rounds(), 200u);
  EXPECT_EQ(committer_->failures(), 0u);
}

TEST_F(CommitterTest, UpdatesDuringARoundAreWrittenTogetherInTheNext) {
  std::promise<void> first_write, go_on;
  int writes = 0;
  store_.on_write = [&] {
    if (++writes != 1) return;
    first_write.set_value();
    go_on.get_future().wait();
  };
  start(SyncPolicy::kNever);
  put(*table_, key_ref("first"), "v");
  first_write.get_future().wait();
  Ticket last = 0;
  for (int i = 0; i < 500; ++i) last = put(*table_, key_ref("k" + std::to_string(i)), "v").ticket;
  go_on.set_value();
  rounds_.wait_for_ticket(last);
  EXPECT_EQ(writes, 2);
  EXPECT_EQ(store_.values().size(), 501u);
}

TEST_F(CommitterTest, AlwaysSyncsWithEachRoundNeverNotAtAll) {
  start(SyncPolicy::kAlways);
  rounds_.wait_for_ticket(put(*table_, key_ref("k"), "1").ticket);
  EXPECT_EQ(store_.synced_writes(), 1u);
  committer_.reset();
  start(SyncPolicy::kNever);
  rounds_.wait_for_ticket(put(*table_, key_ref("k"), "2").ticket);
  EXPECT_EQ(store_.synced_writes(), 1u);
  EXPECT_EQ(store_.syncs(), 0u);
}

class CommitterOfTreesTest : public CommitterTest {
 protected:
  CommitterOfTreesTest() { keeps_trees_ = true; }
};

TEST_F(CommitterOfTreesTest, TheTreesAreKeptAfterAWhile) {
  keep_trees_ms_ = 1;
  std::promise<void> second_write;
  store_.on_write = [&, writes = 0]() mutable {
    if (++writes == 2) second_write.set_value();
  };
  start(SyncPolicy::kNever);
  rounds_.wait_for_ticket(put(*table_, key_ref("k"), "1").ticket);
  second_write.get_future().wait();
  committer_.reset();
  KeptTrees kept;
  ASSERT_TRUE(kept.read(store_).ok());
  EXPECT_TRUE(kept.complete);
  EXPECT_EQ(kept.trees.size(), 1u);
}

TEST_F(CommitterOfTreesTest, AStopKeepsTheTreesAndSyncsThem) {
  start(SyncPolicy::kInterval, 3'600'000);
  for (int i = 0; i < 100; ++i) put(*table_, key_ref("k" + std::to_string(i)), "v");
  uint64_t writes_at_sync = 0;
  store_.on_sync = [&] { writes_at_sync = store_.writes(); };
  committer_.reset();
  EXPECT_EQ(writes_at_sync, store_.writes());
  KeptTrees kept;
  ASSERT_TRUE(kept.read(store_).ok());
  EXPECT_EQ(kept.trees.size(), 4u);
  for (const auto& [place, tree] : kept.trees) EXPECT_EQ(tree.changed.count(), 0u);
}

TEST_F(CommitterTest, IntervalSyncsAfterwards) {
  std::promise<void> synced;
  store_.on_sync = [&, told = false]() mutable {
    if (!told) synced.set_value();
    told = true;
  };
  start(SyncPolicy::kInterval);
  rounds_.wait_for_ticket(put(*table_, key_ref("k"), "1").ticket);
  synced.get_future().wait();
  EXPECT_EQ(store_.synced_writes(), 0u);
}

TEST_F(CommitterTest, RoundsGoOnBesideASyncByInterval) {
  std::promise<void> syncing, committed;
  store_.on_sync = [&, told = false]() mutable {
    if (std::exchange(told, true)) return;
    syncing.set_value();
    committed.get_future().wait();
  };
  sync_late_ms_ = 1000 * 1000;
  start(SyncPolicy::kInterval);
  const Ticket first = put(*table_, key_ref("k"), "1").ticket;
  syncing.get_future().wait();
  const Ticket second = put(*table_, key_ref("k"), "2").ticket;
  rounds_.wait_for_ticket(second);
  EXPECT_LT(table_->commits().synced(), first);
  committed.set_value();
  committer_.reset();
  EXPECT_EQ(table_->commits().synced(), second);
}

TEST_F(CommitterTest, RoundsWaitForASyncThatIsLate) {
  std::atomic<bool> syncing{false}, writing{true};
  std::atomic<int> beside{0};
  store_.on_write = [&] { beside += syncing; };
  store_.on_sync = [&] {
    syncing = true;
    if (writing) put(*table_, key_ref("k"), "during");
    for (int turn = 0; turn < 1000; ++turn) std::this_thread::yield();
    syncing = false;
  };
  sync_late_ms_ = 0;
  start(SyncPolicy::kInterval);
  for (int i = 0; i < 20; ++i) {
    rounds_.wait_for_ticket(put(*table_, key_ref("k" + std::to_string(i)), "v").ticket);
  }
  writing = false;
  committer_.reset();
  EXPECT_EQ(beside, 0);
}

TEST_F(CommitterTest, StoppingCommitsAndSyncsWhatIsDirty) {
  start(SyncPolicy::kInterval, 1000 * 1000);
  for (int i = 0; i < 100; ++i) put(*table_, key_ref("k" + std::to_string(i)), "v");
  committer_.reset();
  EXPECT_FALSE(table_->commits().has_dirty());
  EXPECT_EQ(store_.values().size(), 100u);
  EXPECT_EQ(store_.syncs(), 1u);
}

TEST_F(CommitterTest, AFailureIsToldOnceAndTheStoreReopenedUntilItWorks) {
  start(SyncPolicy::kAlways);
  store_.set_broken(true);
  store_.fail_reopens(20);
  put(*table_, key_ref("k"), "v");
  rounds_.wait_for_failure();
  store_.set_broken(false);
  UpdateResult result;
  while ((result = put(*table_, key_ref("k"), "w")).access == Access::kRefused) {
    std::this_thread::yield();
  }
  rounds_.wait_for_ticket(result.ticket);
  EXPECT_EQ(value_of(store_.values()[store_key(key_ref("k"))]), "w");
  EXPECT_EQ(rounds_.failures(), 1);
  EXPECT_EQ(committer_->failures(), 1u);
  EXPECT_FALSE(table_->store_health().failed());
}

TEST_F(CommitterTest, AFailedSyncIsAFailureOfTheStore) {
  start(SyncPolicy::kInterval);
  store_.fail_next_sync();
  put(*table_, key_ref("k"), "v");
  rounds_.wait_for_failure();
  UpdateResult result;
  while ((result = put(*table_, key_ref("k"), "w")).access == Access::kRefused) {
    std::this_thread::yield();
  }
  rounds_.wait_for_ticket(result.ticket);
}

TEST_F(CommitterTest, StoppingABrokenStoreEnds) {
  start(SyncPolicy::kAlways);
  store_.set_broken(true);
  store_.fail_reopens(1000 * 1000);
  put(*table_, key_ref("k"), "v");
  rounds_.wait_for_failure();
  committer_.reset();
  EXPECT_TRUE(table_->commits().has_dirty());
}

TEST_F(CommitterTest, StoreThreadsRunWhatIsQueued) {
  start(SyncPolicy::kNever);
  std::mutex mutex;
  std::set<int> ran;
  for (int i = 0; i < 100; ++i) {
    committer_->run_on_store_thread([&, i] {
      const std::lock_guard guard(mutex);
      ran.insert(i);
    });
  }
  committer_.reset();
  EXPECT_EQ(ran.size(), 100u);
}

TEST_F(CommitterTest, ALoadDoesNotWaitBehindFiles) {
  start(SyncPolicy::kNever);
  std::promise<void> loaded;
  const std::shared_future<void> load = loaded.get_future().share();
  std::atomic<int> waited{0};
  for (int i = 0; i < 10; ++i) {
    committer_->run_on_file_thread(
        [&] { waited += load.wait_for(std::chrono::seconds(20)) == std::future_status::ready; });
  }
  committer_->run_on_store_thread([&] { loaded.set_value(); });
  committer_.reset();
  EXPECT_EQ(waited, 10);
}

struct NoLosses : LossListener {
  void on_loss(uint8_t, uint32_t) override {}
  void on_loss_of_all() override { ++of_all; }
  std::atomic<int> of_all{0};
};

TEST_F(CommitterTest, DamageThatAReadMetIsSalvagedThoughNobodyWrites) {
  put(*table_, key_ref("k"), "v");
  ASSERT_TRUE(table_->commits().commit(true).ok());
  NoLosses losses;
  table_->store_health().set_loss_listener(&losses);
  std::promise<int> told_before;
  store_.on_salvage = [&] {
    EXPECT_FALSE(table_->store_reader().load(key_ref("k2")).ok())
        << "a read that was under way meets it too";
    told_before.set_value(losses.of_all);
  };
  salvages_ = true;
  start(SyncPolicy::kNever);
  store_.damage(store_key(key_ref("other")));
  EXPECT_EQ(table_->store_reader().load(key_ref("k2")).code(), Code::kOk)
      << "the table is complete";
  table_->store_health().lose_all();  // now absence has to be read
  store_.damage(store_key(key_ref("k2")));
  EXPECT_EQ(table_->store_reader().load(key_ref("k2")).code(), Code::kCorruption);
  EXPECT_EQ(told_before.get_future().get(), 2) << "who may lose something knows before";
  rounds_.wait_for_failure();
  UpdateResult again = put(*table_, key_ref("k"), "w");
  while (again.access == Access::kRefused) {
    std::this_thread::yield();
    again = put(*table_, key_ref("k"), "w");
  }
  ASSERT_EQ(again.access, Access::kDone);
  rounds_.wait_for_ticket(again.ticket);
  EXPECT_FALSE(table_->store_health().damaged()) << "or it would stop again and again";
  committer_.reset();
  EXPECT_EQ(store_.salvages(), 1);
  EXPECT_EQ(table_->store_health().faults().salvages, 1u);
  EXPECT_FALSE(table_->store_health().failed());
}

TEST_F(CommitterTest, WithoutOtherCopiesDamageWaitsForAPerson) {
  start(SyncPolicy::kNever);
  store_.damage(store_key(key_ref("k2")));
  store_.set_broken(true);
  put(*table_, key_ref("k"), "v");
  rounds_.wait_for_failure();
  committer_.reset();
  EXPECT_EQ(store_.salvages(), 0);
  EXPECT_TRUE(table_->store_health().failed());
}

}  // namespace
}  // namespace kvorum::engine::testing

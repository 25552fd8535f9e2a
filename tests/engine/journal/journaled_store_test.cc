// SPDX-License-Identifier: Apache-2.0
#include "engine/journal/journaled_store.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/engine/memory_journal_disk.h"
#include "tests/engine/unsynced_store.h"

namespace kvorum::engine::testing {
namespace {

const std::string kFact(1, kFactPrefix);

class JournaledStoreTest : public ::testing::Test {
 protected:
  void SetUp() override { open(); }
  void open(bool waits = false) {
    JournalOptions options;
    options.capacity_bytes = 32 * 1024;
    options.fresh_id = 3;
    options.waits_for_room = waits;
    options.below_was_salvaged = was_salvaged_;
    options.salvage_erases = kFact + "clean";
    options.written_through = kFact + "identity";
    damage_.clear();
    auto opened = JournaledStore::open(options, std::make_unique<MemoryJournalDisk>(&journal_),
                                       std::make_unique<UnsyncedStore>(&below_), &damage_);
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    store_ = std::move(opened).value();
  }
  Status put(const std::string& key, const std::string& value) {
    StoreBatch batch;
    batch.put(key, value);
    return store_->write(batch, false);
  }
  Status erase(const std::string& key) {
    StoreBatch batch;
    batch.erase(key);
    return store_->write(batch, false);
  }
  std::string read(const std::string& key) {
    std::string value;
    const Status status = store_->read(key, &value);
    return status.ok() ? value : "none";
  }
  std::string scan(const std::string& begin, const std::string& end, size_t count = 100) {
    std::string text;
    size_t shown = 0;
    EXPECT_TRUE(store_
                    ->scan(begin, end,
                           [&](std::string_view key, std::string_view value) {
                             text.append(key[0] == kFactPrefix ? key.substr(1) : key)
                                 .append("=")
                                 .append(value) += ' ';
                             return ++shown < count;
                           })
                    .ok());
    return text;
  }
  void checkpoint(const std::vector<std::pair<std::string, std::string>>& objects) {
    ASSERT_TRUE(store_->begin_checkpoint().ok());
    const uint64_t generation = store_->generation();
    StoreBatch batch;
    for (const auto& [key, value] : objects) batch.put(key, value);
    if (!batch.empty()) {
      ASSERT_TRUE(store_->put_below(batch).ok());
    }
    ASSERT_TRUE(store_->sync().ok());
    ASSERT_TRUE(store_->end_checkpoint(generation).ok());
  }

  JournalMedium journal_;
  StoreMedium below_;
  bool was_salvaged_ = false;
  std::string damage_;
  std::unique_ptr<JournaledStore> store_;
};

TEST_F(JournaledStoreTest, FactsAreSeenWhereverTheyAre) {
  ASSERT_TRUE(put(kFact + "a", "one").ok());
  ASSERT_TRUE(put(kFact + "b", "two").ok());
  checkpoint({});
  ASSERT_TRUE(put(kFact + "a", "three").ok());
  ASSERT_TRUE(erase(kFact + "b").ok());
  ASSERT_TRUE(put(kFact + "c", "four").ok());
  for (int start = 0; start < 2; ++start) {
    EXPECT_EQ(read(kFact + "a"), "three");
    EXPECT_EQ(read(kFact + "b"), "none");
    EXPECT_EQ(scan(kFact + "a", kFact + "d"), "a=three c=four ");
    EXPECT_EQ(scan(kFact + "a", kFact + "d", 1), "a=three ");
    EXPECT_EQ(scan(kFact + "b", kFact + "c"), "");
    open();
  }
}

TEST_F(JournaledStoreTest, AFactThatChangesInACheckpointStaysInTheJournal) {
  ASSERT_TRUE(put(kFact + "a", "old").ok());
  ASSERT_TRUE(store_->begin_checkpoint().ok());
  ASSERT_TRUE(put(kFact + "a", "new").ok());
  ASSERT_TRUE(store_->sync().ok());
  ASSERT_TRUE(store_->end_checkpoint(store_->generation()).ok());
  EXPECT_EQ(read(kFact + "a"), "new");
  open();
  EXPECT_EQ(read(kFact + "a"), "new");
}

TEST_F(JournaledStoreTest, AStartSeesJournalAndStoreAsOne) {
  ASSERT_TRUE(put("a", "1").ok());
  ASSERT_TRUE(put("b", "2").ok());
  ASSERT_TRUE(put("c", "3").ok());
  checkpoint({{"a", "1"}, {"b", "2"}, {"c", "3"}});
  ASSERT_TRUE(put("b", "later").ok());
  ASSERT_TRUE(erase("c").ok());
  ASSERT_TRUE(put("d", "4").ok());
  open();
  EXPECT_TRUE(store_->holds_objects());
  EXPECT_EQ(scan("", kFact), "a=1 b=later d=4 ");
  EXPECT_EQ(read("b"), "later");
  EXPECT_EQ(read("c"), "none");
  const auto at_start = [this](std::string_view begin, std::string_view end) {
    std::string items;
    const auto show = [&items](const StoredItem& item) {
      items.append(item.key).append(item.journaled ? "+" : "").append(item.erased ? "-" : "") +=
          ' ';
    };
    EXPECT_TRUE(store_->scan_at_start(begin, end, show).ok());
    return items;
  };
  EXPECT_EQ(at_start("", kFact), "a b+ c+- d+ ");
  EXPECT_EQ(at_start("", "c"), "a b+ ");
  EXPECT_EQ(at_start("b1", kFact), "c+- d+ ");
  store_->end_start();
  EXPECT_EQ(read("b"), "2");  // the table has it
}

TEST_F(JournaledStoreTest, ACleanStopLeavesAnEmptyJournal) {
  ASSERT_TRUE(put("a", "1").ok());
  checkpoint({{"a", "1"}});
  ASSERT_TRUE(put(kFact + "clean", "yes").ok());
  ASSERT_TRUE(store_->close().ok());
  store_.reset();
  journal_.slots.clear();
  open();
  EXPECT_EQ(damage_, "");
  EXPECT_FALSE(store_->holds_objects());
  EXPECT_EQ(read(kFact + "clean"), "yes");
  EXPECT_EQ(scan("", kFact), "a=1 ");
}

TEST_F(JournaledStoreTest, AJournalThatIsGoneIsDamageAndNoStopWasClean) {
  ASSERT_TRUE(put(kFact + "clean", "yes").ok());
  checkpoint({});
  ASSERT_TRUE(put("a", "1").ok());
  store_.reset();
  journal_.slots.clear();
  open();
  EXPECT_EQ(damage_,
            "the journal was damaged (segment 2 of the journal is missing); what could be read was "
            "saved; a copy of it is kept in aside");
  EXPECT_EQ(read(kFact + "clean"), "none");
  open();
  EXPECT_EQ(damage_, "");  // that was told
  EXPECT_EQ(read(kFact + "clean"), "none");
}

TEST_F(JournaledStoreTest, AStoreThatIsDamagedBeneathIsSalvagedAndTheJournalIsGood) {
  ASSERT_TRUE(put("a", "1").ok());
  checkpoint({{"a", "1"}});
  ASSERT_TRUE(put(kFact + "clean", "yes").ok());
  ASSERT_TRUE(put("b", "2").ok());
  store_.reset();
  below_.damaged = true;
  open();
  EXPECT_EQ(damage_, "the store is damaged and was salvaged");
  EXPECT_FALSE(store_->is_new());
  EXPECT_EQ(journal_.set_aside, 0);
  EXPECT_EQ(scan("", kFact), "a=1 b=2 ") << "the segment that has a was not used again yet";
  EXPECT_EQ(read(kFact + "clean"), "none");
  open();
  EXPECT_EQ(damage_, "");
  EXPECT_EQ(scan("", kFact), "a=1 b=2 ");
}

TEST_F(JournaledStoreTest, WhatASalvagedStoreSaysOfTheJournalDoesNotCount) {
  ASSERT_TRUE(put("a", "1").ok());
  checkpoint({{"a", "1"}});
  ASSERT_TRUE(put("b", "2").ok());
  store_.reset();
  below_.values[kFact + "journal"] = encode_journal_mark({3, 77, false});
  was_salvaged_ = true;
  open();
  EXPECT_EQ(damage_, "");
  EXPECT_EQ(scan("", kFact), "a=1 b=2 ");
}

TEST_F(JournaledStoreTest, WhatEarlierReleasesHaveToSeeIsInTheStoreAtOnce) {
  ASSERT_TRUE(put(kFact + "identity", "me").ok());
  EXPECT_EQ(below_.values[kFact + "identity"], "me");
  EXPECT_TRUE(below_.unsynced.empty());
}

TEST_F(JournaledStoreTest, AfterAFailedWriteNothingIsTakenUntilItWasReopened) {
  ASSERT_TRUE(put("a", "1").ok());
  journal_.fail_writes = 1;
  EXPECT_FALSE(put("b", "2").ok());
  EXPECT_EQ(put("c", "3").code(), Code::kUnavailable);
  EXPECT_EQ(store_->sync().code(), Code::kUnavailable);
  ASSERT_TRUE(store_->reopen().ok());
  EXPECT_FALSE(store_->take_doubt());
  ASSERT_TRUE(put("d", "4").ok());
  open();
  EXPECT_EQ(scan("", kFact), "a=1 d=4 ");
  EXPECT_EQ(damage_, "");
}

TEST_F(JournaledStoreTest, AfterAFailedSyncAllIsDoubtedAndFactsAreAppendedAgain) {
  ASSERT_TRUE(put(kFact + "a", "1").ok());
  journal_.fail_syncs = 1;
  EXPECT_FALSE(store_->sync().ok());
  ASSERT_TRUE(store_->reopen().ok());
  EXPECT_TRUE(store_->take_doubt());
  EXPECT_FALSE(store_->take_doubt());
  const uint64_t current = store_->stats().appended_bytes;
  EXPECT_GT(current, 0U);
  open();
  EXPECT_EQ(read(kFact + "a"), "1");
}

TEST_F(JournaledStoreTest, AFullDiskFailsTheWriteAndHealsLater) {
  const std::string large(1900, 'v');
  ASSERT_TRUE(put("a", large).ok());
  journal_.fail_creates = 2;
  EXPECT_EQ(put("b", large).code(), Code::kNoSpace);
  EXPECT_EQ(store_->reopen().code(), Code::kNoSpace);
  ASSERT_TRUE(store_->reopen().ok());
  ASSERT_TRUE(put("b", large).ok());
}

TEST_F(JournaledStoreTest, ACheckpointThatFailsIsToldAndBegunAgain) {
  ASSERT_TRUE(put("a", "1").ok());
  ASSERT_TRUE(store_->begin_checkpoint().ok());
  below_.fail_writes = 1;
  StoreBatch batch;
  batch.put("a", "1");
  EXPECT_FALSE(store_->put_below(batch).ok());
  EXPECT_EQ(store_->stats().store_error, "the store is broken");
  ASSERT_TRUE(store_->recover_below().ok());
  EXPECT_EQ(store_->stats().store_error, "the store is broken") << "no checkpoint ended since";
  ASSERT_TRUE(store_->put_below(batch).ok());
  EXPECT_TRUE(store_->end_checkpoint(store_->generation()).ok());
  EXPECT_EQ(store_->stats().checkpoints, 1U);
  EXPECT_EQ(store_->stats().store_error, "");
}

// Of 32 KB, in segments of 2 KB.
TEST_F(JournaledStoreTest, StatsTellHowFullItIsAndWhatIsNotBelow) {
  const std::string large(1700, 'v');
  ASSERT_TRUE(put(kFact + "a", "of the node").ok());
  EXPECT_EQ(store_->stats().changes, 0U);
  for (int count = 0; count < 8; ++count) ASSERT_TRUE(put("a", large).ok());
  JournalStats stats = store_->stats();
  EXPECT_EQ(stats.changes, 8U);
  EXPECT_EQ(stats.capacity_bytes, 32U * 1024);
  EXPECT_EQ(stats.pressure, 0);
  EXPECT_GT(stats.used_bytes, 8 * large.size());
  EXPECT_GE(stats.allocated_bytes, stats.used_bytes);
  EXPECT_GT(stats.appended_bytes, 8 * large.size());
  EXPECT_FALSE(stats.checkpoint_runs);
  ASSERT_TRUE(store_->begin_checkpoint().ok());
  for (int count = 0; count < 8; ++count) ASSERT_TRUE(put("b", large).ok());
  stats = store_->stats();
  EXPECT_TRUE(stats.checkpoint_runs);
  EXPECT_EQ(stats.changes, 16U);
  EXPECT_GT(stats.pressure, 0.5);
  EXPECT_EQ(stats.pressure, store_->pressure());
  store_->note_slowed(std::chrono::microseconds(300));
  const uint64_t allocated = stats.allocated_bytes;
  ASSERT_TRUE(store_->sync().ok());
  ASSERT_TRUE(store_->end_checkpoint(store_->generation()).ok());
  stats = store_->stats();
  EXPECT_FALSE(stats.checkpoint_runs);
  EXPECT_EQ(stats.changes, 8U);
  EXPECT_EQ(stats.pressure, 0);
  EXPECT_EQ(stats.pressed_ms, 0U);
  EXPECT_EQ(stats.slowed_us, 300U);
  EXPECT_EQ(stats.allocated_bytes, allocated) << "segments are kept to be used again";
}

class FullJournalTest : public JournaledStoreTest {
 protected:
  void SetUp() override {
    open(true);
    fill();
  }
  void fill() {
    ASSERT_TRUE(store_->begin_checkpoint().ok());
    while (store_->stats().used_bytes < 31 * 1024) ASSERT_TRUE(put("a", large_).ok());
  }
  void end_checkpoint() {
    ASSERT_TRUE(store_->sync().ok());
    ASSERT_TRUE(store_->end_checkpoint(store_->generation()).ok());
  }
  Status put_beside(StoreMedium* medium) {
    medium->fail_writes = 1;
    StoreBatch batch;
    batch.put("b", "1");
    return store_->put_below(batch);
  }

  const std::string large_ = std::string(1900, 'v');
};

TEST_F(FullJournalTest, AWriteWaitsForTheEndOfACheckpointAndThatIsCounted) {
  std::thread writer([this] { EXPECT_TRUE(put("b", large_).ok()); });
  const uint64_t before = store_->stats().stalled_us;
  end_checkpoint();
  writer.join();
  EXPECT_GE(store_->stats().stalled_us, before);
  EXPECT_EQ(store_->stats().store_error, "");
}

TEST_F(FullJournalTest, WhereTheCheckpointFailsItIsRefusedAndThatIsNoFailureOfTheJournal) {
  EXPECT_FALSE(put_beside(&below_).ok());
  const uint64_t generation = store_->generation();
  const uint64_t allocated = store_->stats().allocated_bytes;
  for (int attempt = 0; attempt < 3; ++attempt) {
    const Status status = put("b", large_);
    EXPECT_EQ(status.message(),
              "the journal is full, and the checkpoint that would empty it fails: the store is "
              "broken");
    EXPECT_EQ(store_->reopen().message(), status.message()) << "it would be refused again";
  }
  EXPECT_EQ(store_->stats().allocated_bytes, allocated) << "nothing is begun beyond the capacity";
  EXPECT_EQ(store_->generation(), generation) << "or no checkpoint would ever end";
  EXPECT_TRUE(store_->sync().ok());
  end_checkpoint();
  ASSERT_TRUE(store_->reopen().ok());
  EXPECT_FALSE(store_->take_doubt());
  ASSERT_TRUE(put("b", large_).ok());
}

TEST_F(FullJournalTest, AWriteThatWaitsDoesNotWaitForAJournalThatFailed) {
  Status status;
  std::thread writer([&] { status = put("b", large_); });
  journal_.fail_syncs = 1;
  EXPECT_FALSE(store_->sync().ok());
  writer.join();
  EXPECT_EQ(status.code(), Code::kUnavailable);
}

TEST_F(JournaledStoreTest, OnAFullDiskWhatIsThereIsUsedAndACheckpointMakesRoom) {
  const std::string large(1900, 'v');
  for (int count = 0; count < 3; ++count) ASSERT_TRUE(put("a", large).ok());
  journal_.creates_left = 1;
  ASSERT_TRUE(store_->begin_checkpoint().ok());
  const uint64_t generation = store_->generation();
  ASSERT_TRUE(put("b", large).ok());
  EXPECT_EQ(put("c", large).code(), Code::kNoSpace);
  EXPECT_EQ(store_->reopen().code(), Code::kNoSpace);
  ASSERT_TRUE(store_->sync().ok()) << "what was written before is none the worse";
  ASSERT_TRUE(store_->end_checkpoint(generation).ok());
  ASSERT_TRUE(store_->reopen().ok());
  ASSERT_TRUE(put("c", large).ok());
  EXPECT_FALSE(store_->take_doubt());
}

TEST_F(JournaledStoreTest, ACheckpointMakesAllRoomFirstThatTheJournalMayNeed) {
  ASSERT_TRUE(put("a", "v").ok());
  ASSERT_TRUE(store_->begin_checkpoint().ok());
  EXPECT_EQ(store_->stats().allocated_bytes, store_->stats().capacity_bytes);
  const size_t slots = journal_.slots.size();
  EXPECT_EQ(slots, Journal::kSegmentsInCapacity);
  ASSERT_TRUE(store_->end_checkpoint(store_->generation()).ok());
  ASSERT_TRUE(store_->begin_checkpoint().ok());
  EXPECT_EQ(journal_.slots.size(), slots) << "they are used again";
}

TEST_F(JournaledStoreTest, WhereNoCheckpointCanBeginWritesGoOnAndTheReasonIsTold) {
  const std::string large(1700, 'v');
  while (!store_->checkpoint_due()) ASSERT_TRUE(put("a", large).ok());
  journal_.fail_creates = 1000;
  EXPECT_EQ(store_->begin_checkpoint().code(), Code::kNoSpace);
  EXPECT_FALSE(store_->checkpoint_due()) << "for a while";
  EXPECT_EQ(store_->stats().store_error, "the disk is full");
  ASSERT_TRUE(put("b", "small").ok());
  ASSERT_TRUE(store_->sync().ok());
  journal_.fail_creates = 0;
  ASSERT_TRUE(store_->begin_checkpoint().ok());
  EXPECT_EQ(store_->stats().store_error, "");
}

TEST_F(JournaledStoreTest, ASalvageInACheckpointHasItBegunAnew) {
  ASSERT_TRUE(store_->begin_checkpoint().ok());
  const uint64_t generation = store_->generation() + 1;
  EXPECT_EQ(store_->end_checkpoint(generation).code(), Code::kUnavailable);
  EXPECT_TRUE(store_->checkpoint_runs());
}

}  // namespace
}  // namespace kvorum::engine::testing

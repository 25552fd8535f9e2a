// SPDX-License-Identifier: Apache-2.0
// What of a journal counts at a start: torn ends, what a power cut took from the middle, damage,
// segments that are used again.
#include "engine/journal/journal_recovery.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "tests/engine/memory_journal_disk.h"

namespace kvorum::engine::testing {
namespace {

class JournalRecoveryTest : public ::testing::Test {
 protected:
  static constexpr uint64_t kCapacity = 32 * 1024;  // segments of 2 KB
  static constexpr uint64_t kId = 5;

  void SetUp() override { begin({.store_id = kId, .live = {}}); }
  void begin(Journal::Beginning beginning) {
    journal_ = std::make_unique<Journal>(&disk_, kCapacity);
    ASSERT_TRUE(journal_->begin(std::move(beginning)).ok());
  }
  Status append(const std::string& key, const std::string& value) {
    StoreBatch batch;
    batch.put(key, value);
    return journal_->append(batch);
  }
  void sync() {
    const Journal::Unsynced unsynced = journal_->take_unsynced();
    ASSERT_TRUE(journal_->sync_slots(unsynced).ok());
    journal_->note_synced(unsynced);
  }
  RecoveredJournal recover(uint64_t first_needed = 1, bool empty = false) {
    const JournalMark mark{kId, first_needed, empty};
    auto found = recover_journal(disk_, &mark, {});
    EXPECT_TRUE(found.ok());
    return std::move(found).value();
  }
  // "key=value key=value", an erased key alone.
  static std::string text(const RecoveredJournal& recovered) {
    std::string text;
    for (const RecoveredJournal::Change& change : recovered.changes) {
      if (!text.empty()) text += ' ';
      text.append(change.key);
      if (!change.erase) text.append("=").append(change.value.substr(0, 4));
    }
    return text;
  }
  // Where a batch with this value stands.
  std::string& slot_with(const std::string& value, size_t* at) {
    for (auto& [number, slot] : medium_.slots) {
      *at = slot.bytes.find(value);
      if (*at != std::string::npos) return slot.bytes;
    }
    ADD_FAILURE() << "no slot has " << value;
    return medium_.slots.begin()->second.bytes;
  }
  void damage(const std::string& value) {
    size_t at = 0;
    std::string& bytes = slot_with(value, &at);
    bytes[at] ^= 1;
  }

  JournalMedium medium_;
  MemoryJournalDisk disk_{&medium_};
  std::unique_ptr<Journal> journal_;
};

TEST_F(JournalRecoveryTest, TheLastChangeOfEachKeyByKey) {
  ASSERT_TRUE(append("b", "one").ok());
  ASSERT_TRUE(append("a", "two").ok());
  ASSERT_TRUE(append("b", "thre").ok());
  StoreBatch batch;
  batch.erase("a");
  batch.put("c", "");
  ASSERT_TRUE(journal_->append(batch).ok());
  const RecoveredJournal recovered = recover();
  EXPECT_EQ(text(recovered), "a b=thre c=");
  EXPECT_EQ(recovered.damage, "");
  EXPECT_EQ(recovered.batches, 4U);
  EXPECT_EQ(recovered.beginning.last_sequence, 4U);
}

TEST_F(JournalRecoveryTest, KeysThatBeginAlikeAreInOrder) {
  const std::string prefix = "12345678";
  for (const char* end : {"b", "", "a", "b", "ab"}) {
    ASSERT_TRUE(append(prefix + end, end).ok());
  }
  ASSERT_TRUE(append("1234567", "x").ok());
  ASSERT_TRUE(append(std::string("1234567\0", 8), "y").ok());
  const std::string nul = std::string("1234567\0", 8);
  EXPECT_EQ(text(recover()),
            "1234567=x " + nul + "=y 12345678= 12345678a=a 12345678ab=ab 12345678b=b");
}

TEST_F(JournalRecoveryTest, ATornEndIsNoDamage) {
  ASSERT_TRUE(append("a", "one").ok());
  sync();
  medium_.fail_writes = 1;
  EXPECT_FALSE(append("b", std::string(300, 'v')).ok());
  const RecoveredJournal recovered = recover();
  EXPECT_EQ(text(recovered), "a=one");
  EXPECT_EQ(recovered.damage, "");
}

TEST_F(JournalRecoveryTest, WhatAPowerCutTookFromTheMiddleEndsTheJournal) {
  ASSERT_TRUE(append("a", "one").ok());
  sync();
  ASSERT_TRUE(append("b", "lost").ok());
  ASSERT_TRUE(append("c", "late").ok());
  damage("lost");
  RecoveredJournal recovered = recover();
  EXPECT_EQ(text(recovered), "a=one");
  EXPECT_EQ(recovered.damage, "");
  // What goes on from there is not taken for what was cut off, nor the other way round.
  begin(std::move(recovered.beginning));
  ASSERT_TRUE(append("d", "more").ok());
  sync();
  ASSERT_TRUE(append("e", "last").ok());
  recovered = recover();
  EXPECT_EQ(text(recovered), "a=one d=more e=last");
  EXPECT_EQ(recovered.damage, "");
}

TEST_F(JournalRecoveryTest, WhatWasSyncedAndCannotBeReadIsDamage) {
  ASSERT_TRUE(append("a", "one").ok());
  ASSERT_TRUE(append("b", "lost").ok());
  sync();
  ASSERT_TRUE(append("c", "late").ok());
  damage("lost");
  const RecoveredJournal recovered = recover();
  EXPECT_EQ(text(recovered), "a=one c=late");
  EXPECT_EQ(recovered.damage, "batches 2 to 2 of the journal cannot be read");
}

TEST_F(JournalRecoveryTest, AnEndThatWasSyncedAndIsGoneIsDamage) {
  ASSERT_TRUE(append("a", "one").ok());
  ASSERT_TRUE(append("b", "lost").ok());
  sync();
  ASSERT_TRUE(journal_->rotate().ok());
  damage("lost");
  const RecoveredJournal recovered = recover();
  EXPECT_EQ(text(recovered), "a=one");
  EXPECT_EQ(recovered.damage, "batches 2 to 2 of the journal cannot be read");
}

TEST_F(JournalRecoveryTest, SegmentsThatTheStoreHasAreLeftOut) {
  ASSERT_TRUE(append("a", "one").ok());
  ASSERT_TRUE(journal_->rotate().ok());
  ASSERT_TRUE(append("b", "two").ok());
  EXPECT_EQ(text(recover(1)), "a=one b=two");
  EXPECT_EQ(text(recover(2)), "b=two");
}

TEST_F(JournalRecoveryTest, ASegmentThatIsUsedAgainHasNothingOfBefore) {
  for (int turn = 0; turn < 40; ++turn) {
    ASSERT_TRUE(append("k" + std::to_string(turn % 7), std::to_string(turn)).ok());
    ASSERT_TRUE(journal_->rotate().ok());
    journal_->retire_before(journal_->current());
  }
  EXPECT_LE(medium_.slots.size(), 2U);
  ASSERT_TRUE(append("k", "last").ok());
  EXPECT_EQ(text(recover(journal_->current())), "k=last");
}

// A head that was written although its write failed stands in a slot that is free again; the next
// segment stands in another one, and is not taken for what that head cut off.
TEST_F(JournalRecoveryTest, AHeadWhoseWriteFailedHidesNothing) {
  for (int turn = 0; turn < 2; ++turn) {
    ASSERT_TRUE(journal_->rotate().ok());
    ASSERT_TRUE(journal_->rotate().ok());
    journal_->retire_before(journal_->current());
  }
  ASSERT_EQ(medium_.slots.size(), 3U);  // the second, and two that are free: first the last
  ASSERT_TRUE(append("a", "one").ok());
  medium_.doubt_writes = 1;
  ASSERT_FALSE(journal_->rotate().ok());
  ASSERT_TRUE(journal_->rotate().ok());
  ASSERT_TRUE(append("b", "two").ok());
  sync();
  const RecoveredJournal recovered = recover(5);
  EXPECT_EQ(text(recovered), "a=one b=two");
  EXPECT_EQ(recovered.damage, "");
}

TEST_F(JournalRecoveryTest, ABatchLargerThanASegmentGetsOneOfItsOwn) {
  ASSERT_TRUE(append("a", "one").ok());
  ASSERT_TRUE(append("b", std::string(9000, 'v')).ok());
  ASSERT_TRUE(append("c", "late").ok());
  EXPECT_EQ(text(recover()), "a=one b=vvvv c=late");
  ASSERT_TRUE(journal_->rotate().ok());
  journal_->retire_before(journal_->current());
  for (const auto& [number, slot] : medium_.slots) EXPECT_LE(slot.bytes.size(), 2048U);
}

TEST_F(JournalRecoveryTest, AMissingSegmentIsDamage) {
  ASSERT_TRUE(journal_->rotate().ok());
  ASSERT_TRUE(append("b", "two").ok());
  medium_.slots.erase(medium_.slots.begin());
  const RecoveredJournal recovered = recover(1);
  EXPECT_EQ(text(recovered), "b=two");
  EXPECT_EQ(recovered.damage, "segment 1 of the journal is missing");
}

TEST_F(JournalRecoveryTest, AnEmptyJournalNeedsNoSegment) {
  medium_.slots.clear();
  EXPECT_EQ(recover(4, true).damage, "");
  EXPECT_EQ(recover(4, true).beginning.last_number, 3U);
  EXPECT_EQ(recover(4, false).damage, "segment 4 of the journal is missing");
}

TEST_F(JournalRecoveryTest, WithoutAMarkTheSegmentsAreFollowedAndThatIsDamage) {
  ASSERT_TRUE(append("a", "one").ok());
  auto found = recover_journal(disk_, nullptr, {9, false});
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(text(found.value()), "a=one");
  EXPECT_EQ(found.value().beginning.store_id, kId);
  EXPECT_EQ(found.value().damage, "the store says nothing of its journal");
  medium_.slots.clear();
  found = recover_journal(disk_, nullptr, {9, false});
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found.value().beginning.store_id, 9U);
  EXPECT_EQ(found.value().damage, "");
}

TEST_F(JournalRecoveryTest, AFirstStartThatEndedBeforeTheMarkIsNoDamage) {
  auto found = recover_journal(disk_, nullptr, {9, false});
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found.value().damage, "");
  EXPECT_EQ(found.value().beginning.store_id, kId);
  begin(std::move(found.value().beginning));  // and so did the second one
  found = recover_journal(disk_, nullptr, {9, false});
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found.value().damage, "");
  EXPECT_EQ(found.value().beginning.last_number, 2U);
}

TEST(JournalNumbers, ThatNothingCanComeAfterMakeNoSense) {
  SegmentHead head;
  EXPECT_TRUE(parse_segment_head(encode_segment_head({kJournalNumberMax, 3, 4, 5, 1}), &head));
  EXPECT_TRUE(parse_segment_head(encode_segment_head({1, kJournalNumberMax, 4, 5, 1}), &head));
  const uint64_t higher = kJournalNumberMax + 1;
  EXPECT_FALSE(parse_segment_head(encode_segment_head({1, higher, 4, 5, 1}), &head));
  EXPECT_FALSE(parse_segment_head(encode_segment_head({1, 3, higher, 5, 1}), &head));
  EXPECT_FALSE(parse_segment_head(encode_segment_head({1, 3, 4, higher, 1}), &head));
  EXPECT_FALSE(parse_segment_head(encode_segment_head({1, 3, 4, 5, 0}), &head));
  EXPECT_FALSE(parse_segment_head(encode_segment_head({1, 3, 4, 5, 4}), &head));
  JournalMark mark;
  EXPECT_TRUE(parse_journal_mark(encode_journal_mark({3, kJournalNumberMax, false}), &mark));
  EXPECT_FALSE(parse_journal_mark(encode_journal_mark({3, higher, false}), &mark));
}

TEST(JournalMark, IsReadAsItWasWritten) {
  JournalMark mark;
  ASSERT_TRUE(parse_journal_mark(encode_journal_mark({3, 4, false}), &mark));
  EXPECT_EQ(mark.store_id, 3U);
  EXPECT_EQ(mark.first_needed, 4U);
  EXPECT_FALSE(mark.empty);
  EXPECT_FALSE(parse_journal_mark("", &mark));
  EXPECT_FALSE(parse_journal_mark(encode_journal_mark({3, 4, false}) + "x", &mark));
}

}  // namespace
}  // namespace kvorum::engine::testing

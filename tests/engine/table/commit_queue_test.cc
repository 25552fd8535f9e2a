// SPDX-License-Identifier: Apache-2.0
// Rounds of group commit: tickets, what a round holds, and what a failed one leaves.
#include <gtest/gtest.h>

#include <map>

#include "tests/engine/store_fixture.h"

namespace kvorum::engine::testing {
namespace {

using CommitQueueTest = StoreFixture;

TEST_F(CommitQueueTest, ATicketIsCompleteOnceItsRoundIsWritten) {
  start();
  EXPECT_FALSE(table_->commits().has_dirty());
  const Ticket ticket = put(*table_, key_ref("k"), "v").ticket;
  EXPECT_GT(ticket, table_->commits().committed());
  EXPECT_TRUE(table_->commits().has_dirty());
  EXPECT_EQ(stored(key_ref("k")), "none");
  EXPECT_EQ(table_->commits().commit(true).value(), 1u);
  EXPECT_GE(table_->commits().committed(), ticket);
  EXPECT_FALSE(table_->commits().has_dirty());
  EXPECT_EQ(stored(key_ref("k")), "v");
  EXPECT_EQ(table_->commits().commit(true).value(), 0u);
}

TEST_F(CommitQueueTest, UpdatesOfOneObjectInOneRoundAreWrittenOnce) {
  start();
  const Ticket first = put(*table_, key_ref("hot"), "1").ticket;
  Ticket last = 0;
  for (int i = 0; i < 1000; ++i) last = put(*table_, key_ref("hot"), std::to_string(i)).ticket;
  EXPECT_EQ(first, last);
  EXPECT_EQ(table_->commits().commit(false).value(), 1u);
  EXPECT_EQ(store_.writes(), 1u);
  EXPECT_EQ(stored(key_ref("hot")), "999");
}

TEST_F(CommitQueueTest, AnUpdateDuringTheWriteBelongsToTheNextRound) {
  start();
  const Ticket first = put(*table_, key_ref("k"), "old").ticket;
  Ticket during = 0, kept = 0;
  store_.on_write = [&] {
    kept = table_->update(key_ref("k"), [](std::string_view) { return RecordChange{}; }).ticket;
    during = put(*table_, key_ref("k"), "new").ticket;
  };
  commit();
  store_.on_write = nullptr;
  EXPECT_EQ(table_->commits().committed(), first);
  EXPECT_EQ(kept, first);  // who finds the object as it is waits until that is written
  EXPECT_GT(during, first);
  EXPECT_EQ(stored(key_ref("k")), "old");
  EXPECT_TRUE(table_->commits().has_dirty());
  commit();
  EXPECT_GE(table_->commits().committed(), during);
  EXPECT_EQ(stored(key_ref("k")), "new");
}

TEST_F(CommitQueueTest, KeepingADirtyObjectWaitsForItAndACleanOneDoesNot) {
  start();
  const auto keep = [&] {
    return table_->update(key_ref("k"), [](std::string_view) { return RecordChange{}; }).ticket;
  };
  EXPECT_EQ(keep(), 0u);
  const Ticket ticket = put(*table_, key_ref("k"), "v").ticket;
  EXPECT_EQ(keep(), ticket);
  commit();
  EXPECT_EQ(keep(), 0u);
  const Ticket erased = erase(*table_, key_ref("k")).ticket;
  EXPECT_EQ(keep(), erased);
  EXPECT_EQ(erase(*table_, key_ref("k")).ticket, erased);
}

TEST_F(CommitQueueTest, AnErasedObjectIsErasedInTheStore) {
  start();
  put(*table_, key_ref("k"), "v");
  commit();
  const uint64_t before = table_->memory_bytes();
  erase(*table_, key_ref("k"));
  EXPECT_EQ(stored(key_ref("k")), "v");
  commit();
  EXPECT_EQ(stored(key_ref("k")), "none");
  EXPECT_LT(table_->memory_bytes(), before);
  put(*table_, key_ref("short"), "lived");
  erase(*table_, key_ref("short"));
  commit();
  EXPECT_TRUE(store_.values().empty());
  put(*table_, key_ref("k"), "again");
  commit();
  EXPECT_EQ(stored(key_ref("k")), "again");
}

TEST_F(CommitQueueTest, ABigRoundIsWrittenInSeveralBatches) {
  start();
  const std::string large(1024 * 1024, 'x');
  Ticket last = 0;
  for (int i = 0; i < 40; ++i) last = put(*table_, key_ref("k" + std::to_string(i)), large).ticket;
  std::vector<Ticket> committed_before;
  store_.on_write = [&] { committed_before.push_back(table_->commits().committed()); };
  EXPECT_EQ(table_->commits().commit(true).value(), 40u);
  EXPECT_GE(committed_before.size(), 3u);
  for (const Ticket ticket : committed_before) EXPECT_LT(ticket, last);
  EXPECT_GE(table_->commits().committed(), last);
  EXPECT_EQ(store_.values().size(), 40u);
}

TEST_F(CommitQueueTest, AFailedCommitRefusesUpdatesAndKeepsWhatIsDirty) {
  start();
  put(*table_, key_ref("a"), "old");
  commit();
  put(*table_, key_ref("a"), "new");
  put(*table_, key_ref("b"), "new");
  const Ticket ticket = erase(*table_, key_ref("none")).ticket;
  EXPECT_EQ(ticket, 0u);
  store_.set_broken(true);
  const Ticket before = table_->commits().committed();
  EXPECT_EQ(table_->commits().commit(true).status().code(), Code::kIoError);
  EXPECT_TRUE(table_->store_health().failed());
  EXPECT_EQ(table_->commits().committed(), before);
  EXPECT_TRUE(table_->commits().has_dirty());
  EXPECT_EQ(put(*table_, key_ref("c"), "refused").access, Access::kRefused);
  EXPECT_EQ(table_->commits().commit(true).status().code(), Code::kUnavailable);
  EXPECT_EQ(get(*table_, key_ref("a")), "new");
  EXPECT_EQ(get(*table_, key_ref("c")), std::nullopt);
  store_.set_broken(false);
  table_->store_health().recover();
  EXPECT_FALSE(table_->store_health().failed());
  EXPECT_EQ(table_->commits().commit(true).value(), 2u);
  EXPECT_EQ(stored(key_ref("a")), "new");
  EXPECT_EQ(stored(key_ref("b")), "new");
  EXPECT_EQ(put(*table_, key_ref("c"), "taken").access, Access::kDone);
}

// The failure comes in the middle of a round of several batches, with updates in between.
TEST_F(CommitQueueTest, ARoundThatFailsHalfWayIsWrittenWholeLater) {
  start();
  std::map<std::string, std::string> expected;
  for (int i = 0; i < 40; ++i) {
    const std::string name = "k" + std::to_string(i);
    put(*table_, key_ref(name), expected[name] = std::string(1024 * 1024, 'x'));
  }
  int writes = 0;
  store_.on_write = [&] {
    if (++writes != 2) return;
    store_.set_broken(true);
    for (int i = 0; i < 40; i += 2) {
      const std::string name = "k" + std::to_string(i);
      put(*table_, key_ref(name), expected[name] = "changed meanwhile");
    }
  };
  EXPECT_FALSE(table_->commits().commit(true).ok());
  EXPECT_EQ(writes, 2);
  store_.on_write = nullptr;
  store_.set_broken(false);
  table_->store_health().recover();
  commit();
  EXPECT_FALSE(table_->commits().has_dirty());
  for (const auto& [name, value] : expected) EXPECT_EQ(stored(key_ref(name)), value);
}

TEST_F(CommitQueueTest, TheDirtyCallbackTellsOfTheFirstUpdateOnly) {
  start();
  int calls = 0;
  table_->commits().set_dirty_callback([](void* counter) { ++*static_cast<int*>(counter); },
                                       &calls);
  for (int i = 0; i < 100; ++i) put(*table_, key_ref("k" + std::to_string(i)), "v");
  EXPECT_EQ(calls, 1);
  commit();
  erase(*table_, key_ref("k1"));
  EXPECT_EQ(calls, 2);
}

}  // namespace
}  // namespace kvorum::engine::testing

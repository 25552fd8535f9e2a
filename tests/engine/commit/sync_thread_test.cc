// SPDX-License-Identifier: Apache-2.0
#include "engine/commit/sync_thread.h"

#include <gtest/gtest.h>

#include <future>
#include <memory>

#include "tests/engine/map_store.h"

namespace kvorum::engine::testing {
namespace {

TEST(SyncThread, SyncsBesideItsOwnerAndTellsOnce) {
  MapStore store;
  std::promise<void> go_on, ended;
  store.on_sync = [&] { go_on.get_future().wait(); };
  SyncThread beside(&store, [&] { ended.set_value(); });
  EXPECT_FALSE(beside.finish().has_value());
  beside.begin(7);
  EXPECT_TRUE(beside.busy());
  EXPECT_FALSE(beside.take().has_value());
  go_on.set_value();
  ended.get_future().wait();
  EXPECT_TRUE(beside.busy()) << "until the outcome is taken";
  const auto done = beside.take();
  ASSERT_TRUE(done.has_value());
  EXPECT_EQ(done->ticket, 7u);
  EXPECT_TRUE(done->status.ok());
  EXPECT_FALSE(beside.busy());
  EXPECT_FALSE(beside.take().has_value());
}

TEST(SyncThread, FinishWaitsForTheOutcomeAndAFailureIsOne) {
  MapStore store;
  SyncThread beside(&store, [] {});
  for (Ticket ticket = 1; ticket <= 100; ++ticket) {
    if (ticket % 2 == 0) store.fail_next_sync();
    beside.begin(ticket);
    const auto done = beside.finish();
    ASSERT_TRUE(done.has_value());
    EXPECT_EQ(done->ticket, ticket);
    EXPECT_EQ(done->status.ok(), ticket % 2 == 1);
  }
}

TEST(SyncThread, EndsOnlyWithTheSyncThatIsUnderWay) {
  MapStore store;
  for (int turn = 0; turn < 100; ++turn) {
    auto other = std::make_unique<SyncThread>(&store, [] {});
    other->begin(1);
    other.reset();
    EXPECT_EQ(store.syncs(), static_cast<uint64_t>(turn) + 1);
  }
}

}  // namespace
}  // namespace kvorum::engine::testing

// SPDX-License-Identifier: Apache-2.0
#include "server/tracking/tracking_table.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace kvorum::server {
namespace {

using Told = std::vector<SlotId>;

struct TrackingTableTest : ::testing::Test {
  Told changed(std::string_view key, uint64_t digest = 0) {
    Told told;
    table.take(key, digest, &told);
    std::sort(told.begin(), told.end());
    return told;
  }
  TrackingTable table{3};
};

TEST_F(TrackingTableTest, TellsWhoReadTheKeyAndForgetsThem) {
  table.begin("k", 1);
  table.begin("k", 2);
  table.begin("other", 3);
  EXPECT_EQ(table.keys(), 2u);
  EXPECT_EQ(table.items(), 3u);
  EXPECT_EQ(changed("k"), (Told{1, 2}));
  EXPECT_EQ(changed("k"), Told{});
  EXPECT_EQ(table.keys(), 1u);
  EXPECT_EQ(table.items(), 1u);
}

TEST_F(TrackingTableTest, AClientCountsOnceForAKey) {
  table.begin("k", 1);
  table.begin("k", 1);
  EXPECT_EQ(table.items(), 1u);
  EXPECT_EQ(changed("k"), Told{1});
}

TEST_F(TrackingTableTest, WhoHasReadWhatItChangedToIsNotTold) {
  const auto one = table.begin("k", 1);
  const auto two = table.begin("k", 2);
  table.end("k", one, 77);
  table.end("k", two, 66);
  EXPECT_EQ(changed("k", 77), Told{2});
  EXPECT_EQ(changed("k", 77), Told{});
  EXPECT_EQ(changed("k", 78), Told{1});
}

TEST_F(TrackingTableTest, AChangeToWhatIsNotKnownTellsEverybody) {
  table.end("k", table.begin("k", 1), 0);
  EXPECT_EQ(changed("k", 0), Told{1});
  table.end("k", table.begin("k", 1), 77);
  EXPECT_EQ(changed("k", 0), Told{1});
}

TEST_F(TrackingTableTest, AReadThatHasNotEndedIsTold) {
  table.begin("k", 1);
  EXPECT_EQ(changed("k", 77), Told{1});
}

TEST_F(TrackingTableTest, TheReadThatBeganLastCounts) {
  const auto first = table.begin("k", 1);
  const auto second = table.begin("k", 1);
  table.end("k", second, 66);
  table.end("k", first, 77);  // its reply is the first of the two all the same
  EXPECT_EQ(changed("k", 77), Told{1});
}

TEST_F(TrackingTableTest, AReadThatEndsBehindTheChangeSaysNothingOfALaterOne) {
  const auto first = table.begin("k", 1);
  EXPECT_EQ(changed("k", 77), Told{1});
  table.begin("k", 1);
  table.end("k", first, 88);
  EXPECT_EQ(changed("k", 88), Told{1});
}

TEST_F(TrackingTableTest, GivesUpKeysBeyondItsBound) {
  for (const char* key : {"a", "b", "c"}) table.begin(key, 1);
  EXPECT_FALSE(table.overflows());
  table.begin("d", 2);
  ASSERT_TRUE(table.overflows());
  Told told;
  const std::string given_up = table.take_any(&told);
  EXPECT_EQ(told, Told{given_up == "d" ? SlotId{2} : SlotId{1}});
  EXPECT_FALSE(table.overflows());
  EXPECT_EQ(table.items(), 3u);
  EXPECT_EQ(changed(given_up), Told{});
}

TEST_F(TrackingTableTest, ForgetsAll) {
  table.begin("k", 1);
  table.clear();
  EXPECT_EQ(table.keys(), 0u);
  EXPECT_EQ(table.items(), 0u);
  EXPECT_EQ(changed("k"), Told{});
}

}  // namespace
}  // namespace kvorum::server

// SPDX-License-Identifier: Apache-2.0
// Counts of use: they grow as Redis's do, and fall by one a minute wherever their entry stands.
#include "engine/index/use_counters.h"

#include <gtest/gtest.h>

#include <memory>
#include <new>
#include <vector>

namespace kvorum::engine::testing {
namespace {

constexpr uint32_t kNow = 1000;

class UseCountersTest : public ::testing::Test {
 protected:
  Entry* add(uint32_t place) {
    const std::string key = std::to_string(place);
    memory_.push_back(std::make_unique<char[]>(Entry::bytes_for(key.size(), 0, false)));
    Entry* const entry = new (memory_.back().get()) Entry;
    entry->begin(place, key);
    keys_.push_back(std::make_unique<std::string>(key));
    index_.insert({*keys_.back(), place, 1}, entry);
    return entry;
  }
  void use(Entry* entry, int times, uint32_t minute = kNow) {
    for (int i = 0; i < times; ++i) counters_.note_use(entry, minute);
  }

  std::vector<std::unique_ptr<char[]>> memory_;
  std::vector<std::unique_ptr<std::string>> keys_;
  PageSource pages_{BucketIndex::kSegmentBytes};
  BucketIndex index_{&pages_, 7};
  UseCounters counters_{&index_, 42, kNow};
};

TEST_F(UseCountersTest, ANewEntryBeginsWhereRedissDo) {
  Entry* const entry = add(17);
  counters_.start(entry, kNow);
  EXPECT_EQ(counters_.count_of(*entry, kNow), 5);
}

// The table of redis.conf for lfu-log-factor 10, which begins at 0 rather than at 5.
TEST_F(UseCountersTest, GrowsWithTheLogarithmOfTheUses) {
  struct Row {
    int uses, least, most;
  };
  for (const Row& row :
       {Row{100, 8, 14}, Row{1'000, 15, 24}, Row{100'000, 130, 165}, Row{2'000'000, 255, 255}}) {
    Entry* const entry = add(static_cast<uint32_t>(row.uses));
    counters_.start(entry, kNow);
    use(entry, row.uses);
    EXPECT_GE(counters_.count_of(*entry, kNow), row.least) << row.uses;
    EXPECT_LE(counters_.count_of(*entry, kNow), row.most) << row.uses;
  }
}

TEST_F(UseCountersTest, FallsByOneAMinuteAndNotBelowNothing) {
  Entry* const entry = add(1u << 30);
  counters_.start(entry, kNow);
  EXPECT_EQ(counters_.count_of(*entry, kNow + 3), 2);
  EXPECT_EQ(counters_.count_of(*entry, kNow + 500), 0);
  EXPECT_EQ(counters_.count_of(*entry, kNow - 1), 5) << "a clock that stepped back";
}

TEST_F(UseCountersTest, AUseAfterMinutesCountsFromWhatIsLeft) {
  Entry* const entry = add(1u << 30);
  counters_.start(entry, kNow);
  counters_.note_use(entry, kNow + 4);  // from 1: it surely grows
  EXPECT_EQ(counters_.count_of(*entry, kNow + 4), 2);
  EXPECT_EQ(counters_.count_of(*entry, kNow + 5), 1);
}

// Wherever in the partition it stands, also where nobody touched its stretch for long.
TEST_F(UseCountersTest, AStretchThatLiesFarBehindIsDecayedAtOnce) {
  std::vector<Entry*> entries;
  for (uint32_t i = 0; i < 4'000; ++i) entries.push_back(add(i << 20));
  for (Entry* const entry : entries) counters_.start(entry, kNow);
  for (int i = 0; i < 400; ++i) {
    for (size_t at = 0; at < entries.size(); at += 2) counters_.note_use(entries[at], kNow);
  }
  std::vector<uint8_t> before;
  for (const Entry* const entry : entries) before.push_back(counters_.count_of(*entry, kNow));
  const uint32_t later = kNow + UseCounters::kLagMax + 1;
  for (size_t at = 0; at < entries.size(); at += 40) counters_.start(entries[at], later);
  for (size_t at = 0; at < entries.size(); ++at) {
    const int left = before[at] - int{UseCounters::kLagMax} - 1;
    const int expected = at % 40 == 0 ? 5 : std::max(left, 0);
    ASSERT_EQ(counters_.count_of(*entries[at], later), expected) << at;
  }
}

}  // namespace
}  // namespace kvorum::engine::testing

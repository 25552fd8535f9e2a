// SPDX-License-Identifier: Apache-2.0
#include "server/script/script_counts.h"

#include <gtest/gtest.h>

#include <thread>

namespace kvorum::server {
namespace {

constexpr size_t kCommand = 5;

uint64_t calls_of_all() {
  uint64_t calls = 0;
  ScriptCounts::each(
      [&](const TrafficCounts& counts) { calls += counts.commands[kCommand].calls.get(); });
  return calls;
}

TEST(ScriptCounts, AreThoseOfAllThreadsThatHaveSome) {
  const uint64_t before = calls_of_all();
  ScriptCounts counts;
  counts.end(kCommand, false, counts.begin(kCommand));
  counts.end(kCommand, true, counts.begin(kCommand));
  EXPECT_EQ(calls_of_all(), before + 2);
  EXPECT_EQ(counts.counts().commands[kCommand].failed.get(), 1u);
  std::thread([&] {
    ScriptCounts others;
    others.end(kCommand, false, 0);
    EXPECT_EQ(calls_of_all(), before + 3);
  }).join();
  EXPECT_EQ(calls_of_all(), before + 2);
}

TEST(ScriptCounts, AreTimedWhereThereIsAClock) {
  ScriptCounts counts;
  EXPECT_EQ(counts.begin(kCommand), 0u);
  ScriptCounts::set_clock([] { return uint64_t{9000}; });
  EXPECT_EQ(counts.begin(kCommand), 9000u);
  counts.end(kCommand, false, 2000);
  EXPECT_EQ(counts.counts().commands[kCommand].timed_ns.get(), 7000u);
  ScriptCounts::set_clock(nullptr);
}

}  // namespace
}  // namespace kvorum::server

// SPDX-License-Identifier: Apache-2.0
#include "base/work_threads.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <future>
#include <vector>

namespace kvorum::testing {
namespace {

TEST(WorkThreads, OneThreadKeepsTheOrder) {
  std::vector<int> done;
  WorkThreads threads(1);
  for (int number = 0; number < 100; ++number) threads.add([&, number] { done.push_back(number); });
  threads.stop();
  ASSERT_EQ(done.size(), 100U);
  EXPECT_TRUE(std::is_sorted(done.begin(), done.end()));
}

TEST(WorkThreads, TwoWorkSideBySide) {
  constexpr auto kLong = std::chrono::seconds(20);
  std::promise<void> second_came;
  std::future<void> second = second_came.get_future();
  std::future_status met = std::future_status::deferred;
  WorkThreads threads(2);
  threads.add([&] { met = second.wait_for(kLong); });
  threads.add([&] { second_came.set_value(); });
  threads.stop();
  EXPECT_EQ(met, std::future_status::ready);
}

}  // namespace
}  // namespace kvorum::testing

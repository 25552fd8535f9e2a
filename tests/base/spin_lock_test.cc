// SPDX-License-Identifier: Apache-2.0
#include "base/spin_lock.h"

#include <gtest/gtest.h>

#include <mutex>
#include <thread>
#include <vector>

namespace kvorum {
namespace {

// More threads than cores, so that holders are preempted and waiters go to sleep in the kernel: a
// lost wake-up hangs this test, a lock that does not exclude loses counts.
TEST(SpinLock, ExcludesAndWakesItsWaiters) {
  constexpr int kThreads = 8, kRounds = 50000;
  SpinLock lock;
  int64_t count = 0;
  std::vector<std::thread> threads;
  for (int n = 0; n < kThreads; ++n) {
    threads.emplace_back([&] {
      for (int round = 0; round < kRounds; ++round) {
        const std::lock_guard guard(lock);
        ++count;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(count, int64_t{kThreads} * kRounds);
}

TEST(SpinLock, AWaiterSeesWhatTheHolderWrote) {
  SpinLock lock;
  int value = 0;
  lock.lock();
  std::thread waiter([&] {
    const std::lock_guard guard(lock);
    EXPECT_EQ(value, 1);
    value = 2;
  });
  value = 1;
  lock.unlock();
  waiter.join();
  EXPECT_EQ(value, 2);
}

}  // namespace
}  // namespace kvorum

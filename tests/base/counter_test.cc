// SPDX-License-Identifier: Apache-2.0
#include "base/counter.h"

#include <gtest/gtest.h>

#include <thread>

namespace kvorum {
namespace {

TEST(Counter, Adds) {
  Counter counter;
  EXPECT_EQ(counter.get(), 0u);
  counter.add();
  counter.add(41);
  EXPECT_EQ(counter.get(), 42u);
}

TEST(Counter, MayBeReadWhileItGrows) {
  Counter counter;
  std::thread adder([&counter] {
    for (int i = 0; i < 100'000; ++i) counter.add();
  });
  uint64_t last = 0;
  while (last < 100'000) {
    const uint64_t now = counter.get();
    ASSERT_GE(now, last);
    last = now;
  }
  adder.join();
}

}  // namespace
}  // namespace kvorum

// SPDX-License-Identifier: Apache-2.0
#include "base/give_back.h"

#include <gtest/gtest.h>

namespace kvorum {
namespace {

TEST(GiveBack, KeepsTheMemoryOfASmallBuffer) {
  std::string bytes(1000, 'x');
  const char* const memory = bytes.data();
  give_back(bytes, 4096);
  EXPECT_TRUE(bytes.empty());
  EXPECT_EQ(bytes.data(), memory);
}

TEST(GiveBack, LetsGoOfALargeOne) {
  std::string bytes(5000, 'x');
  give_back(bytes, 4096);
  EXPECT_TRUE(bytes.empty());
  EXPECT_LT(bytes.capacity(), 100u);
}

}  // namespace
}  // namespace kvorum

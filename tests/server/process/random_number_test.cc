// SPDX-License-Identifier: Apache-2.0
#include "server/process/random_number.h"

#include <gtest/gtest.h>

#include <set>

namespace kvorum::server {
namespace {

TEST(RandomNumber, IsNeverZeroAndNeverTheSame) {
  std::set<uint64_t> seen{0};
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(seen.insert(random_number()).second);
}

}  // namespace
}  // namespace kvorum::server

// SPDX-License-Identifier: Apache-2.0
#include "base/atomic_raise.h"

#include <gtest/gtest.h>

namespace kvorum {
namespace {

TEST(AtomicRaise, RaisesAndNeverLowers) {
  std::atomic<uint64_t> value{5};
  raise_to(value, 9);
  EXPECT_EQ(value.load(), 9u);
  raise_to(value, 7, std::memory_order_acq_rel);
  EXPECT_EQ(value.load(), 9u);
}

TEST(AtomicRaise, AboveGivesEachNumberOnce) {
  std::atomic<uint64_t> value{5};
  EXPECT_EQ(raise_above(value, 9), 9u);
  EXPECT_EQ(raise_above(value, 9), 10u);
  EXPECT_EQ(raise_above(value, 3), 11u);
}

}  // namespace
}  // namespace kvorum

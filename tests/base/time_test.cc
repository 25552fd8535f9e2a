// SPDX-License-Identifier: Apache-2.0
#include "base/time.h"

#include <gtest/gtest.h>

namespace kvorum {
namespace {

TEST(Hlc, CountsWithinTheMillisecondBeforeTheNextBegins) {
  const Hlc reading = Hlc::from_ms(1000);
  EXPECT_EQ(reading.ms(), 1000u);
  EXPECT_EQ(reading.next().ms(), 1000u);
  EXPECT_LT(reading, reading.next());
  EXPECT_LT(reading.next(), Hlc::from_ms(1001));
}

TEST(Hlc, AFullCounterCarriesIntoTheMilliseconds) {
  EXPECT_EQ((Hlc{(uint64_t{1000} << 16) | 0xffff}.next()), Hlc::from_ms(1001));
}

TEST(Hlc, ZeroIsBeforeAll) { EXPECT_LT(Hlc{}, Hlc::from_ms(1)); }

}  // namespace
}  // namespace kvorum

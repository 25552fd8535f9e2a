// SPDX-License-Identifier: Apache-2.0
#include "base/siphash.h"

#include <gtest/gtest.h>

#include <string>

namespace kvorum {
namespace {

// The reference vectors: key 00 01 .. 0f, message 00 01 .. of the given size.
TEST(SipHash, GivesTheReferenceVectors) {
  const MacKey key{0x0706050403020100u, 0x0f0e0d0c0b0a0908u};
  std::string counting;
  for (int n = 0; n < 64; ++n) counting.push_back(static_cast<char>(n));
  const auto hash = [&](size_t size) { return siphash(key, counting.substr(0, size)); };
  EXPECT_EQ(hash(0), 0x726fdb47dd0e0e31u);
  EXPECT_EQ(hash(1), 0x74f839c593dc67fdu);
  EXPECT_EQ(hash(7), 0xab0200f58b01d137u);
  EXPECT_EQ(hash(8), 0x93f5f5799a932462u);
  EXPECT_EQ(hash(15), 0xa129ca6149be45e5u);
  EXPECT_EQ(hash(16), 0x3f2acc7f57c29bdbu);
  EXPECT_EQ(hash(63), 0x958a324ceb064572u);
}

TEST(SipHash, DependsOnBothHalvesOfTheKey) {
  EXPECT_NE(siphash({1, 2}, "message"), siphash({1, 3}, "message"));
  EXPECT_NE(siphash({1, 2}, "message"), siphash({3, 2}, "message"));
}

}  // namespace
}  // namespace kvorum

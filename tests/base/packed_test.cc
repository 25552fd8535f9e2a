// SPDX-License-Identifier: Apache-2.0
#include "base/packed.h"

#include <gtest/gtest.h>

#include "base/rng.h"

namespace kvorum {
namespace {

std::string packed(const std::string& bytes) {
  std::string out;
  pack(bytes, out);
  return out;
}

std::string random_bytes(size_t count) {
  Rng rng(7);
  std::string bytes;
  for (size_t i = 0; i < count; ++i) bytes.push_back(static_cast<char>(rng.below(256)));
  return bytes;
}

TEST(Packed, ComesBackAsItWas) {
  for (const std::string& bytes :
       {std::string(), std::string("x"), std::string(100'000, 'y'), random_bytes(100'000)}) {
    std::string out;
    ASSERT_TRUE(unpack(packed(bytes), bytes.size(), out));
    EXPECT_EQ(out, bytes);
  }
}

TEST(Packed, OnlyWhatGainsByItIsCompressed) {
  EXPECT_LT(packed(std::string(100'000, 'y')).size(), 10'000u);
  EXPECT_EQ(packed(random_bytes(1000)).size(), 1009u);
}

TEST(Packed, MoreThanIsTakenIsRefused) {
  std::string out;
  for (const std::string& bytes : {std::string(100'000, 'y'), random_bytes(1000)}) {
    EXPECT_FALSE(unpack(packed(bytes), bytes.size() - 1, out));
  }
}

TEST(Packed, DamageIsFound) {
  for (const std::string& bytes : {std::string(1000, 'y'), random_bytes(1000)}) {
    const std::string whole = packed(bytes);
    for (size_t at = 0; at < whole.size(); ++at) {
      std::string damaged = whole, out;
      damaged[at] = static_cast<char>(damaged[at] ^ 0x41);
      EXPECT_FALSE(unpack(damaged, 1 << 20, out) && out != bytes) << at;
      EXPECT_FALSE(unpack(std::string_view(whole).substr(0, at), 1 << 20, out)) << at;
    }
  }
}

}  // namespace
}  // namespace kvorum

// SPDX-License-Identifier: Apache-2.0
#include "server/strings/subsequence.h"

#include <gtest/gtest.h>

#include "base/rng.h"

namespace kvorum::server {
namespace {

TEST(Subsequence, OfRedisDocumentation) {
  const Subsequence found = longest_subsequence("ohmytext", "mynewtext");
  EXPECT_EQ(found.text, "mytext");
  ASSERT_EQ(found.ranges.size(), 2u);
  EXPECT_EQ(found.ranges[0].a_first, 4u);
  EXPECT_EQ(found.ranges[0].a_last, 7u);
  EXPECT_EQ(found.ranges[0].b_first, 5u);
  EXPECT_EQ(found.ranges[0].b_last, 8u);
  EXPECT_EQ(found.ranges[1].a_first, 2u);
  EXPECT_EQ(found.ranges[1].b_last, 1u);
  EXPECT_EQ(found.ranges[1].length(), 2u);
}

TEST(Subsequence, OfNothing) {
  EXPECT_EQ(longest_subsequence("", "").text, "");
  EXPECT_EQ(longest_subsequence("abc", "").text, "");
  EXPECT_TRUE(longest_subsequence("abc", "xyz").ranges.empty());
  EXPECT_EQ(longest_subsequence_length("", "abc"), 0u);
}

// Its letters stand in both strings in order, where the ranges say; no more than the length.
TEST(Subsequence, StandsInBoth) {
  Rng rng(7);
  for (int round = 0; round < 200; ++round) {
    std::string a, b;
    for (uint64_t i = rng.below(40); i > 0; --i) a.push_back(static_cast<char>('a' + rng.below(3)));
    for (uint64_t i = rng.below(40); i > 0; --i) b.push_back(static_cast<char>('a' + rng.below(3)));
    const Subsequence found = longest_subsequence(a, b);
    EXPECT_EQ(found.text.size(), longest_subsequence_length(a, b));
    EXPECT_EQ(found.text.size(), longest_subsequence_length(b, a));
    std::string of_a, of_b;
    for (auto range = found.ranges.rbegin(); range != found.ranges.rend(); ++range) {
      of_a += a.substr(range->a_first, range->length());
      of_b += b.substr(range->b_first, range->length());
    }
    EXPECT_EQ(of_a, found.text);
    EXPECT_EQ(of_b, found.text);
  }
}

}  // namespace
}  // namespace kvorum::server

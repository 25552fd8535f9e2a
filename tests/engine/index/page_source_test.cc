// SPDX-License-Identifier: Apache-2.0
#include "engine/index/page_source.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <set>
#include <vector>

namespace kvorum::engine {
namespace {

class PageSourceTest : public ::testing::TestWithParam<size_t> {};
INSTANTIATE_TEST_SUITE_P(Sizes, PageSourceTest, ::testing::Values(2048, 4096, 8192));

TEST_P(PageSourceTest, PagesAreAlignedAndApart) {
  PageSource source(GetParam());
  std::set<uintptr_t> pages;
  for (int i = 0; i < 3000; ++i) {
    const auto page = reinterpret_cast<uintptr_t>(source.take());
    EXPECT_EQ(page % GetParam(), 0u);
    if (!pages.empty()) {
      const auto next = pages.lower_bound(page);
      ASSERT_TRUE(next == pages.end() || *next - page >= GetParam());
    }
    ASSERT_TRUE(pages.insert(page).second);
  }
}

// More pages than the reserve keeps are given back; those still in use keep their contents.
TEST_P(PageSourceTest, GivingPagesBackLeavesTheirNeighboursAlone) {
  PageSource source(GetParam());
  const size_t count = 24 * 1024 * 1024 / GetParam();
  std::vector<char*> pages;
  for (size_t i = 0; i < count; ++i) {
    pages.push_back(static_cast<char*>(source.take()));
    std::memset(pages.back(), static_cast<int>(i % 251), GetParam());
  }
  for (size_t i = 0; i < count; i += 2) source.give_back(pages[i]);
  for (size_t i = 1; i < count; i += 2) {
    ASSERT_EQ(pages[i][0], static_cast<char>(i % 251));
    ASSERT_EQ(pages[i][GetParam() - 1], static_cast<char>(i % 251));
  }
  std::set<void*> again;
  for (size_t i = 0; i < count / 2; ++i) ASSERT_TRUE(again.insert(source.take()).second);
  for (size_t i = 1; i < count; i += 2) ASSERT_EQ(again.count(pages[i]), 0u);
}

}  // namespace
}  // namespace kvorum::engine

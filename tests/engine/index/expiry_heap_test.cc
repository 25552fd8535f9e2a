// SPDX-License-Identifier: Apache-2.0
#include "engine/index/expiry_heap.h"

#include <gtest/gtest.h>

#include "base/rng.h"

namespace kvorum::engine {
namespace {

TEST(ExpiryHeapTest, TheEarliestStandsOnTop) {
  ExpiryHeap heap;
  EXPECT_EQ(heap.earliest_ms(), 0u);
  Rng rng(1);
  for (uint32_t i = 0; i < 1000; ++i) heap.push({1 + rng.below(500), i});
  uint64_t last = 0;
  for (int i = 0; i < 1000; ++i) {
    EXPECT_GE(heap.earliest_ms(), last);
    last = heap.top().deadline_ms;
    heap.pop();
  }
  EXPECT_TRUE(heap.empty());
}

TEST(ExpiryHeapTest, WhatIsPutBackReplacesAll) {
  ExpiryHeap heap;
  heap.push({5, 1});
  heap.push({3, 2});
  std::vector<ExpiryHeap::Item> items = heap.take();
  EXPECT_EQ(items.size(), 2u);
  EXPECT_TRUE(heap.empty());
  heap.put_back({{9, 1}, {7, 2}, {8, 3}});
  EXPECT_EQ(heap.size(), 3u);
  EXPECT_EQ(heap.earliest_ms(), 7u);
}

}  // namespace
}  // namespace kvorum::engine

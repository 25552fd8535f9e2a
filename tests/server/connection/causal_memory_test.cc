// SPDX-License-Identifier: Apache-2.0
#include "server/connection/causal_memory.h"

#include <gtest/gtest.h>

namespace kvorum::server {
namespace {

cluster::Context context_of(uint64_t hlc) {
  cluster::Context context;
  context.vector.raise(cluster::Actor{1, 2, Hlc{3}}, Hlc{hlc});
  return context;
}

TEST(CausalMemory, RemembersByKeyAndKeyspace) {
  CausalMemory memory;
  memory.remember(KeyRef{"k", {}, 0}, context_of(10));
  ASSERT_NE(memory.find(KeyRef{"k", {}, 0}), nullptr);
  EXPECT_EQ(memory.find(KeyRef{"k", {}, 0})->vector, context_of(10).vector);
  EXPECT_EQ(memory.find(KeyRef{"k", {}, 1}), nullptr);
  memory.remember(KeyRef{"k", {}, 0}, context_of(11));
  EXPECT_EQ(memory.find(KeyRef{"k", {}, 0})->vector, context_of(11).vector);
  memory.forget(KeyRef{"k", {}, 0});
  EXPECT_EQ(memory.find(KeyRef{"k", {}, 0}), nullptr);
}

TEST(CausalMemory, ForgetsTheOldestPastItsLimit) {
  CausalMemory memory(3);
  for (const char* key : {"a", "b", "c", "d"}) memory.remember(KeyRef{key, {}, 0}, context_of(1));
  EXPECT_EQ(memory.size(), 3u);
  EXPECT_EQ(memory.find(KeyRef{"a", {}, 0}), nullptr);
  EXPECT_NE(memory.find(KeyRef{"d", {}, 0}), nullptr);
}

TEST(CausalMemory, StaysBoundedWhereKeysComeAndGo) {
  CausalMemory memory(3);
  for (int i = 0; i < 1000; ++i) {
    memory.remember(KeyRef{"a", {}, 0}, context_of(1));
    memory.forget(KeyRef{"a", {}, 0});
  }
  memory.remember(KeyRef{"a", {}, 0}, context_of(1));
  memory.remember(KeyRef{"b", {}, 0}, context_of(1));
  EXPECT_EQ(memory.size(), 2u);
  EXPECT_NE(memory.find(KeyRef{"a", {}, 0}), nullptr);
}

}  // namespace
}  // namespace kvorum::server

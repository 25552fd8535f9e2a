// SPDX-License-Identifier: Apache-2.0
#include "base/memory_thread.h"

#include <gtest/gtest.h>

#include <future>

#include "base/large_memory.h"

namespace kvorum {
namespace {

void wait_for_memory_thread() {
  std::promise<void> reached;
  post_to_memory_thread([&] { reached.set_value(); });
  reached.get_future().wait();
}

TEST(MemoryThreadTest, PagesComeAheadAndMemoryThatIsGoneDoesNoHarm) {
  PagesAhead ahead;
  {
    MappedMemory memory(8 * kLargeMemoryBytes);
    ahead.reset(memory.data() + memory.warm_bytes());
    for (size_t at = 0; at < memory.size(); at += kLargeMemoryBytes / 2) {
      ahead.wrote(memory.data() + at, memory.data() + memory.size());
    }
    EXPECT_EQ(memory.data()[memory.size() - 1], 0);
  }
  wait_for_memory_thread();
}

}  // namespace
}  // namespace kvorum

// SPDX-License-Identifier: Apache-2.0
// The hot path from a client's bytes to the table and back allocates nothing once it is warm.
#include <gtest/gtest.h>

#include <cstdlib>
#include <new>
#include <string>

#include "tests/server/dispatch/command_cluster.h"

namespace {
size_t allocations = 0;  // of this process, which has one thread
}  // namespace

[[gnu::noinline]] void* operator new(size_t size) {
  ++allocations;
  void* const memory = std::malloc(size);
  if (memory == nullptr) std::abort();
  return memory;
}
[[gnu::noinline]] void* operator new(size_t size, const std::nothrow_t&) noexcept {
  ++allocations;
  return std::malloc(size);
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace kvorum::server {
namespace {

size_t allocations_of(CommandCluster& cluster, Conversation& conversation,
                      const std::string& pipeline) {
  size_t counted = 0;
  for (int round = 0; round < 3; ++round) {
    const size_t before = allocations;
    EXPECT_EQ(conversation.consume(pipeline, cluster.now()), pipeline.size());
    counted = allocations - before;
    conversation.output().clear();
  }
  return counted;
}

TEST(Allocations, NoneForGetAndSet) {
  CommandCluster cluster(1);
  Conversation conversation(cluster.nodes[0]->dispatcher, TestClient::plain());
  std::string gets, sets;
  for (int i = 0; i < 64; ++i) {
    const std::string key = "a key that is longer than a short string " + std::to_string(i);
    gets += TestClient::resp({"GET", key});
    sets += TestClient::resp({"SET", key, std::string(100, 'v')});
  }
  EXPECT_EQ(allocations_of(cluster, conversation, sets), 0u);
  EXPECT_EQ(allocations_of(cluster, conversation, gets), 0u);
}

TEST(Allocations, NoneForMemcachedGetAndSet) {
  CommandCluster cluster(1);
  Conversation conversation(cluster.nodes[0]->dispatcher, TestClient::memcached());
  const std::string set = "set a-key-that-is-longer-than-a-short-string 5 0 3\r\nabc\r\n";
  const std::string get = "get a-key-that-is-longer-than-a-short-string\r\n";
  EXPECT_EQ(allocations_of(cluster, conversation, set), 0u);
  EXPECT_EQ(allocations_of(cluster, conversation, get), 0u);
}

}  // namespace
}  // namespace kvorum::server

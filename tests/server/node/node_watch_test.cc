// SPDX-License-Identifier: Apache-2.0
#include "server/node/node_watch.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>

namespace kvorum::server {
namespace {

TEST(NodeWatch, AReactorThatDoesNotRunIsNoticedAndForgiven) {
  std::atomic<uint64_t> first{1}, second{1}, looks{0};
  NodeWatch::Sources sources;
  sources.status = [] { return NodeStatus(); };
  sources.wall_ms = [] { return uint64_t{1}; };
  sources.turns = [&] { return std::vector<uint64_t>{++first, second}; };
  sources.measure_disk = [&] { ++looks; };
  sources.measure_memory = [] {};
  NodeWatch watch(std::move(sources));
  const auto until = [](auto condition) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!condition() && std::chrono::steady_clock::now() < end) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return condition();
  };
  EXPECT_TRUE(until([&] { return watch.stuck_reactor() == 1; }));
  EXPECT_GE(looks, NodeWatch::kStuckLooks);
  ++second;
  EXPECT_TRUE(until([&] { return watch.stuck_reactor() == NodeWatch::kNobody; }));
}

}  // namespace
}  // namespace kvorum::server

// SPDX-License-Identifier: Apache-2.0
#include "cluster/frontier/clean_exchanges.h"

#include <gtest/gtest.h>

namespace kvorum::cluster {
namespace {

struct Listener : ExchangeObserver {
  void write_gossip(NodeId, std::string&) override {}
  void on_gossip(NodeId, std::string_view) override {}
  void on_clean_exchange(uint8_t, uint32_t partition, const CleanExchange&) override {
    partitions.push_back(partition);
  }
  std::vector<uint32_t> partitions;
};

TEST(CleanExchanges, TheOneThatBeganLastIsKept) {
  CleanExchanges exchanges(4);
  EXPECT_FALSE(exchanges.latest(0, 1, 7));
  const uint32_t partitions[] = {1, 3};
  exchanges.note(0, partitions, {7, 1, 2, Hlc{50}});
  exchanges.note(0, partitions, {7, 1, 2, Hlc{40}});
  const auto latest = exchanges.latest(0, 3, 7);
  ASSERT_TRUE(latest);
  EXPECT_EQ(latest->began, Hlc{50});
  EXPECT_FALSE(exchanges.latest(0, 2, 7));
  EXPECT_FALSE(exchanges.latest(1, 1, 7));
  EXPECT_FALSE(exchanges.latest(0, 1, 8));
  EXPECT_EQ(exchanges.count(), 4u);
}

TEST(CleanExchanges, EachIsTold) {
  CleanExchanges exchanges(4);
  Listener listener;
  exchanges.set_observer(&listener);
  const uint32_t partitions[] = {0, 2};
  exchanges.note(5, partitions, {7, 1, 2, Hlc{50}});
  EXPECT_EQ(listener.partitions, (std::vector<uint32_t>{0, 2}));
}

}  // namespace
}  // namespace kvorum::cluster

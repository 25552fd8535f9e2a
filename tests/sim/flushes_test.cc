// SPDX-License-Identifier: Apache-2.0
// FLUSHDB where a replica does not have everything in memory.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/sim/client.h"

namespace kvorum::sim {
namespace {

constexpr uint64_t kSecond = 1'000'000;

TEST(Flushes, ReplicasAreEqualWhateverTheyHadInMemory) {
  Swarm swarm = plain_swarm(3);
  swarm.durable = true;
  Cluster cluster(swarm);
  cluster.start();
  Client client(cluster, {kSiblingsDb, 1.0, {}}, 1);
  EXPECT_EQ(client.run({"SET", "k", "v"}).text, "OK");
  cluster.queue.run_for(kSecond);
  const size_t forgetful = cluster.node_for("k", 2);
  cluster.kill(forgetful, Death::kClean);
  cluster.start_node(forgetful);
  ASSERT_TRUE(cluster.run_until(10 * kSecond, [&] { return cluster.network.all_linked(); }));
  EXPECT_EQ(client.run({"FLUSHDB"}).text, "OK");
  cluster.queue.run_for(kSecond);
  EXPECT_EQ(client.run({"KV.GET", "k"}).items.size(), 2u);
  cluster.queue.run_for(kSecond);
  std::string trouble;
  EXPECT_TRUE(cluster.same_digests(kSiblingsDb, &trouble)) << trouble;
}

}  // namespace
}  // namespace kvorum::sim

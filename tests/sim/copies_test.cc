// SPDX-License-Identifier: Apache-2.0
// What W promises: so many copies at places of their own.
#include <gtest/gtest.h>

#include <optional>

#include "tests/sim/client.h"

namespace kvorum::sim {
namespace {

constexpr uint64_t kMs = 1000;

// A slow primary and the fallback that took its place are one copy once the hint is handed off.
// Here the coordinator's own disk refuses the write, so that place is the only one that has it.
TEST(Copies, ASlowPrimaryAndItsStandInAreOneVote) {
  Swarm swarm = plain_swarm(3);
  swarm.durable = true;
  swarm.keyspaces[kSiblingsDb].n = 2;
  swarm.keyspaces[kSiblingsDb].w = 2;
  Cluster cluster(swarm);
  cluster.start();
  cluster.queue.run_for(300 * kMs);  // until the copies are whole: the write asks nobody first
  const size_t coordinator = cluster.node_for("k", 0), slow = cluster.node_for("k", 1);
  cluster.cut(coordinator, slow, false);  // frames wait, until the network heals
  cluster.nodes[coordinator]->disk().set_broken(true);

  std::optional<RespReply> answer;
  Client client(cluster, {kSiblingsDb, 1.0, coordinator}, 1);
  client.call({"SET", "k", "v"}, [&](const RespReply* reply) { answer = *reply; });
  cluster.queue.run_for(300 * kMs);
  EXPECT_FALSE(answer);
  EXPECT_EQ(cluster.hints_pending(), 1u) << "the fallback has taken the slow primary's place";
  cluster.heal_network();
  ASSERT_TRUE(cluster.run_until(2000 * kMs, [&] { return answer.has_value(); }));
  EXPECT_TRUE(answer->is_error("UNCERTAIN 1 of 2")) << answer->text;
}

}  // namespace
}  // namespace kvorum::sim

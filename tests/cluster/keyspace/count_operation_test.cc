// SPDX-License-Identifier: Apache-2.0
#include "cluster/keyspace/count_operation.h"

#include <gmock/gmock.h>

#include "tests/cluster/keyspace_cluster.h"

namespace kvorum::cluster {
namespace {

using fixtures::key_number;
using fixtures::KeyspaceCluster;
using Kind = KeyspaceRequest::Kind;

TEST(KeyspaceCount, IsExactWhenReplicasAgree) {
  for (const uint32_t members : {1U, 3U, 6U}) {
    KeyspaceCluster cluster({.members = members});
    for (uint64_t number = 0; number < 700; ++number) {
      const std::string key = key_number(number);
      cluster.write(0, key, cluster.primaries(key));
    }
    for (size_t at = 0; at < members; ++at) EXPECT_EQ(cluster.count(at).count, 700U);
    EXPECT_EQ(cluster.count(0, 3).count, 0U);
  }
}

TEST(KeyspaceCount, IsExactWithAPrimaryDownAndInOneRoundTrip) {
  KeyspaceCluster cluster({.members = 5});
  for (uint64_t number = 0; number < 700; ++number) {
    const std::string key = key_number(number);
    cluster.write(0, key, cluster.primaries(key));
  }
  cluster.isolate(2);
  const uint64_t before = cluster.frames_sent();
  EXPECT_EQ(cluster.count(0).count, 700U);
  EXPECT_EQ(cluster.frames_sent() - before, 6U);
}

TEST(KeyspaceCount, AMemberThatDiesOrIsSilentIsDoneWithout) {
  KeyspaceCluster cluster;
  for (uint64_t number = 0; number < 200; ++number) {
    cluster.write(0, key_number(number), {0, 1, 2});
  }
  const uint64_t tag = cluster.submit(0, {.kind = Kind::kCount, .name = {}});
  cluster.isolate(1);
  EXPECT_EQ(cluster.await(0, tag).count, 200U);
  cluster.isolate(1, false);
  cluster.node(1).silent = true;
  EXPECT_EQ(cluster.count(0).count, 200U);
}

TEST(KeyspaceCount, APartitionWithoutReachablePrimaryIsNoQuorum) {
  KeyspaceCluster cluster({.members = 4, .n = 1, .r = 1, .w = 1});
  cluster.isolate(3);
  EXPECT_EQ(cluster.count(0).outcome, Outcome::kNoQuorum);
  cluster.isolate(3, false);
  cluster.node(3).silent = true;
  EXPECT_EQ(cluster.count(0).outcome, Outcome::kNoQuorum);
}

}  // namespace
}  // namespace kvorum::cluster

// SPDX-License-Identifier: Apache-2.0
// What gossip carries: the rounds of the frontier, and flush marks that did not arrive otherwise.
#include "cluster/membership/gossip.h"

#include <gmock/gmock.h>

#include "tests/cluster/test_cluster.h"

namespace kvorum::cluster {
namespace {

CoordinatorOptions gossiping() {
  CoordinatorOptions options;
  options.anti_entropy_ms = 3'600'000;  // it would mend behind gossip's back
  options.gossip_ms = 200;
  return options;
}

// As FLUSHDB at a node does it.
void flush(TestCluster& cluster, size_t node) {
  KeyspaceRequest request;
  request.kind = KeyspaceRequest::Kind::kFlush;
  cluster.nodes[node]->coordinator->submit(request, 4711, cluster.now_of(node));
}

TEST(Gossip, AMarkThatALinkLostArrivesWithoutANewLink) {
  for (const size_t flusher : {size_t{0}, size_t{2}}) {
    TestCluster cluster(3, {}, gossiping());
    cluster.pass_ms(100);
    cluster.set(0, "k", "v");
    const size_t deaf = 1;
    cluster.isolate(deaf, true);
    flush(cluster, flusher);
    cluster.pass_ms(2000);
    EXPECT_TRUE(cluster.nodes[flusher]->marks.any(0));
    EXPECT_FALSE(cluster.nodes[deaf]->marks.any(0));
    for (const size_t other : {size_t{0}, size_t{2}}) cluster.mend(other, deaf);
    cluster.pass_ms(5000);
    EXPECT_EQ(cluster.nodes[deaf]->marks.digest(), cluster.nodes[flusher]->marks.digest());
    EXPECT_TRUE(cluster.nodes[deaf]->marks.any(0));
    EXPECT_TRUE(cluster.own_values(deaf, "k").empty());
  }
}

// Each of two knows a mark that the other one lacks.
TEST(Gossip, MarksAreExchangedBothWays) {
  TestCluster cluster(3, {}, gossiping());
  cluster.pass_ms(100);
  cluster.isolate(2, true);
  flush(cluster, 0);
  flush(cluster, 2);
  cluster.pass_ms(2000);
  EXPECT_NE(cluster.nodes[0]->marks.digest(), cluster.nodes[2]->marks.digest());
  cluster.mend(0, 2);
  cluster.mend(1, 2);
  cluster.pass_ms(5000);
  EXPECT_EQ(cluster.nodes[0]->marks.digest(), cluster.nodes[2]->marks.digest());
  EXPECT_EQ(cluster.nodes[1]->marks.digest(), cluster.nodes[2]->marks.digest());
}

TEST(Gossip, IsRefusedWhereItIsCutShort) {
  TestCluster cluster(3, {}, gossiping());
  std::string payload(7, 'x');
  const Frame frame{{MessageType::kGossip, 0, 0, 0}, payload};
  EXPECT_FALSE(cluster.nodes[0]->coordinator->on_message(1, frame, cluster.now_of(0)));
}

}  // namespace
}  // namespace kvorum::cluster

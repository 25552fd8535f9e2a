// SPDX-License-Identifier: Apache-2.0
#include "cluster/request/read_repair.h"

#include <gmock/gmock.h>

#include "tests/cluster/test_cluster.h"
#include "tests/engine/map_store.h"

namespace kvorum::cluster {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

// Three nodes that all hold every key, and one of them stale.
struct StaleReplica : ::testing::Test {
  void write_past_it(size_t count, const std::string& value) {
    cluster.cut(coordinator, stale, true);
    for (size_t n = 0; n < count; ++n) cluster.set(coordinator, name(n), value);
    cluster.heal(coordinator, stale);
  }
  // All at once: no answer moves before the last one is asked.
  void read_all(size_t count) {
    for (size_t n = 0; n < count; ++n) {
      Request request;
      request.key = cluster.ref(name(n));
      machine().submit(request, next_tag++, cluster.now_of(coordinator));
    }
    cluster.settle();
  }
  size_t mended(size_t count) {
    size_t sum = 0;
    for (size_t n = 0; n < count; ++n) sum += !cluster.own_values(stale, name(n)).empty();
    return sum;
  }
  // Keys that this node coordinates, so that all of them go past the stale one.
  const std::string& name(size_t n) {
    for (; names.size() <= n; ++tried) {
      const std::string key = "key" + std::to_string(tried);
      if (cluster.node_for(key, 0) == coordinator) names.push_back(key);
    }
    return names[n];
  }
  Coordinator& machine() { return *cluster.nodes[coordinator]->coordinator; }

  TestCluster cluster{3};
  const size_t coordinator = 0;
  const size_t stale = 2;
  uint64_t next_tag = 1'000'000;
  std::vector<std::string> names;
  size_t tried = 0;
};

// Two that hold different siblings: the third write that would replace both may be on its way, so
// they are read again a few times before a client is told; what all hold is told at once.
TEST(Siblings, InCopiesThatDifferAreReadAgain) {
  TestCluster cluster{3};
  const size_t first = cluster.node_for("k", 0);
  const size_t second = cluster.node_for("k", 1);
  cluster.cut(first, second, true);
  cluster.put(first, "k", Context{}, "x");
  cluster.isolate(first);
  cluster.put(second, "k", Context{}, "y");
  cluster.heal_all();
  const auto contested = [&] {
    return cluster.nodes[first]->coordinator->counters().reads_contested;
  };
  EXPECT_THAT(cluster.get(first, "k").values, UnorderedElementsAre("x", "y"));
  const uint64_t readings = contested();
  EXPECT_GT(readings, 0u);
  EXPECT_LE(readings, Core::kFluxReadings);
  cluster.pass_ms(100);
  EXPECT_THAT(cluster.get(first, "k").values, UnorderedElementsAre("x", "y"));
  EXPECT_EQ(contested(), readings);
}

TEST_F(StaleReplica, IsMendedByTheReadAfterItsReply) {
  write_past_it(1, "v");
  EXPECT_THAT(cluster.own_values(stale, name(0)), IsEmpty());
  EXPECT_THAT(cluster.get(coordinator, name(0)).values, ElementsAre("v"));
  EXPECT_THAT(cluster.own_values(stale, name(0)), ElementsAre("v"));
  EXPECT_EQ(machine().counters().read_repairs, 1u);
}

TEST_F(StaleReplica, IsNotBuriedUnderRepairs) {
  constexpr size_t kKeys = 300;
  write_past_it(kKeys, "v");
  read_all(kKeys);
  EXPECT_EQ(mended(kKeys), ReadRepair::kOpenMax);
  EXPECT_EQ(machine().counters().read_repairs, ReadRepair::kOpenMax);
  EXPECT_EQ(machine().counters().read_repairs_skipped, kKeys - ReadRepair::kOpenMax);
  for (size_t n = 0; n < kKeys; ++n) {
    cluster.steady_us += 1000;
    EXPECT_THAT(cluster.get(coordinator, name(n)).values, ElementsAre("v"));
  }
  EXPECT_EQ(mended(kKeys), kKeys) << "those before were acknowledged";
}

TEST_F(StaleReplica, GetsNoMoreBytesThanTheBudget) {
  const std::string megabyte(1 << 20, 'x');
  constexpr size_t kKeys = 10;
  write_past_it(kKeys, megabyte);
  for (size_t n = 0; n < kKeys; ++n) cluster.get(coordinator, name(n));
  EXPECT_LT(mended(kKeys), 4u);
  EXPECT_GT(machine().counters().read_repairs_skipped, 5u);
  for (size_t n = 0; n < kKeys; ++n) {
    cluster.steady_us += 100'000;
    cluster.get(coordinator, name(n));
  }
  EXPECT_EQ(mended(kKeys), kKeys);
}

TEST_F(StaleReplica, OneObjectLargerThanTheBudgetIsMendedToo) {
  write_past_it(1, std::string(ReadRepair::kBurstBytes + 1, 'x'));
  cluster.get(coordinator, name(0));
  EXPECT_EQ(mended(1), 1u);
}

TEST_F(StaleReplica, ThatDoesNotAcknowledgeHoldsNothingForEver) {
  write_past_it(1, "v");
  Request request;
  request.key = cluster.ref(name(0));
  cluster.nodes[stale]->table->store_health().fail();  // it answers reads and refuses the repair
  machine().submit(request, next_tag, cluster.now_of(coordinator));
  cluster.settle();
  cluster.pass_ms(3000);
  EXPECT_EQ(machine().counters().operations_in_flight, 0u);
  cluster.nodes[stale]->table->store_health().recover();
}

TEST(ReadRepair, NeverGoesToAFallback) {
  TestCluster cluster(5);
  const size_t first = cluster.node_for("k", 0);
  const size_t fallback = cluster.node_for("k", 3);
  cluster.isolate(cluster.node_for("k", 1));
  cluster.set(first, "k", "old");
  ASSERT_EQ(cluster.nodes[fallback]->hints->pending(), 1u);
  cluster.cut(first, fallback);
  cluster.set(first, "k", "new");
  cluster.heal(first, fallback);
  const uint64_t writes = cluster.nodes[fallback]->coordinator->counters().replica_writes;
  const Answer answer = cluster.get(first, "k");
  EXPECT_THAT(answer.values, ElementsAre("new"));
  EXPECT_EQ(cluster.nodes[fallback]->coordinator->counters().replica_writes, writes);
}

// The own copy answers, is evicted while the others are asked, and turns out stale.
TEST(ReadRepair, OfAnEvictedOwnCopyLoadsItFirst) {
  TestCluster cluster(3);
  engine::testing::MapStore store;
  TestNode& node = *cluster.nodes[0];
  const StoredRecordCodec codec(&node.authors, 0);
  engine::TableOptions options;
  options.partition_bits = 4;
  options.store = &store;
  options.codec = &codec;
  options.memory_bytes_max = 1;
  const auto own_view = std::make_shared<const ClusterView>(node.coordinator->view());
  node.coordinator.reset();
  node.table = std::make_unique<engine::ObjectTable>(options);
  ASSERT_TRUE(node.table->store_reader().warm().ok());
  node.start(own_view, {});
  node.commits_objects = true;
  cluster.heal_all();
  cluster.set(0, "k", "old");
  cluster.isolate(0);
  cluster.set(1, "k", "new");
  cluster.heal_all();

  ASSERT_TRUE(node.table->store_reader().load(cluster.ref("k")).ok());
  Request request;
  const std::string key = "k";  // only seen by the request
  request.key = cluster.ref(key);
  constexpr uint64_t kTag = 77;
  node.coordinator->submit(request, kTag, cluster.now_of(0));
  ASSERT_TRUE(node.coordinator->outbox().loads.empty()) << "it was resident when it answered";
  for (int n = 0; n < 2000; ++n) {
    const std::string filler = "filler" + std::to_string(n);
    node.table->update(cluster.ref(filler),
                       [](std::string_view) { return engine::RecordChange{}; });
  }
  const engine::Access before = node.table->read(cluster.ref("k"), [](std::string_view) {});
  ASSERT_EQ(before, engine::Access::kNotResident) << "the test evicts it";
  const uint64_t loads = cluster.loads_served;
  cluster.settle();
  EXPECT_GT(cluster.loads_served, loads);
  EXPECT_THAT(node.answers.at(kTag).values, ElementsAre("new"));
  ASSERT_TRUE(node.table->store_reader().load(cluster.ref("k")).ok());
  EXPECT_THAT(cluster.own_values(0, "k"), ElementsAre("new"));
  EXPECT_EQ(node.coordinator->counters().read_repairs, 1u);
  cluster.pass_ms(2000);
  EXPECT_EQ(node.coordinator->counters().operations_in_flight, 0u);
  node.coordinator.reset();
  node.table.reset();
}

}  // namespace
}  // namespace kvorum::cluster

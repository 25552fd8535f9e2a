// SPDX-License-Identifier: Apache-2.0
// What an exchange costs: bytes between two replicas of many keys, by how many of them differ. The
// figures of docs/BACKGROUND.md come from KVORUM_CURVE_KEYS=1000000.
#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/cluster/test_cluster.h"

namespace kvorum::cluster {
namespace {

constexpr uint32_t kPartitions = 16;
constexpr uint64_t kRarelyMs = 24 * 3600 * 1000;

CoordinatorOptions asked_only() {
  CoordinatorOptions options;
  options.anti_entropy_ms = kRarelyMs;
  options.gossip_ms = 0;  // no frontier: the versions below are as old as the hills
  return options;
}

class TwoReplicas {
 public:
  explicit TwoReplicas(int keys) : cluster_(2, {}, asked_only()) {
    for (int key = 0; key < keys; ++key) {
      for (size_t node = 0; node < 2; ++node) store(node, key, "value", 1);
    }
    cluster_.pass_ms(3000);
    while (outgrown()) cluster_.pass_ms(1000);
  }

  void change(int first, int count, int step) {
    ++round_;
    for (int i = 0; i < count; ++i) store(1, first + i * step, "other", round_ + 1);
  }

  // Bytes that a repair takes, both directions.
  uint64_t repair() {
    const uint64_t before = cluster_.bytes_delivered;
    cluster_.nodes[0]->coordinator->repair({}, cluster_.now_of(0));
    for (int wait = 0; wait < 2000; ++wait) {
      cluster_.pass_ms(10);
      if (!cluster_.nodes[0]->coordinator->repair_progress().active) break;
    }
    for (uint32_t partition = 0; partition < kPartitions; ++partition) {
      EXPECT_EQ(cluster_.nodes[0]->table->digest(0, partition),
                cluster_.nodes[1]->table->digest(0, partition));
    }
    return cluster_.bytes_delivered - before;
  }

 private:
  // A version that node 1 wrote long ago.
  void store(size_t node, int number, std::string_view value, uint64_t version_number) {
    cluster_.change_own(node, "key:" + std::to_string(number), [&](Record& record) {
      Version version;
      version.dot = {{cluster_.view->members[1].id, 7, Hlc{1}}, Hlc{version_number}};
      version.bytes = value;
      update(record.object, Context{record.object.vector, {}}, version);
    });
  }
  bool outgrown() const {
    for (const auto& node : cluster_.nodes) {
      for (uint32_t partition = 0; partition < kPartitions; ++partition) {
        if (node->table->trees().outgrown(0, partition)) return true;
      }
    }
    return false;
  }

  TestCluster cluster_;
  uint64_t round_ = 0;
};

TEST(AntiEntropyCurve, BytesGrowWithTheDifferencesAndNotWithTheData) {
  const char* wanted = std::getenv("KVORUM_CURVE_KEYS");
  const int keys = wanted ? std::atoi(wanted) : 50'000;
  TwoReplicas replicas(keys);
  std::map<int, uint64_t> bytes;
  for (const int differing : {0, 1, 100, keys / 100}) {
    replicas.change(17, differing, 97);
    bytes[differing] = replicas.repair();
    std::printf("%d keys, %d differ: %llu bytes\n", keys, differing,
                static_cast<unsigned long long>(bytes[differing]));
  }
  EXPECT_LT(bytes[0], 1500u);
  EXPECT_LT(bytes[1], 4000u);
  EXPECT_LT(bytes[100], 100 * 1200u);
  EXPECT_LT(bytes[keys / 100], static_cast<uint64_t>(keys / 100) * 1000);
}

}  // namespace
}  // namespace kvorum::cluster

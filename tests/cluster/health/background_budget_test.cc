// SPDX-License-Identifier: Apache-2.0
// Hints, anti-entropy, scrub and reaping all ask the budget, wait while it says so, lose nothing by
// it, and go on.
#include "cluster/health/background_budget.h"

#include <gtest/gtest.h>

#include "tests/cluster/test_cluster.h"

namespace kvorum::cluster {
namespace {

constexpr uint64_t kWaitUs = 50'000;
constexpr int kKeys = 400;

// Lets so many batches through, then none.
class Gate final : public BackgroundBudget {
 public:
  uint64_t wait_us(BackgroundWork work, size_t, Now) override {
    const auto at = static_cast<size_t>(work);
    if (left_[at] == 0) {
      ++put_off_[at];
      return kWaitUs;
    }
    --left_[at];
    return 0;
  }
  void allow(BackgroundWork work, uint64_t batches) { left_[static_cast<size_t>(work)] = batches; }
  void open() { left_.fill(UINT64_MAX); }
  uint64_t put_off(BackgroundWork work) const { return put_off_[static_cast<size_t>(work)]; }

 private:
  std::array<uint64_t, kBackgroundWorks> left_{}, put_off_{};
};

CoordinatorOptions quick() {
  CoordinatorOptions options;
  options.anti_entropy_ms = 1000;
  options.gossip_ms = 200;
  options.scrub_ms = 4000;
  return options;
}

class Budgeted : public testing::Test {
 protected:
  explicit Budgeted(const CoordinatorOptions& options = quick()) : cluster(3, {}, options) {
    for (size_t node = 0; node < cluster.nodes.size(); ++node) {
      cluster.nodes[node]->budget = &gate;
      cluster.restart_wiped(node);
    }
    gate.open();
    cluster.pass_ms(5000);
    close();
  }
  void close() {
    for (const auto work : {BackgroundWork::kHints, BackgroundWork::kAntiEntropy,
                            BackgroundWork::kScrub, BackgroundWork::kReaping}) {
      gate.allow(work, 0);
    }
  }
  void write_keys(size_t node) {
    for (int key = 0; key < kKeys; ++key) cluster.set(node, "key " + std::to_string(key), "v");
  }
  int held_by(size_t node) {
    int held = 0;
    for (int key = 0; key < kKeys; ++key) {
      held += !cluster.own_values(node, "key " + std::to_string(key)).empty();
    }
    return held;
  }
  uint64_t records() const {
    uint64_t sum = 0;
    for (uint32_t partition = 0; partition < cluster.view->ring.partitions(); ++partition) {
      sum += cluster.nodes[0]->table->record_count(0, partition);
    }
    return sum;
  }

  Gate gate;
  TestCluster cluster;
};

struct BudgetedHints : Budgeted {
  BudgetedHints() : Budgeted(without_anti_entropy()) {}
};

TEST_F(BudgetedHints, WaitAndSayWhyAndGoOn) {
  cluster.isolate(2);
  write_keys(0);
  cluster.heal_all();
  cluster.pass_ms(20'000);
  EXPECT_EQ(held_by(2), 0);
  EXPECT_GT(gate.put_off(BackgroundWork::kHints), 0u);
  uint64_t slowed = 0;
  for (const size_t node : {0, 1}) {
    for (const HintTargetReport& report :
         cluster.nodes[node]->hints->ledger().report(cluster.steady_us)) {
      slowed += report.wait == HintWait::kForeground;
    }
  }
  EXPECT_GT(slowed, 0u);
  gate.allow(BackgroundWork::kHints, 100);
  cluster.pass_ms(1000);
  EXPECT_EQ(held_by(2), 100) << "each hint is a batch, none is skipped or asked for twice";
  gate.open();
  cluster.pass_ms(20'000);
  EXPECT_EQ(held_by(2), kKeys);
  EXPECT_EQ(cluster.nodes[0]->hints->pending() + cluster.nodes[1]->hints->pending(), 0u);
}

TEST_F(Budgeted, AntiEntropyWaitsAndSaysSoAndGoesOn) {
  write_keys(0);
  cluster.restart_wiped(2);
  cluster.pass_ms(10'000);
  EXPECT_EQ(held_by(2), 0);
  EXPECT_TRUE(cluster.nodes[2]->coordinator->repair_progress().waits_for_budget);
  gate.allow(BackgroundWork::kAntiEntropy, 8);
  cluster.pass_ms(10'000);
  EXPECT_GT(held_by(2), 0);
  EXPECT_LT(held_by(2), kKeys);
  gate.open();
  cluster.pass_ms(10'000);
  EXPECT_EQ(held_by(2), kKeys);
  EXPECT_FALSE(cluster.nodes[2]->coordinator->repair_progress().waits_for_budget);
  EXPECT_EQ(cluster.nodes[2]->whole->missing(), 0u);
}

TEST_F(Budgeted, TheScrubWaitsAndGoesOn) {
  write_keys(0);
  const uint64_t before = cluster.nodes[0]->coordinator->counters().trees_built;
  cluster.pass_ms(10'000);
  EXPECT_EQ(cluster.nodes[0]->coordinator->counters().trees_built, before);
  EXPECT_GT(gate.put_off(BackgroundWork::kScrub), 0u);
  gate.open();
  cluster.pass_ms(10'000);
  EXPECT_GT(cluster.nodes[0]->coordinator->counters().trees_built, before);
}

TEST_F(Budgeted, ReapingWaitsAndGoesOn) {
  gate.open();
  gate.allow(BackgroundWork::kReaping, 0);
  write_keys(0);
  for (int key = 0; key < kKeys; ++key) cluster.remove(0, "key " + std::to_string(key));
  cluster.pass_ms(30'000);
  EXPECT_EQ(records(), static_cast<uint64_t>(kKeys));
  EXPECT_GT(gate.put_off(BackgroundWork::kReaping), 0u);
  gate.open();
  cluster.pass_ms(30'000);
  EXPECT_EQ(records(), 0u);
}

}  // namespace
}  // namespace kvorum::cluster

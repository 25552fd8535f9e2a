// SPDX-License-Identifier: Apache-2.0
// What was deleted stays deleted: each way to delete, while each kind of trouble is there, over
// whole nodes in virtual time. Values stand everywhere, the trouble begins, they are deleted, the
// trouble ends (or an old copy of a directory comes back). Then nobody reads: hints, anti-entropy
// and the frontier alone must bring all copies together, and forget the tombstones in bounded time.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <tuple>

#include "tests/sim/client.h"

namespace kvorum::sim {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr uint64_t kMs = 1000;
constexpr uint64_t kSecond = 1'000'000;
constexpr uint64_t kForgottenUs = 60 * kSecond;
constexpr uint64_t kDeadlineMs = 1500;
constexpr int kKeys = 12;

enum class Deletion : uint8_t { kDel, kKvDel, kExpiry, kFlush };
enum class Trouble : uint8_t { kReplicaDown, kPartition, kHintPending, kRestart, kWipe, kRestore };

Swarm quick_swarm() {
  Swarm swarm = plain_swarm(4);
  swarm.durable = true;
  swarm.options.anti_entropy_ms = 500;
  swarm.options.gossip_ms = 200;
  return swarm;
}

class DeleteMatrix : public ::testing::TestWithParam<std::tuple<Deletion, Trouble>> {
 protected:
  DeleteMatrix() : cluster_(quick_swarm()) { cluster_.start(); }

  static std::string key(int number) { return fmt::format("victim:{}", number); }
  // The trouble's node; two others work on.
  static constexpr size_t kVictim = 1, kStandIn = 3, kHealthy = 0;

  RespReply ask(size_t node, uint8_t db, std::vector<std::string> words) {
    Client client(cluster_, {db, 1.0, node}, 1);
    return client.run(std::move(words));
  }
  void pass(uint64_t ms) { cluster_.queue.run_for(ms * kMs); }
  void write_all(size_t node, const std::string& value) {
    for (const uint8_t db : {kSiblingsDb, kLwwDb}) {
      for (int number = 0; number < kKeys; ++number) {
        EXPECT_EQ(ask(node, db, {"SET", key(number), value}).text, "OK");
      }
    }
  }
  void delete_all();
  void delete_one(uint8_t db, const std::string& name);
  void begin_trouble();
  void end_trouble();
  uint64_t tombstones() const;
  uint64_t values() const;
  bool all_forgotten() const;
  std::string describe() const;

  Cluster cluster_;
};

void DeleteMatrix::delete_one(uint8_t db, const std::string& name) {
  switch (std::get<Deletion>(GetParam())) {
    case Deletion::kDel:
      EXPECT_EQ(ask(kHealthy, db, {"DEL", name}).number, 1) << name;
      break;
    case Deletion::kKvDel: {
      const RespReply read = ask(kHealthy, db, {"KV.GET", name});
      ASSERT_EQ(read.items.size(), 2u) << read.text;
      EXPECT_FALSE(ask(kHealthy, db, {"KV.DEL", name, read.items[0].text}).is_error());
      break;
    }
    case Deletion::kExpiry:
      EXPECT_EQ(ask(kHealthy, db, {"PEXPIRE", name, std::to_string(kDeadlineMs)}).number, 1);
      break;
    case Deletion::kFlush:
      break;
  }
}

void DeleteMatrix::delete_all() {
  for (const uint8_t db : {kSiblingsDb, kLwwDb}) {
    if (std::get<Deletion>(GetParam()) == Deletion::kFlush) {
      EXPECT_EQ(ask(kHealthy, db, {"FLUSHDB"}).text, "OK");
      continue;
    }
    for (int number = 0; number < kKeys; ++number) delete_one(db, key(number));
  }
}

void DeleteMatrix::begin_trouble() {
  switch (std::get<Trouble>(GetParam())) {
    case Trouble::kReplicaDown:
    case Trouble::kWipe:
      cluster_.kill(kVictim, Death::kKill);
      return pass(500);
    case Trouble::kPartition:
      cluster_.isolate(kVictim);
      return pass(500);
    case Trouble::kHintPending:
      // The stand-in keeps newer values for the victim, and is away itself when they are deleted.
      cluster_.isolate(kVictim);
      pass(500);
      write_all(kHealthy, "newer");
      EXPECT_GT(cluster_.nodes[kStandIn]->hints_pending(), 0u);
      cluster_.heal_network();
      cluster_.isolate(kStandIn);
      return pass(500);
    case Trouble::kRestart:
    case Trouble::kRestore:
      return;
  }
}

void DeleteMatrix::end_trouble() {
  switch (std::get<Trouble>(GetParam())) {
    case Trouble::kReplicaDown:
    case Trouble::kPartition:
    case Trouble::kHintPending:
      break;
    case Trouble::kRestart:
      for (size_t node = 0; node < cluster_.nodes.size(); ++node) {
        cluster_.kill(node, Death::kKill);
        pass(100);
        cluster_.start_node(node);
      }
      break;
    case Trouble::kWipe:
      cluster_.start_node(kVictim);
      cluster_.kill(kVictim, Death::kWipe);
      break;
    case Trouble::kRestore:
      // First while its tombstones are there, then when nobody remembers the keys.
      cluster_.kill(kVictim, Death::kRestore);
      cluster_.heal();
      EXPECT_TRUE(cluster_.run_until(kForgottenUs, [&] { return all_forgotten(); })) << describe();
      cluster_.kill(kVictim, Death::kRestore);
      break;
  }
  cluster_.heal();
}

uint64_t DeleteMatrix::tombstones() const {
  uint64_t sum = 0;
  for (const auto& node : cluster_.nodes) {
    for (const uint8_t db : kDbs) {
      for (uint32_t partition = 0; partition < cluster_.swarm.partitions; ++partition) {
        sum += node->alive() ? node->tombstones(db, partition) : 0;
      }
    }
  }
  return sum;
}

// That any node holds of what was deleted.
uint64_t DeleteMatrix::values() const {
  uint64_t sum = 0;
  for (size_t node = 0; node < cluster_.nodes.size(); ++node) {
    for (const uint8_t db : {kSiblingsDb, kLwwDb}) {
      for (int number = 0; number < kKeys; ++number) {
        if (cluster_.nodes[node]->alive()) {
          sum += cluster_.own_values(node, db, key(number)).size();
        }
      }
    }
  }
  return sum;
}

bool DeleteMatrix::all_forgotten() const {
  const bool alive = std::all_of(cluster_.nodes.begin(), cluster_.nodes.end(),
                                 [](const auto& node) { return node->alive(); });
  std::string ignored;
  const bool marked =
      std::any_of(cluster_.nodes.begin(), cluster_.nodes.end(),
                  [](const auto& node) { return node->alive() && node->marks().any(kSiblingsDb); });
  return alive && !marked && cluster_.hints_pending() == 0 && values() == 0 && tombstones() == 0 &&
         cluster_.same_digests(kSiblingsDb, &ignored) && cluster_.same_digests(kLwwDb, &ignored);
}

std::string DeleteMatrix::describe() const {
  return fmt::format("{} values, {} hints; ", values(), cluster_.hints_pending()) +
         cluster_.describe_frontiers();
}

TEST_P(DeleteMatrix, NothingComesBackAndNothingIsKeptForEver) {
  write_all(kHealthy, "value");
  EXPECT_EQ(ask(kHealthy, kStrictDb, {"SET", "bystander", "stays"}).text, "OK");
  pass(3000);
  ASSERT_EQ(values(), 2u * kKeys * 3) << "every primary has them";
  cluster_.nodes[kVictim]->copy_disks();

  begin_trouble();
  delete_all();
  pass(2 * kDeadlineMs);
  end_trouble();

  EXPECT_TRUE(cluster_.run_until(kForgottenUs, [&] { return all_forgotten(); })) << describe();
  pass(20'000);
  EXPECT_EQ(values(), 0u);
  for (size_t node = 0; node < cluster_.nodes.size(); ++node) {
    for (const uint8_t db : {kSiblingsDb, kLwwDb}) {
      EXPECT_THAT(ask(node, db, {"KEYS", "*"}).items, IsEmpty());
      EXPECT_EQ(ask(node, db, {"GET", key(0)}).kind, RespReply::Kind::kNull);
    }
    EXPECT_EQ(ask(node, kStrictDb, {"GET", "bystander"}).text, "stays");
  }
  EXPECT_THAT(cluster_.violations, ElementsAre());
}

// Nobody reads these objects, whose memory is too small for them: the sweep finds them on the disk.
TEST(DeleteBySweep, FindsWhatIsNotInMemory) {
  Swarm swarm = quick_swarm();
  swarm.memory_bytes = 1;
  Cluster cluster(swarm);
  cluster.start();
  Client client(cluster, {kSiblingsDb, 1.0, 0}, 1);
  for (int number = 0; number < 50; ++number) {
    EXPECT_EQ(client.run({"SET", fmt::format("k{}", number), std::string(200, 'v')}).text, "OK");
  }
  cluster.queue.run_for(kSecond);
  EXPECT_EQ(client.run({"FLUSHDB"}).text, "OK");
  cluster.queue.run_for(10 * kSecond);
  for (const auto& node : cluster.nodes) {
    for (uint32_t partition = 0; partition < swarm.partitions; ++partition) {
      EXPECT_EQ(node->records(kSiblingsDb, partition), 0u);
      EXPECT_EQ(node->digest(kSiblingsDb, partition), 0u);
    }
  }
}

std::string name_of(const ::testing::TestParamInfo<std::tuple<Deletion, Trouble>>& info) {
  constexpr const char* kDeletions[] = {"Del", "KvDel", "Expiry", "Flush"};
  constexpr const char* kTroubles[] = {"ReplicaDown", "Partition", "HintPending",
                                       "Restart",     "Wipe",      "Restore"};
  return std::string(kDeletions[static_cast<size_t>(std::get<0>(info.param))]) +
         kTroubles[static_cast<size_t>(std::get<1>(info.param))];
}

INSTANTIATE_TEST_SUITE_P(
    All, DeleteMatrix,
    ::testing::Combine(
        ::testing::Values(Deletion::kDel, Deletion::kKvDel, Deletion::kExpiry, Deletion::kFlush),
        ::testing::Values(Trouble::kReplicaDown, Trouble::kPartition, Trouble::kHintPending,
                          Trouble::kRestart, Trouble::kWipe, Trouble::kRestore)),
    name_of);

}  // namespace
}  // namespace kvorum::sim

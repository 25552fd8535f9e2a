// SPDX-License-Identifier: Apache-2.0
// A node's disk without the node: a directory is claimed, read, committed and closed.
#include "server/storage/node_stores.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/engine/scratch_directory.h"

namespace kvorum::server {
namespace {

using testing::HasSubstr;

constexpr cluster::NodeId kNode = 7;

struct Disk {
  explicit Disk(const std::string& directory, const std::string& engine = "leveldb") {
    const ConfigReport report = load_config(
        "cluster: {name: demo, partitions: 16}\n"
        "node: {name: a, data: " +
            directory +
            "}\n"
            "engine: {type: " +
            engine + "}\n",
        "f.yaml");
    EXPECT_TRUE(report.ok()) << report.to_text();
    config = report.config;
    view = make_view(config);
    founding = founding_of(config);
    stores = std::make_unique<NodeStores>(
        NodeStores::Owner{config, view, founding, kNode, view.members.size() == 1});
  }
  Status start() {
    if (Status status = stores->open(); !status.ok()) return status;
    if (Status status = stores->read(); !status.ok()) return status;
    stores->start_commits(
        {[this](engine::Ticket, bool ok) { rounds += ok; }, [](engine::Ticket, bool) {}});
    return {};
  }

  Config config;
  cluster::ClusterView view;
  cluster::Founding founding;
  std::unique_ptr<NodeStores> stores;
  std::atomic<int> rounds{0};
};

class NodeStoresTest : public testing::Test {
 protected:
  engine::testing::ScratchDirectory directory;
};

TEST_F(NodeStoresTest, AMemoryNodeHasTablesAndNoDisk) {
  Disk disk(directory.path(), "memory");
  ASSERT_TRUE(disk.start().ok());
  EXPECT_FALSE(disk.stores->is_durable());
  EXPECT_EQ(disk.stores->committer(), nullptr);
  EXPECT_NE(disk.stores->incarnation(), 0u);
  bool stored = false;
  disk.stores->store_marks([&] { stored = true; });
  EXPECT_TRUE(stored);
  EXPECT_TRUE(disk.stores->close());
}

TEST_F(NodeStoresTest, ACleanStopIsKnownAtTheNextStart) {
  {
    Disk disk(directory.path());
    ASSERT_TRUE(disk.start().ok());
    EXPECT_FALSE(disk.stores->session().was_clean);
    EXPECT_TRUE(disk.stores->close());
  }
  Disk disk(directory.path());
  ASSERT_TRUE(disk.start().ok());
  EXPECT_TRUE(disk.stores->session().was_clean);
  EXPECT_EQ(disk.stores->session().configurations.size(), 1u);
}

TEST_F(NodeStoresTest, WithoutCloseItIsNone) {
  {
    Disk disk(directory.path());
    ASSERT_TRUE(disk.start().ok());
  }
  Disk disk(directory.path());
  ASSERT_TRUE(disk.start().ok());
  EXPECT_FALSE(disk.stores->session().was_clean);
}

TEST_F(NodeStoresTest, TwoNodesDoNotShareADirectory) {
  Disk first(directory.path()), second(directory.path());
  ASSERT_TRUE(first.start().ok());
  const Status status = second.start();
  EXPECT_EQ(status.code(), Code::kExists);
  EXPECT_THAT(status.message(), HasSubstr("node a"));
}

TEST_F(NodeStoresTest, AMemoryNodeLeavesTheObjectsOfADurableOneAlone) {
  {
    Disk disk(directory.path());
    ASSERT_TRUE(disk.start().ok());
    ASSERT_TRUE(disk.stores->close());
  }
  Disk disk(directory.path(), "memory");
  const Status status = disk.start();
  EXPECT_EQ(status.code(), Code::kExists);
  EXPECT_THAT(status.message(), HasSubstr("engine leveldb"));
}

TEST_F(NodeStoresTest, ConfigurationsThatTheCopiesFollowAreKept) {
  {
    Disk disk(directory.path());
    ASSERT_TRUE(disk.start().ok());
    auto kept = disk.stores->session().configurations;
    ASSERT_EQ(kept.size(), 1u);
    kept.push_back(kept.front());
    kept.front().keyspaces[3].n = 1;
    disk.stores->keep_configurations(kept);
    ASSERT_TRUE(disk.stores->close());
  }
  Disk disk(directory.path());
  ASSERT_TRUE(disk.start().ok());
  EXPECT_EQ(disk.stores->session().configurations.size(), 2u);
}

TEST_F(NodeStoresTest, AnIncarnationThatIsOverIsNotUsedAgain) {
  Disk disk(directory.path(), "memory");
  ASSERT_TRUE(disk.start().ok());
  const uint64_t before = disk.stores->incarnation();
  EXPECT_EQ(disk.stores->renew_incarnation(), before);
  EXPECT_NE(disk.stores->incarnation(), before);
  EXPECT_EQ(disk.stores->parts().current_incarnation(), disk.stores->incarnation());
}

TEST_F(NodeStoresTest, DamageThatIsMetAtTheStartIsSavedAndTold) {
  {
    Disk disk(directory.path());
    ASSERT_TRUE(disk.start().ok());
    ASSERT_TRUE(disk.stores->close());
  }
  std::ofstream(directory.path() + "/objects/CURRENT") << "MANIFEST-999999\n";
  Disk disk(directory.path());
  const Status status = disk.start();
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(disk.stores->faults().salvages, 1u);
  EXPECT_FALSE(disk.stores->session().was_clean);
}

}  // namespace
}  // namespace kvorum::server

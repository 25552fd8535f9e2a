// SPDX-License-Identifier: Apache-2.0
#include "server/dev/dev_nodes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "server/process/directory_lock.h"
#include "tests/engine/scratch_directory.h"

namespace kvorum::server {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> names(const Result<std::vector<DevNode>>& nodes) {
  std::vector<std::string> found;
  if (!nodes.ok()) return {nodes.status().message()};
  for (const DevNode& node : nodes.value()) found.push_back(node.name);
  return found;
}

class DevNodes : public ::testing::Test {
 protected:
  void write(const std::string& name, const std::string& text) {
    std::ofstream(directory.path() + "/" + name) << text;
  }

  engine::testing::ScratchDirectory directory;
  std::vector<DevNode> founders = dev_nodes(2, 0);
};

TEST_F(DevNodes, AreTheFoundersAtFirst) {
  EXPECT_THAT(names(read_dev_nodes(directory.path(), founders)), ElementsAre("a", "b"));
}

TEST_F(DevNodes, AreKept) {
  std::vector<DevNode> nodes = dev_nodes(3, 10);
  nodes.erase(nodes.begin());
  ASSERT_TRUE(write_dev_nodes(directory.path(), nodes).ok());
  const auto read = read_dev_nodes(directory.path(), founders);
  EXPECT_THAT(names(read), ElementsAre("b", "c"));
  EXPECT_EQ(read.value()[1].admin, nodes[1].admin);
  forget_dev_nodes(directory.path());
  EXPECT_THAT(names(read_dev_nodes(directory.path(), founders)), ElementsAre("a", "b"));
}

TEST_F(DevNodes, AFileThatNamesNobodyIsRefused) {
  write("nodes", "a 1 2\n");
  EXPECT_FALSE(read_dev_nodes(directory.path(), founders).ok());
  write("nodes", "");
  EXPECT_FALSE(read_dev_nodes(directory.path(), founders).ok());
}

TEST_F(DevNodes, TheNextHasALetterThatNobodyHad) {
  EXPECT_EQ(next_dev_node(directory.path(), founders, founders).value().name, "c");
  std::filesystem::create_directory(directory.path() + "/c");  // it was removed
  const auto next = next_dev_node(directory.path(), founders, founders);
  EXPECT_EQ(next.value().name, "d");
  EXPECT_EQ(next.value().redis, founders[0].redis + 3);
  for (char letter = 'd'; letter <= 'z'; ++letter) {
    std::filesystem::create_directory(directory.path() + "/" + letter);
  }
  EXPECT_EQ(next_dev_node(directory.path(), founders, founders).status().code(), Code::kNoSpace);
}

TEST_F(DevNodes, TheProcessIsWhoHoldsTheDirectory) {
  EXPECT_EQ(dev_process(directory.path()).status().code(), Code::kNotFound);
  write("cluster.yaml", "");
  EXPECT_EQ(dev_process(directory.path()).status().code(), Code::kNotFound) << "nobody runs it";
  auto lock = DirectoryLock::take(directory.path());
  ASSERT_TRUE(lock.ok() && lock.value().describe("kvorum dev").ok());
  EXPECT_EQ(dev_process(directory.path()).value(), getpid());
}

}  // namespace
}  // namespace kvorum::server

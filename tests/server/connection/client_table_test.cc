// SPDX-License-Identifier: Apache-2.0
#include "server/connection/client_table.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/server/dispatch/command_cluster.h"

namespace kvorum::server {
namespace {

class ClientTableTest : public testing::Test {
 protected:
  ClientTableTest() : table(home.nodes[0]->coordinator, options()) {}

  static ClientTableOptions options() {
    ClientTableOptions options;
    options.first_id = 3;
    options.id_step = 4;
    options.pipeline_bytes_max = 64 * 1024;
    return options;
  }

  CommandCluster home{1};
  ClientTable table;
};

TEST_F(ClientTableTest, GivesIdsInStepsAndForgetsWhoWent) {
  ClientState first(table.in_flight()), second(table.in_flight());
  table.add(first);
  table.add(second);
  EXPECT_EQ(first.session.id, 3u);
  EXPECT_EQ(second.session.id, 7u);
  const SlotId slot = first.slot;
  EXPECT_EQ(table.find(slot), &first);
  table.remove(first);
  EXPECT_EQ(table.find(slot), nullptr);
  EXPECT_EQ(table.find(0), nullptr);

  std::vector<uint64_t> ids;
  table.each_session([&](const SessionState& session) { ids.push_back(session.id); });
  EXPECT_EQ(ids, std::vector<uint64_t>{7});
  table.remove(second);
}

TEST_F(ClientTableTest, WhoIsOverItsPartGoesOnBelowHalfOfIt) {
  ClientState client(table.in_flight());
  table.add(client);
  client.reserved_bytes = 64 * 1024 + 1;
  EXPECT_FALSE(table.holds_little(client));
  table.count(client);
  EXPECT_TRUE(client.over);
  EXPECT_EQ(client.operations_held.bytes(), 64u * 1024 + 1);
  client.reserved_bytes = 48 * 1024;
  table.count(client);
  EXPECT_TRUE(client.over);
  client.reserved_bytes = 32 * 1024;
  table.count(client);
  EXPECT_FALSE(client.over);
  EXPECT_TRUE(table.holds_little(client));
  table.remove(client);
}

TEST_F(ClientTableTest, ASmallerLimitHoldsFromTheNextCount) {
  ClientState client(table.in_flight());
  table.add(client);
  client.reserved_bytes = 1024;
  table.set_pipeline_bytes_max(1000);
  table.count(client);
  EXPECT_TRUE(client.over);
  table.remove(client);
}

}  // namespace
}  // namespace kvorum::server

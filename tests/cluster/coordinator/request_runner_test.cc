// SPDX-License-Identifier: Apache-2.0
// Requests whose object is not in memory when they begin.
#include "cluster/coordinator/request_runner.h"

#include <gmock/gmock.h>

#include "tests/cluster/lone_requests.h"

namespace kvorum::cluster::fixtures {
namespace {

using ::testing::ElementsAre;

class StoredRequests : public ::testing::Test {
 protected:
  StoredRequests() {
    LoneCore before({.store = &store});
    before.put("k", before.object_of(2, 1, "stored"));
    before.put(before.key_in(0), before.object_of(2, 1, "fills the memory"));
    KVORUM_CHECK(before.table.commits().commit(true).ok());
    lone = std::make_unique<LoneRequests>(LoneShape{.store = &store, .memory_bytes_max = 1});
    lone->core.starter = nullptr;
    requests = std::make_unique<RequestRunner>(lone->core);
  }

  engine::testing::MapStore store;
  std::unique_ptr<LoneRequests> lone;
  std::unique_ptr<RequestRunner> requests;
};

// It was none for a while, and left its reading to whoever had its place next.
TEST_F(StoredRequests, ALocalReadThatWaitsForItsObjectIsAGet) {
  Request local;
  local.kind = Request::Kind::kLocal;
  local.key = lone->ref("k");
  local.r = 1;
  requests->submit(local, 5, lone->now);
  ASSERT_EQ(lone->core.outbox.loads.size(), 1u);
  const SlotId id = lone->core.outbox.loads[0].operation;
  EXPECT_TRUE(lone->of(id).was_read());
  EXPECT_EQ(lone->of(id).kind, Operation::Kind::kGet);

  lone->end_load(true);
  requests->table().on_loaded(id, true, lone->now);
  EXPECT_THAT(lone->answer().values, ElementsAre("stored"));
  EXPECT_EQ(lone->answer().tag, 5u);
  ASSERT_TRUE(lone->ended(id));

  SlotId next = 0;
  Operation& again = lone->core.open.requests.acquire(&next);
  again.begin(lone->now);
  EXPECT_EQ(again.reading.attempt, UINT8_MAX);
  EXPECT_TRUE(again.reading.tally.targets.empty());
  EXPECT_FALSE(again.reading.held.is_set());
}

}  // namespace
}  // namespace kvorum::cluster::fixtures

// SPDX-License-Identifier: Apache-2.0
#include "server/dispatch/due_work.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/server/dispatch/command_cluster.h"

namespace kvorum::server {
namespace {

struct Sink : cluster::CompletionSink, cluster::KeyspaceSink {
  void on_complete(uint64_t, const cluster::Completion&) override {}
  void on_keyspace_complete(uint64_t tag, const cluster::KeyspaceCompletion&) override {
    tags.push_back(tag);
  }
  std::vector<uint64_t> tags;
};

class DueWorkTest : public testing::Test {
 protected:
  DueWorkTest()
      : coordinator(home.nodes[0]->coordinator),
        clients(coordinator, {.pipeline_bytes_max = 1 << 20}),
        due(coordinator, clients, calls) {
    coordinator.set_sinks(&sink, &sink);
  }

  CommandCluster home{1};
  cluster::Coordinator& coordinator;
  Sink sink;
  ClientTable clients;
  OpenCalls calls;
  DueWork due;
};

TEST_F(DueWorkTest, AFlushComesAtItsTimeAndNotBefore) {
  EXPECT_EQ(due.next_deadline_us(), 0u);
  due.flush_at(3000);
  due.flush_at(2000);
  EXPECT_EQ(due.next_deadline_us(), 2000u);
  EXPECT_FALSE(due.has_work());
  due.run({1999, 0});
  EXPECT_EQ(calls.count(), 0u);
  due.run({2000, 0});
  EXPECT_EQ(calls.count(), 1u);  // its sink releases it
  EXPECT_EQ(due.next_deadline_us(), 3000u);
}

TEST_F(DueWorkTest, SoManyFlushesAreScheduledAndNoMore) {
  for (size_t i = 0; i < DueWork::kFlushesMax + 5; ++i) due.flush_at(1);
  due.run({1, 0});
  EXPECT_EQ(calls.count(), DueWork::kFlushesMax);
}

TEST_F(DueWorkTest, AScanGoesOnForAClientThatIsThereAndEndsForOneThatWent) {
  ClientState client(clients.in_flight());
  clients.add(client);
  CallShape shape;
  shape.client = client.slot;
  SlotId here = 0, gone = 0;
  calls.open(shape, &here).keyspace_request.kind = cluster::KeyspaceRequest::Kind::kScan;
  calls.open(CallShape(), &gone);
  due.scan_on(here, 0);
  due.scan_on(gone, 0);
  EXPECT_TRUE(due.has_work());
  due.run({1, 0});
  EXPECT_FALSE(due.has_work());
  EXPECT_EQ(calls.find(gone), nullptr);
  EXPECT_EQ(sink.tags, std::vector<uint64_t>{here});
  clients.remove(client);
}

TEST_F(DueWorkTest, APostponedClientIsWokenOnceWhenItsTimeHasCome) {
  ClientState client(clients.in_flight());
  clients.add(client);
  int wakes = 0;
  client.wake = [](void* owner) { ++*static_cast<int*>(owner); };
  client.wake_owner = &wakes;
  client.stalled = true;
  due.postpone(client, 5000);
  due.postpone(client, 5000);
  EXPECT_EQ(due.next_deadline_us(), 5000u);
  due.run({4999, 0});
  EXPECT_TRUE(client.stalled);
  due.run({5000, 0});
  EXPECT_FALSE(client.stalled);
  EXPECT_EQ(wakes, 1);
  EXPECT_EQ(due.next_deadline_us(), 0u);
  clients.remove(client);
}

}  // namespace
}  // namespace kvorum::server

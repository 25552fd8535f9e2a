// SPDX-License-Identifier: Apache-2.0
#include "cluster/own/scan_page.h"

#include <gmock/gmock.h>

#include <optional>
#include <set>

#include "cluster/keyspace/keyspace_machine.h"
#include "cluster/ring/founding.h"
#include "cluster/version/object_codec.h"
#include "tests/cluster/test_members.h"
#include "tests/engine/map_store.h"

namespace kvorum::cluster {
namespace {

using testing::UnorderedElementsAreArray;

constexpr Now kNow{1, 1};

// One node over a store that holds keys which its table has not read.
class UnreadStore : public testing::Test, public KeyspaceSink {
 protected:
  UnreadStore() {
    Founding founding;
    founding.members = fixtures::make_members(1);
    const auto view = std::make_shared<ClusterView>(found_view(founding, "n0"));
    author = view->members[0].id;
    engine::StoreBatch batch;
    for (uint64_t number = 1; number <= 500; ++number) {
      Version version;
      version.dot = {{author, 1, Hlc{number}}, Hlc{number}};
      version.bytes = "value";
      Object object;
      update(object, {}, version);
      const std::string key = "key:" + std::to_string(number);
      std::string bytes;
      encode_object(object, bytes);
      batch.put(engine::store_key({key, position_of(key), 0}), bytes);
      written.insert(key);
    }
    EXPECT_TRUE(store.write(batch, true).ok());
    engine::TableOptions options;
    options.store = &store;
    options.codec = &codec;
    table.emplace(options);
    parts.table = &*table;
    parts.authors = &authors;
    parts.clock = &clock;
    parts.marks = &marks;
    machine.emplace(parts, outbox, KeyspaceOptions{.timeout_ms = 1000});
    machine->set_sink(this);
    machine->publish(view);
  }

  void on_keyspace_complete(uint64_t, const KeyspaceCompletion& completion) override {
    done = true;
    last = completion;
  }

  // As a store thread does, until the call is answered.
  void scan(uint64_t cursor) {
    done = false;
    machine->submit(
        {.kind = KeyspaceRequest::Kind::kScan, .cursor = cursor, .count = 20, .name = {}}, 1, kNow);
    while (!done) {
      ASSERT_EQ(outbox.range_loads.size(), 1U);
      const RangeLoad load = outbox.range_loads[0];
      outbox.range_loads.clear();
      machine->on_scanned(load.operation, read_stored_page(parts, load), kNow);
    }
  }

  engine::testing::MapStore store;
  AuthorTable authors;
  StoredRecordCodec codec{&authors, 42};
  HybridClock clock;
  FlushMarks marks;
  std::optional<engine::ObjectTable> table;
  NodeParts parts;
  Outbox outbox;
  std::optional<KeyspaceMachine> machine;
  std::set<std::string> written;
  NodeId author = 0;
  bool done = false;
  KeyspaceCompletion last;
};

TEST_F(UnreadStore, IsScannedThroughRangeLoads) {
  std::vector<std::string> seen;
  uint64_t cursor = 0;
  do {
    ASSERT_NO_FATAL_FAILURE(scan(cursor));
    ASSERT_EQ(last.outcome, Outcome::kOk);
    seen.insert(seen.end(), last.keys.begin(), last.keys.end());
    cursor = last.cursor;
  } while (cursor != 0);
  EXPECT_THAT(seen, UnorderedElementsAreArray(written));
}

TEST_F(UnreadStore, ShowsNothingThatAMarkCovers) {
  marks.merge(0, {{author, 1, Hlc{250}}});
  std::vector<std::string> seen;
  uint64_t cursor = 0;
  do {
    ASSERT_NO_FATAL_FAILURE(scan(cursor));
    seen.insert(seen.end(), last.keys.begin(), last.keys.end());
    cursor = last.cursor;
  } while (cursor != 0);
  EXPECT_EQ(seen.size(), 250U);
}

TEST_F(UnreadStore, ThatCannotBeReadIsNoQuorum) {
  machine->submit({.kind = KeyspaceRequest::Kind::kScan, .name = {}}, 2, kNow);
  ASSERT_EQ(outbox.range_loads.size(), 1U);
  ScanPage failed;
  failed.access = engine::Access::kRefused;
  machine->on_scanned(outbox.range_loads[0].operation, failed, kNow);
  ASSERT_TRUE(done);
  EXPECT_EQ(last.outcome, Outcome::kNoQuorum);
  machine->on_scanned(outbox.range_loads[0].operation, failed, kNow);  // too late: nothing happens
}

}  // namespace
}  // namespace kvorum::cluster

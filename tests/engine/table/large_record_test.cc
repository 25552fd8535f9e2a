// SPDX-License-Identifier: Apache-2.0
// Records whose large body stands apart from its entry and is shared (base/shared_bytes.h).
#include <gtest/gtest.h>

#include "tests/engine/map_store.h"
#include "tests/engine/test_records.h"

namespace kvorum::engine::testing {
namespace {

constexpr size_t kLarge = 1024 * 1024;

class LargeRecordTest : public ::testing::Test {
 protected:
  static SharedBytes large(char fill = 'v') { return share(std::string(kLarge, fill)); }

  static UpdateResult put_shared(ObjectTable& table, const KeyRef& key, const SharedBytes& value,
                                 uint64_t deadline_ms = 0) {
    const std::string head = record_head(true, deadline_ms);
    return table.update(key, [&](const RecordView&) {
      RecordChange change;
      change.action = RecordChange::Action::kStore;
      change.live = true;
      change.head = head;
      change.body = *value;
      change.owner = &value;
      change.deadline_ms = deadline_ms;
      return change;
    });
  }
  static void put_small(ObjectTable& table, const KeyRef& key, const std::string& record) {
    table.update(key, [&](const RecordView&) {
      RecordChange change;
      change.action = RecordChange::Action::kStore;
      change.live = true;
      change.head = record;
      return change;
    });
  }
  static void remove(ObjectTable& table, const KeyRef& key) {
    table.update(key, [&](const RecordView&) {
      RecordChange change;
      change.action = RecordChange::Action::kErase;
      return change;
    });
  }
  // The body as the table shows it: nothing where it does not stand apart.
  static SharedView body_of(const ObjectTable& table, const KeyRef& key) {
    SharedView body;
    table.read(key, [&](const RecordView& record) {
      if (record.body != nullptr) body = *record.body;
    });
    return body;
  }

  TestCodec codec_;
};

TEST_F(LargeRecordTest, IsSharedWithWhoeverStoredIt) {
  ObjectTable table({});
  const SharedBytes value = large();
  ASSERT_EQ(put_shared(table, key_ref("k"), value).access, Access::kDone);
  EXPECT_EQ(body_of(table, key_ref("k")).owner, value);
  EXPECT_EQ(value.use_count(), 2);
  EXPECT_GT(table.memory_bytes(), kLarge);
}

TEST_F(LargeRecordTest, IsGivenBackWhenItIsReplacedOrErased) {
  ObjectTable table({});
  const uint64_t before = table.memory_bytes();
  const SharedBytes first = large('a');
  const SharedBytes second = large('b');
  put_shared(table, key_ref("k"), first);
  put_shared(table, key_ref("k"), second);
  EXPECT_EQ(first.use_count(), 1);
  EXPECT_EQ(body_of(table, key_ref("k")).owner, second);
  put_small(table, key_ref("k"), make_record("small"));
  EXPECT_EQ(second.use_count(), 1);
  EXPECT_EQ(get(table, key_ref("k")), "small");
  EXPECT_LT(table.memory_bytes(), before + kLarge);
  put_shared(table, key_ref("k"), first);
  remove(table, key_ref("k"));
  EXPECT_EQ(first.use_count(), 1);
}

TEST_F(LargeRecordTest, GoesWithTheTable) {
  const SharedBytes value = large();
  {
    ObjectTable table({});
    put_shared(table, key_ref("k"), value);
    EXPECT_EQ(value.use_count(), 2);
  }
  EXPECT_EQ(value.use_count(), 1);
}

TEST_F(LargeRecordTest, WhoReadsItKeepsItBeyondTheTable) {
  ObjectTable table({});
  put_shared(table, key_ref("k"), large('x'));
  const SharedView body = body_of(table, key_ref("k"));
  remove(table, key_ref("k"));
  EXPECT_EQ(body.bytes, std::string(kLarge, 'x'));
}

TEST_F(LargeRecordTest, OneThatFollowsItselfUnderAnotherHeadIsNotCopied) {
  ObjectTable table({});
  const SharedBytes value = large();
  put_shared(table, key_ref("k"), value, 5000);
  table.expire(6000, 10, [](const KeyRef&, const RecordView& record) {
    EXPECT_NE(record.body, nullptr);
    RecordChange change;  // kept until later
    change.deadline_ms = 9000;
    return change;
  });
  EXPECT_EQ(body_of(table, key_ref("k")).owner, value);
  EXPECT_EQ(value.use_count(), 2);
  EXPECT_EQ(table.next_deadline_ms(), 9000U);
}

TEST_F(LargeRecordTest, CountsAgainstTheLimit) {
  TableOptions options;
  options.memory_bytes_max = 4 * kLarge;
  ObjectTable table(options);
  const SharedBytes value = large();
  size_t taken = 0;
  for (int number = 0; number < 8; ++number) {
    const std::string name = "k" + std::to_string(number);
    taken += put_shared(table, key_ref(name), value).access == Access::kDone;
  }
  EXPECT_EQ(taken, 3U);
}

TEST_F(LargeRecordTest, IsStoredWholeAndComesBackApart) {
  MapStore store;
  TableOptions options;
  options.store = &store;
  options.codec = &codec_;
  const SharedBytes value = large('s');
  {
    ObjectTable table(options);
    ASSERT_TRUE(table.store_reader().warm().ok());
    put_shared(table, key_ref("k"), value);
    ASSERT_TRUE(table.commits().commit(false).ok());
  }
  ObjectTable table(options);
  ASSERT_TRUE(table.store_reader().warm().ok());
  std::string read;
  table.read(key_ref("k"), [&](const RecordView& record) {
    read.assign(record.bytes);
    if (record.body != nullptr) read.append(record.body->bytes);
  });
  EXPECT_EQ(read, make_record(*value));
  EXPECT_EQ(table.live_count(0, partition_of(key_ref("k").position, 8)), 1U);
}

TEST_F(LargeRecordTest, IsLoadedApart) {
  MapStore store;
  TableOptions options;
  options.store = &store;
  options.codec = &codec_;
  options.memory_bytes_max = 2 * kLarge;
  ObjectTable table(options);
  ASSERT_TRUE(table.store_reader().warm().ok());
  for (int number = 0; number < 8; ++number) {
    put_shared(table, key_ref("k" + std::to_string(number)), large());
    ASSERT_TRUE(table.commits().commit(false).ok());
  }
  const KeyRef key = key_ref("k0");
  for (int look = 0; look < 100; ++look) put(table, key_ref("small"), std::to_string(look));
  ASSERT_EQ(table.read(key, [](const RecordView&) {}), Access::kNotResident);
  ASSERT_TRUE(table.store_reader().load(key).ok());
  EXPECT_EQ(body_of(table, key).bytes, *large());
}

}  // namespace
}  // namespace kvorum::engine::testing

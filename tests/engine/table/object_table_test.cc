// SPDX-License-Identifier: Apache-2.0
// The contract of an ObjectTable, over every kind of table.
#include "engine/table/object_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/rng.h"
#include "tests/engine/table_kinds.h"
#include "tests/engine/test_records.h"

namespace kvorum::engine::testing {
namespace {

class ObjectTableTest : public ::testing::TestWithParam<TableKind> {
 protected:
  TableOnStore& make(TableOptions options = {}) {
    made_ = std::make_unique<TableOnStore>(GetParam(), options);
    return *made_;
  }
  std::unique_ptr<TableOnStore> made_;
};

INSTANTIATE_TEST_SUITE_P(Kinds, ObjectTableTest, ::testing::ValuesIn(kTableKinds),
                         [](const auto& kind) { return name_of(kind.param); });

struct Listed {
  std::vector<std::string> keys;
  std::vector<uint64_t> positions;
  std::map<std::string, std::string> values;
};

Listed list(const ObjectTable& table, uint8_t keyspace, uint32_t partition, size_t count_min) {
  Listed listed;
  Position from;
  for (;;) {
    const ScanEnd end =
        table.scan({keyspace, partition, from, count_min}, [&](const ScanItem& item) {
          listed.keys.emplace_back(item.key.key);
          listed.positions.push_back(item.key.position.high);
          listed.values.emplace(item.key.key, value_of(item.record));
        });
    EXPECT_EQ(end.access, Access::kDone);
    if (end.done || end.access != Access::kDone) return listed;
    EXPECT_GT(end.next, from);
    from = end.next;
  }
}

Listed list_all(const ObjectTable& table, uint8_t keyspace, size_t count_min) {
  Listed all;
  for (uint32_t partition = 0; partition < 1u << table.partition_bits(); ++partition) {
    Listed part = list(table, keyspace, partition, count_min);
    all.keys.insert(all.keys.end(), part.keys.begin(), part.keys.end());
    all.positions.insert(all.positions.end(), part.positions.begin(), part.positions.end());
    all.values.merge(part.values);
  }
  return all;
}

uint64_t live_count_of(const ObjectTable& table, uint8_t keyspace) {
  uint64_t count = 0;
  for (uint32_t p = 0; p < 1u << table.partition_bits(); ++p)
    count += table.live_count(keyspace, p);
  return count;
}
uint64_t record_count_of(const ObjectTable& table, uint8_t keyspace) {
  uint64_t count = 0;
  for (uint32_t p = 0; p < 1u << table.partition_bits(); ++p) {
    count += table.record_count(keyspace, p);
  }
  return count;
}
uint64_t digest_of_all(const ObjectTable& table, uint8_t keyspace) {
  uint64_t digest = 0;
  for (uint32_t p = 0; p < 1u << table.partition_bits(); ++p) digest ^= table.digest(keyspace, p);
  return digest;
}

TEST_P(ObjectTableTest, ReadsWhatWasWrittenUntilItIsErased) {
  ObjectTable& table = make().table();
  const KeyRef key = key_ref("fruit");
  EXPECT_EQ(get(table, key), std::nullopt);
  EXPECT_EQ(put(table, key, "apple").access, Access::kDone);
  EXPECT_EQ(get(table, key), "apple");
  EXPECT_EQ(put(table, key, std::string(1000, 'x')).access, Access::kDone);
  EXPECT_EQ(get(table, key), std::string(1000, 'x'));
  EXPECT_EQ(erase(table, key).access, Access::kDone);
  EXPECT_EQ(get(table, key), std::nullopt);
  EXPECT_EQ(erase(table, key).access, Access::kDone);
}

TEST_P(ObjectTableTest, KeyspacesAreApart) {
  ObjectTable& table = make().table();
  put(table, key_ref("k", 0), "zero");
  put(table, key_ref("k", 15), "fifteen");
  EXPECT_EQ(get(table, key_ref("k", 0)), "zero");
  EXPECT_EQ(get(table, key_ref("k", 15)), "fifteen");
  EXPECT_EQ(get(table, key_ref("k", 7)), std::nullopt);
}

TEST_P(ObjectTableTest, AnEmptyRecordIsNotAnAbsentOne) {
  ObjectTable& table = make().table();
  const KeyRef key = key_ref("");
  const auto store_nothing = [](std::string_view) {
    RecordChange change;
    change.action = RecordChange::Action::kStore;
    return change;
  };
  ASSERT_EQ(table.update(key, store_nothing).access, Access::kDone);
  bool present = false;
  table.read(key, [&](std::string_view record) { present = record.data() != nullptr; });
  EXPECT_TRUE(present);
}

TEST_P(ObjectTableTest, TheLargestKeyAndALargeValueFit) {
  ObjectTable& table = make().table();
  const std::string name(kKeyBytesMax, 'k');
  const std::string value(3 * 1024 * 1024 + 5, 'v');
  put(table, key_ref(name), value);
  EXPECT_EQ(get(table, key_ref(name)), value);
  EXPECT_EQ(get(table, key_ref(name.substr(1))), std::nullopt);
}

// EXPIRE rewrites the head and hands back the old body; APPEND the other way round.
TEST_P(ObjectTableTest, AChangeMayBePartsOfTheOldRecord) {
  ObjectTable& table = make().table();
  const KeyRef key = key_ref("k");
  const auto change_to = [&](auto parts) {
    return table.update(key, [&](std::string_view old) {
      RecordChange change;
      change.action = RecordChange::Action::kStore;
      std::tie(change.head, change.body) = parts(old);
      return change;
    });
  };
  using Parts = std::pair<std::string_view, std::string_view>;
  const auto record = [&] {
    std::string bytes;
    table.read(key, [&](std::string_view stored) { bytes = stored; });
    return bytes;
  };
  change_to([](std::string_view) { return Parts{"", "0123456789"}; });
  change_to([](std::string_view old) { return Parts{"ab", old.substr(2)}; });
  EXPECT_EQ(record(), "ab23456789");
  change_to([](std::string_view old) { return Parts{"longer head, ", old.substr(2)}; });
  EXPECT_EQ(record(), "longer head, 23456789");
  change_to([](std::string_view old) { return Parts{old.substr(13), "!"}; });
  EXPECT_EQ(record(), "23456789!");
  change_to([](std::string_view old) { return Parts{old.substr(4), old.substr(0, 4)}; });
  EXPECT_EQ(record(), "6789!2345");
  change_to([](std::string_view old) { return Parts{old, old}; });
  EXPECT_EQ(record(), "6789!23456789!2345");
}

TEST_P(ObjectTableTest, KeepChangesNothing) {
  ObjectTable& table = make().table();
  put(table, key_ref("k"), "v");
  const uint64_t digest = digest_of_all(table, 0);
  const UpdateResult result =
      table.update(key_ref("k"), [](std::string_view) { return RecordChange{}; });
  EXPECT_EQ(result.access, Access::kDone);
  EXPECT_EQ(table.update(key_ref("none"), [](std::string_view) { return RecordChange{}; }).access,
            Access::kDone);
  EXPECT_EQ(get(table, key_ref("k")), "v");
  EXPECT_EQ(digest_of_all(table, 0), digest);
  EXPECT_EQ(record_count_of(table, 0), 1u);
}

TEST_P(ObjectTableTest, CountsAndDigestsFollowTheObjects) {
  ObjectTable& table = make().table();
  EXPECT_EQ(live_count_of(table, 0), 0u);
  put(table, key_ref("a"), "1");
  put(table, key_ref("b"), "2");
  put_tombstone(table, key_ref("tombstone"));
  EXPECT_EQ(live_count_of(table, 0), 2u);
  EXPECT_EQ(record_count_of(table, 0), 3u);
  EXPECT_EQ(digest_of_all(table, 0), digest_of("a", make_record("1")) ^
                                         digest_of("b", make_record("2")) ^
                                         digest_of("tombstone", make_record("", false)));
  put_tombstone(table, key_ref("a"));
  EXPECT_EQ(live_count_of(table, 0), 1u);
  erase(table, key_ref("a"));
  erase(table, key_ref("tombstone"));
  EXPECT_EQ(record_count_of(table, 0), 1u);
  EXPECT_EQ(digest_of_all(table, 0), digest_of("b", make_record("2")));
  erase(table, key_ref("b"));
  EXPECT_EQ(live_count_of(table, 0), 0u);
  EXPECT_EQ(digest_of_all(table, 0), 0u);
  const uint32_t partition = partition_of(key_ref("a").position, table.partition_bits());
  EXPECT_EQ(table.record_count(3, partition), 0u);
}

// 200 000 keys, random operations, against a std::map.
TEST_P(ObjectTableTest, EqualsAModelUnderRandomOperations) {
  TableOptions options;
  options.partition_bits = 4;
  TableOnStore& made = make(options);
  ObjectTable& table = made.table();
  std::map<std::string, std::string> model;
  Rng rng(20240807);
  for (int step = 0; step < 600000; ++step) {
    const std::string name = "key:" + std::to_string(rng.below(200000));
    const KeyRef key = key_ref(name);
    if (step % 16 == 0) table.prefetch_bucket(key);
    if (step % 16 == 0) table.prefetch_entry(key);
    if (rng.chance(0.75)) {
      const std::string value(rng.below(rng.chance(0.02) ? 700 : 60),
                              static_cast<char>('a' + step % 26));
      ASSERT_EQ(put(table, key, value).access, Access::kDone);
      model[name] = value;
    } else if (rng.chance(0.5)) {
      ASSERT_EQ(erase(table, key).access, Access::kDone);
      model.erase(name);
    } else {
      const auto it = model.find(name);
      ASSERT_EQ(get(table, key), it == model.end() ? std::nullopt : std::optional(it->second));
    }
    if (step % 20000 == 0) made.settle();
  }
  EXPECT_EQ(record_count_of(table, 0), model.size());
  EXPECT_EQ(live_count_of(table, 0), model.size());
  const Listed listed = list_all(table, 0, 100);
  EXPECT_EQ(listed.keys.size(), model.size());
  EXPECT_EQ(listed.values, model);
  EXPECT_TRUE(std::is_sorted(listed.positions.begin(), listed.positions.end()));
  for (size_t i = 0; i < 1000; ++i) {
    const std::string name = "key:" + std::to_string(rng.below(200000));
    ASSERT_EQ(get(table, key_ref(name)).has_value(), model.count(name) == 1);
  }
}

TEST_P(ObjectTableTest, ScanGoesOnWhereItStoppedAndShowsEachOnce) {
  TableOptions options;
  options.partition_bits = 1;
  ObjectTable& table = make(options).table();
  for (int i = 0; i < 3000; ++i) put(table, key_ref("k" + std::to_string(i)), "v");
  for (const size_t count_min : {size_t{0}, size_t{1}, size_t{7}, size_t{100000}}) {
    const Listed listed = list_all(table, 0, count_min);
    EXPECT_EQ(listed.keys.size(), 3000u);
    EXPECT_EQ(std::set(listed.keys.begin(), listed.keys.end()).size(), 3000u);
    EXPECT_TRUE(std::is_sorted(listed.positions.begin(), listed.positions.end()));
  }
  EXPECT_TRUE(list(table, 1, 0, 10).keys.empty());
}

TEST_P(ObjectTableTest, ScanBeginsAtAnyPositionInclusive) {
  TableOptions options;
  options.partition_bits = 1;
  ObjectTable& table = make(options).table();
  for (int i = 0; i < 500; ++i) put(table, key_ref("k" + std::to_string(i)), "v");
  const Listed all = list(table, 0, 1, 1);
  const size_t middle = all.keys.size() / 2;
  std::vector<std::string> shown;
  const ScanEnd end =
      table.scan({0, 1, {all.positions[middle], 99}, 1000}, [&](const ScanItem& item) {
        shown.emplace_back(item.key.key);
        EXPECT_EQ(item.key.position, position_of(item.key.key));
      });
  EXPECT_TRUE(end.done);
  EXPECT_THAT(shown, ::testing::ElementsAreArray(all.keys.begin() + static_cast<long>(middle),
                                                 all.keys.end()));
  // From a position of another partition: all of it, or nothing.
  EXPECT_TRUE(
      table.scan({0, 0, {all.positions[0], 0}, 1000}, [](const ScanItem&) { FAIL(); }).done);
}

// What is there from the first to the last moment of a scan is shown, however the index grows.
TEST_P(ObjectTableTest, ScanIsCompleteWhileTheTableGrows) {
  TableOptions options;
  options.partition_bits = 0;
  ObjectTable& table = make(options).table();
  for (int i = 0; i < 2000; ++i) put(table, key_ref("old" + std::to_string(i)), "v");
  std::multiset<std::string> shown;
  Position from;
  int added = 0;
  for (;;) {
    const ScanEnd end = table.scan({0, 0, from, 100}, [&](const ScanItem& item) {
      if (item.key.key.substr(0, 3) == "old") shown.emplace(item.key.key);
    });
    for (int i = 0; i < 200; ++i) put(table, key_ref("new" + std::to_string(added++)), "v");
    if (end.done) break;
    from = end.next;
  }
  EXPECT_GT(added, 5000);
  EXPECT_EQ(shown.size(), 2000u);
  EXPECT_EQ(std::set<std::string>(shown.begin(), shown.end()).size(), 2000u);
}

// Keys of one hash tag share the 14 bits of their slot: their buckets get long.
TEST_P(ObjectTableTest, KeysOfOneSlotAreFoundScannedAndErased) {
  TableOptions options;
  options.partitioner = Partitioner::kSlots;
  options.hash_seed = 99;
  TableOnStore& made = make(options);
  ObjectTable& table = made.table();
  const auto key = [](const std::string& name) { return key_ref(name, 0, Partitioner::kSlots); };
  const auto name = [](int i) { return "{user}:" + std::to_string(i); };
  constexpr int kKeys = 20000;
  for (int i = 0; i < kKeys; ++i) ASSERT_EQ(put(table, key(name(i)), "v").access, Access::kDone);
  for (int i = 0; i < kKeys; ++i) ASSERT_EQ(get(table, key(name(i))), "v");
  EXPECT_EQ(get(table, key(name(kKeys))), std::nullopt);
  const uint32_t partition = partition_of(key("{user}").position, options.partition_bits);
  Listed listed = list(table, 0, partition, 50);
  EXPECT_EQ(listed.values.size(), static_cast<size_t>(kKeys));
  EXPECT_EQ(listed.keys.size(), static_cast<size_t>(kKeys));
  EXPECT_TRUE(std::is_sorted(listed.positions.begin(), listed.positions.end()));
  made.settle();
  // Many other keys make the index grow: the long buckets are split.
  for (int i = 0; i < 100000; ++i) {
    const std::string other = "other:" + std::to_string(i);
    if (partition_of(key(other).position, options.partition_bits) == partition) {
      put(table, key(other), "o");
    }
  }
  for (int i = 0; i < kKeys; i += 2) ASSERT_EQ(erase(table, key(name(i))).access, Access::kDone);
  for (int i = 0; i < kKeys; ++i) {
    ASSERT_EQ(get(table, key(name(i))).has_value(), i % 2 == 1) << i;
    if (i % 2 == 1) put(table, key(name(i)), std::string(300, 'w'));
  }
  listed = list(table, 0, partition, 50);
  size_t tagged = 0;
  for (const auto& [listed_key, value] : listed.values) {
    tagged += static_cast<size_t>(listed_key.starts_with("{user}") && value.size() == 300);
  }
  EXPECT_EQ(tagged, static_cast<size_t>(kKeys / 2));
  EXPECT_TRUE(std::is_sorted(listed.positions.begin(), listed.positions.end()));
}

RecordChange keep_until(uint64_t deadline_ms) {
  RecordChange change;
  change.deadline_ms = deadline_ms;
  return change;
}

TEST_P(ObjectTableTest, ExpireShowsWhatIsDueOnce) {
  ObjectTable& table = make().table();
  EXPECT_EQ(table.next_deadline_ms(), 0u);
  put_until(table, key_ref("late"), "v", 3000);
  put_until(table, key_ref("early"), "v", 1000);
  put_until(table, key_ref("middle"), "v", 2000);
  put(table, key_ref("never"), "v");
  EXPECT_EQ(table.next_deadline_ms(), 1000u);
  std::vector<std::string> shown;
  const auto tombstone = [&](const KeyRef& key, std::string_view record) {
    EXPECT_EQ(key.position, position_of(key.key));
    EXPECT_EQ(value_of(record), "v");
    shown.emplace_back(key.key);
    RecordChange change;
    change.action = RecordChange::Action::kStore;
    return change;
  };
  EXPECT_EQ(table.expire(999, 100, tombstone), 0u);
  // What is due is not counted any more, though nobody was shown it.
  const auto live_at = [&](uint64_t now_ms, bool gone) {
    uint64_t live = 0;
    for (uint32_t partition = 0; partition < 1u << table.partition_bits(); ++partition) {
      live += table.live_count_at(0, partition, now_ms, [&](RecordView) { return gone; });
    }
    return live;
  };
  put_until(table, key_ref("early"), "v", 1500);
  put_until(table, key_ref("early"), "v", 1000);  // and another item for it
  EXPECT_EQ(live_at(999, true), 4u);
  EXPECT_EQ(live_at(2000, true), 2u);
  EXPECT_EQ(live_at(9999, true), 1u);
  EXPECT_EQ(live_at(9999, false), 4u);
  EXPECT_EQ(live_count_of(table, 0), 4u);
  EXPECT_EQ(table.expire(2000, 100, tombstone), 2u);
  EXPECT_THAT(shown, ::testing::UnorderedElementsAre("early", "middle"));
  EXPECT_EQ(table.expire(2000, 100, tombstone), 0u);
  EXPECT_EQ(table.next_deadline_ms(), 3000u);
  EXPECT_EQ(live_count_of(table, 0), 2u);
  EXPECT_EQ(table.expire(3000, 100, tombstone), 1u);
  EXPECT_EQ(table.next_deadline_ms(), 0u);
}

TEST_P(ObjectTableTest, ExpireFollowsDeadlinesThatMove) {
  ObjectTable& table = make().table();
  put_until(table, key_ref("extended"), "v", 1000);
  put_until(table, key_ref("extended"), "v", 5000);
  put_until(table, key_ref("persisted"), "v", 1000);
  put(table, key_ref("persisted"), "v");
  put_until(table, key_ref("erased"), "v", 1000);
  erase(table, key_ref("erased"));
  put_until(table, key_ref("shortened"), "v", 9000);
  put_until(table, key_ref("shortened"), "v", 2000);
  std::vector<std::string> shown;
  const auto show = [&](const KeyRef& key, std::string_view) {
    shown.emplace_back(key.key);
    return keep_until(0);
  };
  EXPECT_EQ(table.expire(4999, 100, show), 1u);
  EXPECT_THAT(shown, ::testing::ElementsAre("shortened"));
  EXPECT_EQ(table.expire(99999, 100, show), 1u);
  EXPECT_EQ(shown.back(), "extended");
  EXPECT_EQ(get(table, key_ref("extended")), "v");
}

TEST_P(ObjectTableTest, ExpireIsBoundedAndGoesOn) {
  ObjectTable& table = make().table();
  for (int i = 0; i < 1000; ++i) put_until(table, key_ref("k" + std::to_string(i)), "v", 10);
  size_t shown = 0;
  const auto kill = [&](const KeyRef&, std::string_view) {
    ++shown;
    RecordChange change;
    change.action = RecordChange::Action::kErase;
    return change;
  };
  int calls = 0;
  while (table.next_deadline_ms() != 0 && table.next_deadline_ms() <= 10) {
    EXPECT_LE(table.expire(10, 30, kill), 32u);
    ASSERT_LT(++calls, 100);
  }
  EXPECT_EQ(shown, 1000u);
  EXPECT_EQ(record_count_of(table, 0), 0u);
}

TEST_P(ObjectTableTest, AKeptRecordIsShownAgainAtItsNewDeadline) {
  ObjectTable& table = make().table();
  put_until(table, key_ref("k"), "v", 100);
  const auto postpone = [](const KeyRef&, std::string_view) { return keep_until(500); };
  EXPECT_EQ(table.expire(100, 10, postpone), 1u);
  EXPECT_EQ(table.next_deadline_ms(), 500u);
  EXPECT_EQ(table.expire(499, 10, postpone), 0u);
  EXPECT_EQ(table.expire(500, 10, [](const KeyRef&, std::string_view) { return keep_until(0); }),
            1u);
  EXPECT_EQ(table.next_deadline_ms(), 0u);
  EXPECT_EQ(get(table, key_ref("k")), "v");
}

TEST_P(ObjectTableTest, StaleDeadlinesDoNotPileUp) {
  TableOptions options;
  options.partition_bits = 0;
  ObjectTable& table = make(options).table();
  put_until(table, key_ref("other"), "v", 777777);
  put(table, key_ref("k"), "v");
  for (int i = 0; i < 100; ++i) {  // brings the lists of dirty objects and the like to their size
    put_until(table, key_ref("k"), "v", 1000000);
    put(table, key_ref("k"), "v");
  }
  const uint64_t before = table.memory_bytes();
  for (uint64_t i = 0; i < 100000; ++i) {
    put_until(table, key_ref("k"), "v", 1000000 - i);
    put(table, key_ref("k"), "v");
  }
  EXPECT_LT(table.memory_bytes(), before + 8192);
  EXPECT_LE(table.next_deadline_ms(), 777777u);
  size_t shown = 0;
  table.expire(2000000, 10, [&](const KeyRef& key, std::string_view) {
    EXPECT_EQ(key.key, "other");
    ++shown;
    return keep_until(0);
  });
  EXPECT_EQ(shown, 1u);
}

TEST_P(ObjectTableTest, SweepVisitsEachRecordOnceAndAppliesChanges) {
  TableOptions options;
  options.partition_bits = 2;
  ObjectTable& table = make(options).table();
  for (int i = 0; i < 1000; ++i) put(table, key_ref("k" + std::to_string(i)), std::to_string(i));
  std::set<std::string> visited;
  for (uint32_t partition = 0; partition < 4; ++partition) {
    table.sweep(0, partition, [&](const KeyRef& key, std::string_view record) {
      EXPECT_TRUE(visited.emplace(key.key).second);
      RecordChange change;
      if (value_of(record).size() == 3) {
        change.action = RecordChange::Action::kErase;
        change.digest_change = digest_of(key.key, record);
      }
      return change;
    });
  }
  EXPECT_EQ(visited.size(), 1000u);
  EXPECT_EQ(record_count_of(table, 0), 100u);
  EXPECT_EQ(get(table, key_ref("k99")), "99");
  EXPECT_EQ(get(table, key_ref("k100")), std::nullopt);
}

TEST_P(ObjectTableTest, MemoryIsCountedAndGivenBack) {
  TableOptions options;
  options.partition_bits = 2;
  TableOnStore& made = make(options);
  ObjectTable& table = made.table();
  for (int i = 0; i < 20000; ++i)
    put(table, key_ref("k" + std::to_string(i)), std::string(100, 'v'));
  const uint64_t full = table.memory_bytes();
  EXPECT_GT(full, 20000u * 110);
  EXPECT_LT(full, 20000u * 190);
  for (int i = 0; i < 20000; ++i) erase(table, key_ref("k" + std::to_string(i)));
  made.settle();
  EXPECT_LT(table.memory_bytes(), full / 3);
}

}  // namespace
}  // namespace kvorum::engine::testing

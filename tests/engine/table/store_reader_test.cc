// SPDX-License-Identifier: Apache-2.0
// An ObjectTable as the cache of a store: warming, loading, evicting, scanning through.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "base/rng.h"
#include "tests/engine/store_fixture.h"

namespace kvorum::engine::testing {
namespace {

struct StoreReaderTest : StoreFixture {
  // Where memory is small: written, and not resident any more.
  void put_and_crowd_out(const KeyRef& key) {
    start(kSmallMemory);
    put(*table_, key, "past");
    commit();
    crowd_out("crowd", 4000);
    ASSERT_EQ(access_of(key), Access::kNotResident);
  }
};

TEST_F(StoreReaderTest, WarmingBringsBackObjectsCountsDigestsAndDeadlines) {
  start();
  std::map<uint32_t, uint64_t> digests;
  for (int i = 0; i < 500; ++i) put(*table_, key_ref("k" + std::to_string(i)), "v");
  put_tombstone(*table_, key_ref("tombstone"));
  put_until(*table_, key_ref("mortal"), "v", 5000);
  put(*table_, key_ref("other", 9), "v");
  for (uint32_t p = 0; p < 4; ++p) digests[p] = table_->digest(0, p);
  commit();
  start();
  uint64_t live = 0, records = 0;
  for (uint32_t p = 0; p < 4; ++p) {
    EXPECT_EQ(table_->digest(0, p), digests[p]);
    live += table_->live_count(0, p);
    records += table_->record_count(0, p);
  }
  EXPECT_EQ(live, 501u);
  EXPECT_EQ(records, 502u);
  EXPECT_EQ(get(*table_, key_ref("k77")), "v");
  EXPECT_EQ(get(*table_, key_ref("other", 9)), "v");
  EXPECT_EQ(get(*table_, key_ref("none")), std::nullopt);
  EXPECT_EQ(table_->next_deadline_ms(), 5000u);
  EXPECT_EQ(table_->store_reader().damaged_count(), 0u);
  EXPECT_EQ(store_.reads(), 0u);
}

TEST_F(StoreReaderTest, EachThreadReadsPartsOfAllKeyspaces) {
  constexpr int kKeys = 300, kBits = 4;
  start(0, kBits);
  for (uint8_t keyspace = 0; keyspace < kKeyspacesMax; ++keyspace) {
    for (int i = 0; i < kKeys; ++i) put(*table_, key_ref("k" + std::to_string(i), keyspace), "v");
  }
  commit();
  start(0, kBits);
  for (uint8_t keyspace = 0; keyspace < kKeyspacesMax; ++keyspace) {
    uint64_t live = 0;
    for (uint32_t p = 0; p < 1U << kBits; ++p) {
      EXPECT_GT(table_->live_count(keyspace, p), 0u);
      live += table_->live_count(keyspace, p);
    }
    EXPECT_EQ(live, kKeys);
  }
}

TEST_F(StoreReaderTest, BeforeItIsWarmNothingIsKnownToBeAbsent) {
  TableOptions options;
  options.store = &store_;
  options.codec = &codec_;
  const ObjectTable cold(options);
  Access access;
  get(cold, key_ref("k"), &access);
  EXPECT_EQ(access, Access::kNotResident);
  EXPECT_EQ(cold.scan({0, 0, {}, 1}, [](const ScanItem&) {}).access, Access::kNotResident);
}

TEST_F(StoreReaderTest, DamagedRecordsAreCountedAndLeftOut) {
  StoreBatch batch;
  batch.put(store_key(key_ref("good")), make_record("v"));
  batch.put(store_key(key_ref("short record")), "xy");
  KeyRef misplaced = key_ref("misplaced");
  misplaced.position.high ^= 1;
  batch.put(store_key(misplaced), make_record("v"));
  batch.put("?", "not an object's key");
  batch.put(std::string(1, kFactPrefix) + "identity", "a fact");
  ASSERT_TRUE(store_.write(batch, true).ok());
  start();
  EXPECT_EQ(table_->store_reader().damaged_count(), 3u);
  EXPECT_EQ(get(*table_, key_ref("good")), "v");
}

TEST_F(StoreReaderTest, WhatIsEvictedIsLoadedAgain) {
  start(kSmallMemory);
  crowd_out("k", 5000);
  EXPECT_LT(table_->memory_bytes(), kSmallMemory + 64 * 1024);
  uint64_t records = 0;
  for (uint32_t p = 0; p < 4; ++p) records += table_->record_count(0, p);
  EXPECT_EQ(records, 5000u);
  int loaded = 0;
  for (int i = 0; i < 5000; ++i) {
    const std::string name = "k" + std::to_string(i);
    loaded += access_of(key_ref(name)) == Access::kNotResident ? 1 : 0;
    ASSERT_EQ(get_loading(key_ref(name)), std::string(200, 'c'));
  }
  EXPECT_GT(loaded, 2000);
  EXPECT_LT(table_->memory_bytes(), kSmallMemory + 64 * 1024);
}

TEST_F(StoreReaderTest, WhatIsResidentStandsForTheBytesOfAll) {
  start(kSmallMemory);
  crowd_out("k", 5000);
  uint64_t bytes = 0;
  for (uint32_t p = 0; p < 4; ++p) bytes += table_->object_bytes(0, p);
  EXPECT_GT(bytes, 2 * table_->memory_bytes());
  EXPECT_GT(bytes, 5000u * 200);
  EXPECT_LT(bytes, 5000u * 350);
  EXPECT_EQ(table_->object_bytes(1, 0), 0u);
}

TEST_F(StoreReaderTest, WarmingFillsMemoryAndNoMore) {
  start();
  for (int i = 0; i < 5000; ++i)
    put(*table_, key_ref("k" + std::to_string(i)), std::string(200, 'v'));
  commit();
  start(kSmallMemory);
  EXPECT_LT(table_->memory_bytes(), kSmallMemory + 64 * 1024);
  EXPECT_GT(table_->memory_bytes(), kSmallMemory / 2);
  uint64_t records = 0;
  for (uint32_t p = 0; p < 4; ++p) records += table_->record_count(0, p);
  EXPECT_EQ(records, 5000u);
  for (int i = 0; i < 5000; i += 100) {
    EXPECT_EQ(get_loading(key_ref("k" + std::to_string(i))), std::string(200, 'v'));
  }
}

TEST_F(StoreReaderTest, TheRetriedOperationAfterALoadOfNothingGoesOn) {
  start(kSmallMemory);
  crowd_out("k", 5000);
  const KeyRef missing = key_ref("missing");
  ASSERT_EQ(access_of(missing), Access::kNotResident);
  ASSERT_TRUE(table_->store_reader().load(missing).ok());
  EXPECT_EQ(get(*table_, missing), std::nullopt);
  EXPECT_EQ(access_of(missing), Access::kDone);
  ASSERT_EQ(access_of(key_ref("also missing")), Access::kNotResident);
  EXPECT_EQ(put_loading(key_ref("also missing"), "now here").access, Access::kDone);
  EXPECT_EQ(get_loading(key_ref("also missing")), "now here");
}

TEST_F(StoreReaderTest, WhatIsUsedStaysAndWhatIsNotGoes) {
  start(kSmallMemory);
  put(*table_, key_ref("hot"), "v");
  commit();
  const auto reads_of_hot = [&] {
    int loads = 0;
    for (int i = 0; i < 3000; ++i) {
      put_loading(key_ref("crowd" + std::to_string(i)), std::string(200, 'c'));
      if (i % 50 == 49) commit();
      if (access_of(key_ref("hot")) == Access::kNotResident) {
        ++loads;
        EXPECT_TRUE(table_->store_reader().load(key_ref("hot")).ok());
      }
    }
    return loads;
  };
  EXPECT_EQ(reads_of_hot(), 0);
}

TEST_F(StoreReaderTest, DirtyObjectsAreNeverEvicted) {
  start(kSmallMemory);
  for (int i = 0; i < 5000; ++i)
    put_loading(key_ref("k" + std::to_string(i)), std::string(200, 'd'));
  EXPECT_GT(table_->memory_bytes(), 2 * kSmallMemory);
  for (int i = 0; i < 5000; ++i) {
    ASSERT_EQ(get(*table_, key_ref("k" + std::to_string(i))), std::string(200, 'd'));
  }
  commit();
  crowd_out("more", 2000);
  EXPECT_LT(table_->memory_bytes(), kSmallMemory + 64 * 1024);
}

// An object in the batch that is being written must not be evicted: a load would read its past.
TEST_F(StoreReaderTest, ObjectsInFlightAreNotEvicted) {
  start(kSmallMemory);
  crowd_out("k", 3000);
  for (int i = 0; i < 300; ++i) put_loading(key_ref("flying" + std::to_string(i)), "new");
  bool raced = false;
  store_.on_write = [&] {
    if (raced) return;
    raced = true;
    for (int i = 0; i < 3000; ++i)
      put_loading(key_ref("k" + std::to_string(i)), std::string(200, 'd'));
    for (int i = 0; i < 300; ++i) {
      ASSERT_EQ(get(*table_, key_ref("flying" + std::to_string(i))), "new");
    }
  };
  commit();
  EXPECT_TRUE(raced);
}

// A load that read the store before its object was changed, written and evicted installs nothing.
TEST_F(StoreReaderTest, AnOverlongLoadDoesNotBringBackThePast) {
  const KeyRef key = key_ref("k");
  put_and_crowd_out(key);
  bool raced = false;
  store_.on_read_done = [&] {
    if (raced) return;
    raced = true;
    put_loading(key, "present");
    commit();
    crowd_out("crowd", 4000);
    ASSERT_EQ(access_of(key), Access::kNotResident);
  };
  ASSERT_TRUE(table_->store_reader().load(key).ok());
  EXPECT_TRUE(raced);
  EXPECT_EQ(get(*table_, key), "present");
}

TEST_F(StoreReaderTest, AnOverlongLoadDoesNotBringBackTheErased) {
  const KeyRef key = key_ref("k");
  put_and_crowd_out(key);
  bool raced = false;
  store_.on_read_done = [&] {
    if (raced) return;
    raced = true;
    ASSERT_TRUE(table_->store_reader().load(key).ok());
    ASSERT_EQ(erase(*table_, key).access, Access::kDone);
    commit();
  };
  ASSERT_TRUE(table_->store_reader().load(key).ok());
  EXPECT_TRUE(raced);
  EXPECT_EQ(get_loading(key), std::nullopt);
}

TEST_F(StoreReaderTest, ScanningThroughTheStoreShowsWhatIsThereNow) {
  start(kSmallMemory, 1);
  crowd_out("k", 4000);
  std::map<std::string, std::string> expected;
  for (int i = 0; i < 4000; ++i) expected["k" + std::to_string(i)] = std::string(200, 'c');
  for (int i = 0; i < 40; ++i) {  // dirty: changed, erased, new
    const std::string changed = "k" + std::to_string(i * 3), gone = "k" + std::to_string(i * 3 + 1);
    put_loading(key_ref(changed), expected[changed] = "changed");
    if (access_of(key_ref(gone)) == Access::kNotResident) {
      ASSERT_TRUE(table_->store_reader().load(key_ref(gone)).ok());
    }
    ASSERT_EQ(erase(*table_, key_ref(gone)).access, Access::kDone);
    expected.erase(gone);
    const std::string added = "new" + std::to_string(i);
    put_loading(key_ref(added), expected[added] = "added");
  }
  EXPECT_EQ(table_->scan({0, 0, {}, 10}, [](const ScanItem&) {}).access, Access::kNotResident);
  for (const size_t count_min : {size_t{0}, size_t{1}, size_t{37}, size_t{100000}}) {
    std::map<std::string, std::string> shown;
    std::vector<uint64_t> positions;
    for (uint32_t partition = 0; partition < 2; ++partition) {
      Position from;
      for (;;) {
        const Result<ScanEnd> end =
            table_->store_reader().scan({0, partition, from, count_min}, [&](const ScanItem& item) {
              EXPECT_TRUE(shown.emplace(item.key.key, value_of(item.record)).second);
              EXPECT_EQ(item.key.position, position_of(item.key.key));
              positions.push_back(item.key.position.high);
            });
        ASSERT_TRUE(end.ok());
        if (end.value().done) break;
        ASSERT_GT(end.value().next, from);
        from = end.value().next;
      }
    }
    EXPECT_EQ(shown, expected);
    EXPECT_TRUE(std::is_sorted(positions.begin(), positions.end()));
  }
}

// Random operations, commits, failures and restarts with a table that holds a tenth of the objects.
TEST_F(StoreReaderTest, EqualsAModelWhileObjectsComeAndGo) {
  start(kSmallMemory);
  std::map<std::string, std::string> model;
  Rng rng(77);
  for (int step = 0; step < 60000; ++step) {
    const std::string name = "k" + std::to_string(rng.below(10000));
    const KeyRef key = key_ref(name);
    const uint64_t dice = rng.below(100);
    if (dice < 50) {
      put_loading(key, model[name] = std::to_string(step) + std::string(rng.below(200), 'v'));
    } else if (dice < 65) {
      ASSERT_EQ(get_loading(key).has_value(), model.count(name) == 1);
      if (erase(*table_, key).access == Access::kDone) model.erase(name);
    } else {
      const auto it = model.find(name);
      ASSERT_EQ(get_loading(key), it == model.end() ? std::nullopt : std::optional(it->second));
    }
    if (step % 200 == 0) {
      store_.set_broken(rng.chance(0.2));
      if (table_->commits().has_dirty() && !table_->commits().commit(false).ok()) {
        store_.set_broken(false);
        table_->store_health().recover();
      }
      store_.set_broken(false);
    }
    if (step % 15000 == 14999) {
      commit();
      start(kSmallMemory);
    }
  }
  commit();
  std::map<std::string, std::string> in_store;
  for (const auto& [bytes, value] : store_.values()) {
    KeyRef key;
    ASSERT_TRUE(parse_store_key(bytes, &key));
    in_store.emplace(key.key, value_of(value));
  }
  EXPECT_EQ(in_store, model);
  uint64_t records = 0, digest = 0, digest_of_model = 0;
  for (uint32_t p = 0; p < 4; ++p) records += table_->record_count(0, p);
  for (uint32_t p = 0; p < 4; ++p) digest ^= table_->digest(0, p);
  for (const auto& [name, value] : model) digest_of_model ^= digest_of(name, make_record(value));
  EXPECT_EQ(records, model.size());
  EXPECT_EQ(digest, digest_of_model);
}

// Resident or not: in a table that is too small for them, after a restart, and as they change.
TEST_F(StoreReaderTest, CountsKeysWithADeadline) {
  start();
  for (int i = 0; i < 100; ++i) {
    put_until(*table_, key_ref("until:" + std::to_string(i)), "v", 1'000'000);
    put(*table_, key_ref("for ever:" + std::to_string(i)), "v");
  }
  const auto expiring = [this] {
    uint64_t count = 0;
    for (uint32_t p = 0; p < 4; ++p) count += table_->expiring_count(0, p);
    return count;
  };
  EXPECT_EQ(expiring(), 100u);
  put(*table_, key_ref("until:0"), "v");
  put_tombstone(*table_, key_ref("until:1"));
  erase(*table_, key_ref("until:2"));
  put_until(*table_, key_ref("for ever:0"), "v", 2'000'000);
  EXPECT_EQ(expiring(), 98u);
  commit();
  start(kSmallMemory);
  EXPECT_EQ(expiring(), 98u);
  crowd_out("other", 3000);
  EXPECT_EQ(expiring(), 98u);
  put_loading(key_ref("until:3"), "v");
  EXPECT_EQ(expiring(), 97u);
}

}  // namespace
}  // namespace kvorum::engine::testing

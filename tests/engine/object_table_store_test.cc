// SPDX-License-Identifier: Apache-2.0
// What an ObjectTable does because there is a store beneath it: tickets, loading, eviction,
// failure.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/rng.h"
#include "engine/object_table.h"
#include "tests/engine/map_store.h"
#include "tests/engine/test_records.h"

namespace kvorum::engine::testing {
namespace {

class ObjectTableStoreTest : public ::testing::Test {
 protected:
  // A table over what the store holds now, as after a restart.
  void start(uint64_t memory_bytes_max = 0, int partition_bits = 2) {
    TableOptions options;
    options.partition_bits = partition_bits;
    options.memory_bytes_max = memory_bytes_max;
    options.store = &store_;
    options.codec = &codec_;
    table_ = std::make_unique<ObjectTable>(options);
    ASSERT_TRUE(table_->warm().ok());
  }
  void commit() { ASSERT_TRUE(table_->commit(true).ok()); }
  Access access_of(const KeyRef& key) {
    Access access;
    get(*table_, key, &access);
    return access;
  }
  // Reads as a client does: loading where that is needed.
  std::optional<std::string> get_loading(const KeyRef& key) {
    for (int attempt = 0; attempt < 10; ++attempt) {
      Access access;
      const auto value = get(*table_, key, &access);
      if (access == Access::kDone) return value;
      EXPECT_TRUE(table_->load(key).ok());
    }
    ADD_FAILURE() << "not to be loaded: " << key.key;
    return {};
  }
  UpdateResult put_loading(const KeyRef& key, std::string_view value) {
    UpdateResult result = put(*table_, key, value);
    for (int attempt = 0; attempt < 10 && result.access == Access::kNotResident; ++attempt) {
      EXPECT_TRUE(table_->load(key).ok());
      result = put(*table_, key, value);
    }
    EXPECT_EQ(result.access, Access::kDone);
    return result;
  }
  // Writes many clean objects through a small table, so that others are evicted.
  void crowd_out(const std::string& prefix, int count) {
    for (int i = 0; i < count; ++i) {
      const std::string name = prefix + std::to_string(i);
      put_loading(key_ref(name), std::string(200, 'c'));
      if (i % 50 == 49) commit();
    }
    commit();
  }
  std::string stored(const KeyRef& key) {
    const auto values = store_.values();
    const auto it = values.find(store_key(key));
    return it == values.end() ? "none" : std::string(value_of(it->second));
  }

  TestCodec codec_;
  MapStore store_;
  std::unique_ptr<ObjectTable> table_;
};

constexpr uint64_t kSmallMemory = 400 * 1024;

TEST_F(ObjectTableStoreTest, ATicketIsCompleteOnceItsRoundIsWritten) {
  start();
  EXPECT_FALSE(table_->has_dirty());
  const Ticket ticket = put(*table_, key_ref("k"), "v").ticket;
  EXPECT_GT(ticket, table_->committed());
  EXPECT_TRUE(table_->has_dirty());
  EXPECT_EQ(stored(key_ref("k")), "none");
  EXPECT_EQ(table_->commit(true).value(), 1u);
  EXPECT_GE(table_->committed(), ticket);
  EXPECT_FALSE(table_->has_dirty());
  EXPECT_EQ(stored(key_ref("k")), "v");
  EXPECT_EQ(table_->commit(true).value(), 0u);
}

TEST_F(ObjectTableStoreTest, UpdatesOfOneObjectInOneRoundAreWrittenOnce) {
  start();
  const Ticket first = put(*table_, key_ref("hot"), "1").ticket;
  Ticket last = 0;
  for (int i = 0; i < 1000; ++i) last = put(*table_, key_ref("hot"), std::to_string(i)).ticket;
  EXPECT_EQ(first, last);
  EXPECT_EQ(table_->commit(false).value(), 1u);
  EXPECT_EQ(store_.writes(), 1u);
  EXPECT_EQ(stored(key_ref("hot")), "999");
}

TEST_F(ObjectTableStoreTest, AnUpdateDuringTheWriteBelongsToTheNextRound) {
  start();
  const Ticket first = put(*table_, key_ref("k"), "old").ticket;
  Ticket during = 0, kept = 0;
  store_.on_write = [&] {
    kept = table_->update(key_ref("k"), [](std::string_view) { return RecordChange{}; }).ticket;
    during = put(*table_, key_ref("k"), "new").ticket;
  };
  commit();
  store_.on_write = nullptr;
  EXPECT_EQ(table_->committed(), first);
  EXPECT_EQ(kept, first);  // who finds the object as it is waits until that is written
  EXPECT_GT(during, first);
  EXPECT_EQ(stored(key_ref("k")), "old");
  EXPECT_TRUE(table_->has_dirty());
  commit();
  EXPECT_GE(table_->committed(), during);
  EXPECT_EQ(stored(key_ref("k")), "new");
}

TEST_F(ObjectTableStoreTest, KeepingADirtyObjectWaitsForItAndACleanOneDoesNot) {
  start();
  const auto keep = [&] {
    return table_->update(key_ref("k"), [](std::string_view) { return RecordChange{}; }).ticket;
  };
  EXPECT_EQ(keep(), 0u);
  const Ticket ticket = put(*table_, key_ref("k"), "v").ticket;
  EXPECT_EQ(keep(), ticket);
  commit();
  EXPECT_EQ(keep(), 0u);
  const Ticket erased = erase(*table_, key_ref("k")).ticket;
  EXPECT_EQ(keep(), erased);
  EXPECT_EQ(erase(*table_, key_ref("k")).ticket, erased);
}

TEST_F(ObjectTableStoreTest, AnErasedObjectIsErasedInTheStore) {
  start();
  put(*table_, key_ref("k"), "v");
  commit();
  const uint64_t before = table_->memory_bytes();
  erase(*table_, key_ref("k"));
  EXPECT_EQ(stored(key_ref("k")), "v");
  commit();
  EXPECT_EQ(stored(key_ref("k")), "none");
  EXPECT_LT(table_->memory_bytes(), before);
  put(*table_, key_ref("short"), "lived");
  erase(*table_, key_ref("short"));
  commit();
  EXPECT_TRUE(store_.values().empty());
  put(*table_, key_ref("k"), "again");
  commit();
  EXPECT_EQ(stored(key_ref("k")), "again");
}

TEST_F(ObjectTableStoreTest, ABigRoundIsWrittenInSeveralBatches) {
  start();
  const std::string large(1024 * 1024, 'x');
  Ticket last = 0;
  for (int i = 0; i < 40; ++i) last = put(*table_, key_ref("k" + std::to_string(i)), large).ticket;
  std::vector<Ticket> committed_before;
  store_.on_write = [&] { committed_before.push_back(table_->committed()); };
  EXPECT_EQ(table_->commit(true).value(), 40u);
  EXPECT_GE(committed_before.size(), 3u);
  for (const Ticket ticket : committed_before) EXPECT_LT(ticket, last);
  EXPECT_GE(table_->committed(), last);
  EXPECT_EQ(store_.values().size(), 40u);
}

TEST_F(ObjectTableStoreTest, WarmingBringsBackObjectsCountsDigestsAndDeadlines) {
  start();
  std::map<uint32_t, uint64_t> digests;
  for (int i = 0; i < 500; ++i) put(*table_, key_ref("k" + std::to_string(i)), "v");
  put(*table_, key_ref("tombstone"), "", false);
  put(*table_, key_ref("mortal"), "v", true, 5000);
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
  EXPECT_EQ(table_->damaged_count(), 0u);
  EXPECT_EQ(store_.reads(), 0u);
}

TEST_F(ObjectTableStoreTest, BeforeItIsWarmNothingIsKnownToBeAbsent) {
  TableOptions options;
  options.store = &store_;
  options.codec = &codec_;
  const ObjectTable cold(options);
  Access access;
  get(cold, key_ref("k"), &access);
  EXPECT_EQ(access, Access::kNotResident);
  EXPECT_EQ(cold.scan(0, 0, {}, 1, [](const ScanItem&) {}).access, Access::kNotResident);
}

TEST_F(ObjectTableStoreTest, DamagedRecordsAreCountedAndLeftOut) {
  StoreBatch batch;
  batch.changes.push_back({store_key(key_ref("good")), make_record("v"), false});
  batch.changes.push_back({store_key(key_ref("short record")), "xy", false});
  KeyRef misplaced = key_ref("misplaced");
  misplaced.position.high ^= 1;
  batch.changes.push_back({store_key(misplaced), make_record("v"), false});
  batch.changes.push_back({"?", "not an object's key", false});
  batch.changes.push_back({std::string(1, kFactPrefix) + "identity", "a fact", false});
  ASSERT_TRUE(store_.write(batch, true).ok());
  start();
  EXPECT_EQ(table_->damaged_count(), 3u);
  EXPECT_EQ(get(*table_, key_ref("good")), "v");
}

TEST_F(ObjectTableStoreTest, WhatIsEvictedIsLoadedAgain) {
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

TEST_F(ObjectTableStoreTest, WarmingFillsMemoryAndNoMore) {
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

TEST_F(ObjectTableStoreTest, TheRetriedOperationAfterALoadOfNothingGoesOn) {
  start(kSmallMemory);
  crowd_out("k", 5000);
  const KeyRef missing = key_ref("missing");
  ASSERT_EQ(access_of(missing), Access::kNotResident);
  ASSERT_TRUE(table_->load(missing).ok());
  EXPECT_EQ(get(*table_, missing), std::nullopt);
  EXPECT_EQ(access_of(missing), Access::kDone);
  ASSERT_EQ(access_of(key_ref("also missing")), Access::kNotResident);
  EXPECT_EQ(put_loading(key_ref("also missing"), "now here").access, Access::kDone);
  EXPECT_EQ(get_loading(key_ref("also missing")), "now here");
}

TEST_F(ObjectTableStoreTest, WhatIsUsedStaysAndWhatIsNotGoes) {
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
        EXPECT_TRUE(table_->load(key_ref("hot")).ok());
      }
    }
    return loads;
  };
  EXPECT_EQ(reads_of_hot(), 0);
}

TEST_F(ObjectTableStoreTest, DirtyObjectsAreNeverEvicted) {
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
TEST_F(ObjectTableStoreTest, ObjectsInFlightAreNotEvicted) {
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
TEST_F(ObjectTableStoreTest, AnOverlongLoadDoesNotBringBackThePast) {
  start(kSmallMemory);
  const KeyRef key = key_ref("k");
  put(*table_, key, "past");
  commit();
  crowd_out("crowd", 4000);
  ASSERT_EQ(access_of(key), Access::kNotResident);
  bool raced = false;
  store_.on_read_done = [&] {
    if (raced) return;
    raced = true;
    put_loading(key, "present");
    commit();
    crowd_out("crowd", 4000);
    ASSERT_EQ(access_of(key), Access::kNotResident);
  };
  ASSERT_TRUE(table_->load(key).ok());
  EXPECT_TRUE(raced);
  EXPECT_EQ(get(*table_, key), "present");
}

TEST_F(ObjectTableStoreTest, AnOverlongLoadDoesNotBringBackTheErased) {
  start(kSmallMemory);
  const KeyRef key = key_ref("k");
  put(*table_, key, "past");
  commit();
  crowd_out("crowd", 4000);
  ASSERT_EQ(access_of(key), Access::kNotResident);
  bool raced = false;
  store_.on_read_done = [&] {
    if (raced) return;
    raced = true;
    ASSERT_TRUE(table_->load(key).ok());
    ASSERT_EQ(erase(*table_, key).access, Access::kDone);
    commit();
  };
  ASSERT_TRUE(table_->load(key).ok());
  EXPECT_TRUE(raced);
  EXPECT_EQ(get_loading(key), std::nullopt);
}

TEST_F(ObjectTableStoreTest, ScanningThroughTheStoreShowsWhatIsThereNow) {
  start(kSmallMemory, 1);
  crowd_out("k", 4000);
  std::map<std::string, std::string> expected;
  for (int i = 0; i < 4000; ++i) expected["k" + std::to_string(i)] = std::string(200, 'c');
  for (int i = 0; i < 40; ++i) {  // dirty: changed, erased, new
    const std::string changed = "k" + std::to_string(i * 3), gone = "k" + std::to_string(i * 3 + 1);
    put_loading(key_ref(changed), expected[changed] = "changed");
    if (access_of(key_ref(gone)) == Access::kNotResident) {
      ASSERT_TRUE(table_->load(key_ref(gone)).ok());
    }
    ASSERT_EQ(erase(*table_, key_ref(gone)).access, Access::kDone);
    expected.erase(gone);
    const std::string added = "new" + std::to_string(i);
    put_loading(key_ref(added), expected[added] = "added");
  }
  EXPECT_EQ(table_->scan(0, 0, {}, 10, [](const ScanItem&) {}).access, Access::kNotResident);
  for (const size_t count_min : {size_t{0}, size_t{1}, size_t{37}, size_t{100000}}) {
    std::map<std::string, std::string> shown;
    std::vector<uint64_t> positions;
    for (uint32_t partition = 0; partition < 2; ++partition) {
      Position from;
      for (;;) {
        const Result<ScanEnd> end =
            table_->scan_store(0, partition, from, count_min, [&](const ScanItem& item) {
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

TEST_F(ObjectTableStoreTest, AFailedCommitRefusesUpdatesAndKeepsWhatIsDirty) {
  start();
  put(*table_, key_ref("a"), "old");
  commit();
  put(*table_, key_ref("a"), "new");
  put(*table_, key_ref("b"), "new");
  const Ticket ticket = erase(*table_, key_ref("none")).ticket;
  EXPECT_EQ(ticket, 0u);
  store_.set_broken(true);
  const Ticket before = table_->committed();
  EXPECT_EQ(table_->commit(true).status().code(), Code::kIoError);
  EXPECT_TRUE(table_->failed());
  EXPECT_EQ(table_->committed(), before);
  EXPECT_TRUE(table_->has_dirty());
  EXPECT_EQ(put(*table_, key_ref("c"), "refused").access, Access::kRefused);
  EXPECT_EQ(table_->commit(true).status().code(), Code::kUnavailable);
  EXPECT_EQ(get(*table_, key_ref("a")), "new");
  EXPECT_EQ(get(*table_, key_ref("c")), std::nullopt);
  store_.set_broken(false);
  table_->recover();
  EXPECT_FALSE(table_->failed());
  EXPECT_EQ(table_->commit(true).value(), 2u);
  EXPECT_EQ(stored(key_ref("a")), "new");
  EXPECT_EQ(stored(key_ref("b")), "new");
  EXPECT_EQ(put(*table_, key_ref("c"), "taken").access, Access::kDone);
}

// The failure comes in the middle of a round of several batches, with updates in between.
TEST_F(ObjectTableStoreTest, ARoundThatFailsHalfWayIsWrittenWholeLater) {
  start();
  std::map<std::string, std::string> expected;
  for (int i = 0; i < 40; ++i) {
    const std::string name = "k" + std::to_string(i);
    put(*table_, key_ref(name), expected[name] = std::string(1024 * 1024, 'x'));
  }
  int writes = 0;
  store_.on_write = [&] {
    if (++writes != 2) return;
    store_.set_broken(true);
    for (int i = 0; i < 40; i += 2) {
      const std::string name = "k" + std::to_string(i);
      put(*table_, key_ref(name), expected[name] = "changed meanwhile");
    }
  };
  EXPECT_FALSE(table_->commit(true).ok());
  EXPECT_EQ(writes, 2);
  store_.on_write = nullptr;
  store_.set_broken(false);
  table_->recover();
  commit();
  EXPECT_FALSE(table_->has_dirty());
  for (const auto& [name, value] : expected) EXPECT_EQ(stored(key_ref(name)), value);
}

TEST_F(ObjectTableStoreTest, TheDirtyCallbackTellsOfTheFirstUpdateOnly) {
  start();
  int calls = 0;
  table_->set_dirty_callback([](void* counter) { ++*static_cast<int*>(counter); }, &calls);
  for (int i = 0; i < 100; ++i) put(*table_, key_ref("k" + std::to_string(i)), "v");
  EXPECT_EQ(calls, 1);
  commit();
  erase(*table_, key_ref("k1"));
  EXPECT_EQ(calls, 2);
}

// Random operations, commits, failures and restarts with a table that holds a tenth of the objects.
TEST_F(ObjectTableStoreTest, EqualsAModelWhileObjectsComeAndGo) {
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
      if (table_->has_dirty() && !table_->commit(false).ok()) {
        store_.set_broken(false);
        table_->recover();
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

TEST(MemoryLimitTest, AFullMemoryEngineRefusesGrowthAndTakesWhatFrees) {
  TableOptions options;
  options.partition_bits = 1;
  options.memory_bytes_max = 300 * 1024;
  ObjectTable table(options);
  int stored = 0;
  while (put(table, key_ref("k" + std::to_string(stored)), std::string(500, 'v')).access ==
         Access::kDone) {
    ASSERT_LT(++stored, 10000);
  }
  EXPECT_GT(stored, 300);
  EXPECT_EQ(put(table, key_ref("k0"), std::string(5000, 'v')).access, Access::kFull);
  EXPECT_EQ(get(table, key_ref("k0")), std::string(500, 'v'));
  EXPECT_EQ(put(table, key_ref("k0"), std::string(500, 'w')).access, Access::kDone);
  EXPECT_EQ(table.record_count(0, 0) + table.record_count(0, 1), static_cast<uint64_t>(stored));
  const auto repair = [](std::string_view) {
    RecordChange change;
    change.action = RecordChange::Action::kStore;
    change.frees = true;
    change.body = "repaired, although it grows";
    return change;
  };
  EXPECT_EQ(table.update(key_ref("repaired"), repair).access, Access::kDone);
  for (int i = 0; i < 20; ++i) erase(table, key_ref("k" + std::to_string(i)));
  EXPECT_EQ(put(table, key_ref("fits"), std::string(500, 'v')).access, Access::kDone);
}

}  // namespace
}  // namespace kvorum::engine::testing

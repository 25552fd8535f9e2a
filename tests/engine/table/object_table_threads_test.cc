// SPDX-License-Identifier: Apache-2.0
// Several threads on one table: what each may rely on must hold in any order of events. Meant to be
// run under the thread sanitizer too.
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <thread>

#include "base/rng.h"
#include "engine/commit/committer.h"
#include "engine/table/object_table.h"
#include "tests/engine/map_store.h"
#include "tests/engine/test_records.h"

namespace kvorum::engine::testing {
namespace {

constexpr int kThreads = 4;
constexpr int kKeysPerThread = 400;
constexpr int kSharedKeys = 50;
constexpr int kSteps = 6000;

// Each thread changes keys of its own, which nobody else changes, and all increment shared ones.
class Worker {
 public:
  Worker(ObjectTable* table, Committer* committer, int number)
      : table_(table),
        committer_(committer),
        number_(number),
        rng_(static_cast<uint64_t>(number)) {}

  void run() {
    for (int step = 0; step < kSteps; ++step) {
      const std::string name = own_key(static_cast<int>(rng_.below(kKeysPerThread)));
      const KeyRef key = key_ref(name);
      table_->prefetch_bucket(key);
      table_->prefetch_entry(key);
      switch (rng_.below(8)) {
        case 0:
          run_until_done(key, [&] { return erase(*table_, key).access; });
          model_.erase(name);
          break;
        case 1:
        case 2:
        case 3: {
          const std::string value(rng_.below(400), static_cast<char>('a' + number_));
          run_until_done(key, [&] { return put(*table_, key, value).access; });
          model_[name] = value;
          break;
        }
        case 4:
          increment("shared" + std::to_string(rng_.below(kSharedKeys)));
          break;
        default:
          check(name);
      }
    }
  }
  void check_all() {
    for (int i = 0; i < kKeysPerThread; ++i) check(own_key(i));
  }
  size_t keys() const { return model_.size(); }
  uint64_t increments() const { return increments_; }

 private:
  std::string own_key(int i) const { return std::to_string(number_) + ":" + std::to_string(i); }

  template <class Operation>
  void run_until_done(const KeyRef& key, Operation operation) {
    for (;;) {
      const Access access = operation();
      if (access == Access::kDone) return;
      ASSERT_EQ(access, Access::kNotResident);
      load(key);
    }
  }
  void load(const KeyRef& key) {
    std::atomic<bool> done{false};
    committer_->run_on_store_thread([&] {
      EXPECT_TRUE(table_->store_reader().load(key).ok());
      done = true;
      done.notify_one();
    });
    done.wait(false);
  }
  void check(const std::string& name) {
    const KeyRef key = key_ref(name);
    std::optional<std::string> value;
    run_until_done(key, [&] {
      Access access;
      value = get(*table_, key, &access);
      return access;
    });
    const auto it = model_.find(name);
    ASSERT_EQ(value, it == model_.end() ? std::nullopt : std::optional(it->second)) << name;
  }
  void increment(const std::string& name) {
    const KeyRef key = key_ref(name);
    std::string head;
    run_until_done(key, [&] {
      return table_
          ->update(key,
                   [&](std::string_view old) {
                     const std::string_view digits = old.data() ? value_of(old) : "0";
                     head = make_record(std::to_string(std::stoull(std::string(digits)) + 1));
                     RecordChange change;
                     change.action = RecordChange::Action::kStore;
                     change.live = true;
                     change.head = head;
                     change.digest_change = digest_of(name, old) ^ digest_of(name, head);
                     return change;
                   })
          .access;
    });
    ++increments_;
  }

  ObjectTable* const table_;
  Committer* const committer_;
  const int number_;
  Rng rng_;
  std::map<std::string, std::string> model_;
  uint64_t increments_ = 0;
};

void run_workers(ObjectTable* table, Committer* committer) {
  std::vector<std::unique_ptr<Worker>> workers;
  for (int i = 0; i < kThreads; ++i) {
    workers.push_back(std::make_unique<Worker>(table, committer, i));
  }
  std::atomic<bool> stop{false};
  // One more thread does what a reactor and its control do on the side.
  std::thread observer([&] {
    for (uint32_t turn = 0; !stop; ++turn) {
      const uint32_t partition = turn % 4;
      Position from;
      uint64_t last = 0;
      for (ScanEnd end{Access::kDone, false, {}}; !end.done && end.access == Access::kDone;) {
        end = table->scan({0, partition, from, 20}, [&](const ScanItem& item) {
          EXPECT_GE(item.key.position.high, last);
          last = item.key.position.high;
        });
        from = end.next;
      }
      table->live_count(0, partition);
      table->memory_bytes();
      table->expire(turn, 10, [](const KeyRef&, std::string_view) { return RecordChange{}; });
    }
  });
  std::vector<std::thread> threads;
  for (auto& worker : workers) threads.emplace_back([&] { worker->run(); });
  for (std::thread& thread : threads) thread.join();
  stop = true;
  observer.join();

  uint64_t keys = 0, increments = 0, counted = 0, records = 0, digest = 0, digest_found = 0;
  for (auto& worker : workers) {
    worker->check_all();
    keys += worker->keys();
    increments += worker->increments();
  }
  for (uint32_t partition = 0; partition < 4; ++partition) {
    records += table->record_count(0, partition);
    digest ^= table->digest(0, partition);
    const auto count = [&](const ScanItem& item) {
      digest_found ^= digest_of(item.key.key, item.record);
      if (item.key.key.starts_with("shared")) {
        counted += std::stoull(std::string(value_of(item.record)));
      }
    };
    ScanEnd end = table->scan({0, partition, {}, 1000 * 1000}, count);
    if (end.access == Access::kNotResident) {
      const Result<ScanEnd> stored =
          table->store_reader().scan({0, partition, {}, 1000 * 1000}, count);
      ASSERT_TRUE(stored.ok());
      end = stored.value();
    }
    EXPECT_TRUE(end.done);
  }
  EXPECT_EQ(records, keys + kSharedKeys);
  EXPECT_EQ(counted, increments);
  EXPECT_EQ(digest, digest_found);
}

TEST(ObjectTableThreadsTest, MemoryTable) {
  TableOptions options;
  options.partition_bits = 2;
  ObjectTable table(options);
  run_workers(&table, nullptr);
}

// With a table that holds a part of the objects: commits, evictions and loads run all the time.
TEST(ObjectTableThreadsTest, TableOverAStore) {
  MapStore store;
  const TestCodec codec;
  TableOptions options;
  options.partition_bits = 2;
  options.store = &store;
  options.codec = &codec;
  options.memory_bytes_max = 150 * 1024;
  ObjectTable table(options);
  ASSERT_TRUE(table.store_reader().warm().ok());
  {
    Committer committer(&table, &store, CommitterOptions{.sync_interval_ms = 1});
    run_workers(&table, &committer);
    EXPECT_GT(committer.rounds(), 0u);
  }
  EXPECT_GT(store.reads(), 0u);
  uint64_t records = 0;
  for (uint32_t partition = 0; partition < 4; ++partition) {
    records += table.record_count(0, partition);
  }
  EXPECT_EQ(store.values().size(), records);
  EXPECT_FALSE(table.commits().has_dirty());
}

// Who waits for a ticket finds the value in the store.
TEST(ObjectTableThreadsTest, ACommittedTicketMeansWrittenWhoeverUpdates) {
  MapStore store;
  const TestCodec codec;
  TableOptions options;
  options.partition_bits = 0;
  options.store = &store;
  options.codec = &codec;
  ObjectTable table(options);
  ASSERT_TRUE(table.store_reader().warm().ok());
  Committer committer(&table, &store, CommitterOptions{.sync = SyncPolicy::kNever});
  std::vector<std::thread> threads;
  for (int number = 0; number < kThreads; ++number) {
    threads.emplace_back([&, number] {
      const std::string name = "k" + std::to_string(number);
      for (int i = 0; i < 300; ++i) {
        const Ticket ticket = put(table, key_ref(name), std::to_string(i)).ticket;
        while (table.commits().committed() < ticket) std::this_thread::yield();
        std::string value;
        ASSERT_TRUE(store.read(store_key(key_ref(name)), &value).ok());
        ASSERT_EQ(value_of(value), std::to_string(i));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace kvorum::engine::testing

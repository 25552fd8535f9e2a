// SPDX-License-Identifier: Apache-2.0
// An ObjectTable over a MapStore, and operations that load what is not resident, as a node does.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>

#include "engine/table/object_table.h"
#include "tests/engine/map_store.h"
#include "tests/engine/test_records.h"

namespace kvorum::engine::testing {

// Room for about 1500 of the objects that crowd_out() writes.
inline constexpr uint64_t kSmallMemory = 400 * 1024;

class StoreFixture : public ::testing::Test {
 protected:
  // A table over what the store holds now, as after a restart.
  void start(uint64_t memory_bytes_max = 0, int partition_bits = 2) {
    TableOptions options;
    options.partition_bits = partition_bits;
    options.memory_bytes_max = memory_bytes_max;
    options.store = &store_;
    options.codec = &codec_;
    options.keeps_trees = keeps_trees_;
    options.start_threads = std::min(4U, 1U << partition_bits);  // the simulator reads with one
    table_ = std::make_unique<ObjectTable>(options);
    ASSERT_TRUE(table_->store_reader().warm().ok());
  }
  void commit() { ASSERT_TRUE(table_->commits().commit(true).ok()); }
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
      EXPECT_TRUE(table_->store_reader().load(key).ok());
    }
    ADD_FAILURE() << "not to be loaded: " << key.key;
    return {};
  }
  UpdateResult put_loading(const KeyRef& key, std::string_view value) {
    UpdateResult result = put(*table_, key, value);
    for (int attempt = 0; attempt < 10 && result.access == Access::kNotResident; ++attempt) {
      EXPECT_TRUE(table_->store_reader().load(key).ok());
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

  bool keeps_trees_ = false;
  TestCodec codec_;
  MapStore store_;
  std::unique_ptr<ObjectTable> table_;
};

}  // namespace kvorum::engine::testing

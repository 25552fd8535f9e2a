// SPDX-License-Identifier: Apache-2.0
#include "engine/partition/partition_table.h"

#include <gtest/gtest.h>

#include "tests/engine/test_records.h"

namespace kvorum::engine::testing {
namespace {

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

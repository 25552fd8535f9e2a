// SPDX-License-Identifier: Apache-2.0
#include "cluster/wire/changed_keys.h"

#include <gtest/gtest.h>

namespace kvorum::cluster {
namespace {

TEST(ChangedKeysTest, KeepsWhatIsNoted) {
  ChangedKeys changed;
  EXPECT_TRUE(changed.empty());
  changed.note("k", 7);
  ASSERT_EQ(changed.keys.size(), 1u);
  EXPECT_EQ(changed.keys[0].key, "k");
  EXPECT_EQ(changed.keys[0].digest, 7u);
  EXPECT_FALSE(changed.empty());
  changed.clear();
  EXPECT_TRUE(changed.empty());
}

TEST(ChangedKeysTest, AllIsMoreThanAnyOfThem) {
  ChangedKeys changed;
  changed.note("k", 7);
  changed.note_all();
  EXPECT_TRUE(changed.all);
  EXPECT_TRUE(changed.keys.empty());
  EXPECT_FALSE(changed.empty());
}

TEST(ChangedKeysTest, MoreThanAreKeptAreAll) {
  ChangedKeys changed;
  for (size_t i = 0; i < ChangedKeys::kKeysMax; ++i) changed.note("k", i);
  EXPECT_FALSE(changed.all);
  changed.note("k", 0);
  EXPECT_TRUE(changed.all);
}

}  // namespace
}  // namespace kvorum::cluster

// SPDX-License-Identifier: Apache-2.0
#include "base/hash.h"

#include <gtest/gtest.h>

namespace kvorum {
namespace {

// The cas unique of memcached is XXH64 and checksums are stored: neither may ever change.
TEST(Hash, Xxh64GivesThePublishedValues) {
  EXPECT_EQ(xxh64(""), 0xef46db3751d8e999u);
  EXPECT_EQ(xxh64("a"), 0xd24ec4f1a98c6e5bu);
  EXPECT_NE(xxh64("a", 1), xxh64("a"));
}

TEST(Hash, ChecksumsAreTheLowHalfOfXxh3) { EXPECT_EQ(checksum32(""), 0x38d394c2u); }

TEST(Hash, ASeedChangesEveryHash) {
  EXPECT_EQ(hash_seeded("key", 5), hash_seeded("key", 5));
  EXPECT_NE(hash_seeded("key", 5), hash_seeded("key", 6));
}

}  // namespace
}  // namespace kvorum

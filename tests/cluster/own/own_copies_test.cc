// SPDX-License-Identifier: Apache-2.0
// Own copies that change, as those are told who cache keys.
#include "cluster/own/own_copies.h"

#include <gmock/gmock.h>

#include "tests/cluster/lone_core.h"

namespace kvorum::cluster::fixtures {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

struct OwnCopiesTest : ::testing::Test {
  LoneShape shape() {
    LoneShape shape;
    shape.adjust_parts = [this](NodeParts& parts) { parts.told_changes = &wanted; };
    return shape;
  }
  // Takes in what another replica has.
  void take(std::string_view key, const Object& object) {
    lone.core.own.take_in(lone.ref(key), object, {}, lone.now);
  }
  std::vector<std::string> told() {
    std::vector<std::string> keys;
    for (const ChangedKey& key : lone.core.outbox.changed.keys) keys.push_back(key.key);
    last_digest = keys.empty() ? 0 : lone.core.outbox.changed.keys.back().digest;
    lone.core.outbox.changed.clear();
    return keys;
  }

  std::atomic<bool> wanted{true};
  LoneCore lone{shape()};
  uint64_t last_digest = 0;
};

TEST_F(OwnCopiesTest, AChangeIsToldWithTheDigestOfWhatIsThere) {
  const Object object = lone.object_of(1, 1, "v");
  take("k", object);
  EXPECT_THAT(told(), ElementsAre("k"));
  EXPECT_EQ(last_digest, versions_digest(object));
  EXPECT_FALSE(lone.core.outbox.empty() && !lone.core.outbox.changed.empty());
}

TEST_F(OwnCopiesTest, WhatTheCopyHasAlreadyIsNoChange) {
  const Object object = lone.object_of(1, 1, "v");
  take("k", object);
  told();
  take("k", object);
  EXPECT_THAT(told(), IsEmpty());
}

TEST_F(OwnCopiesTest, ATombstoneOfNothingIsNoNews) {
  take("k", lone.tombstone_of(1, 1));
  EXPECT_THAT(told(), IsEmpty());
  take("k", lone.object_of(1, 2, "v"));
  EXPECT_THAT(told(), ElementsAre("k"));
  take("k", lone.tombstone_of(1, 3));
  EXPECT_THAT(told(), ElementsAre("k"));
}

TEST_F(OwnCopiesTest, NobodyIsToldWhileNobodyWantsThat) {
  wanted = false;
  take("k", lone.object_of(1, 1, "v"));
  EXPECT_THAT(told(), IsEmpty());
}

}  // namespace
}  // namespace kvorum::cluster::fixtures

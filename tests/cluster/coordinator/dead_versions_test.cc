// SPDX-License-Identifier: Apache-2.0
// What the frontier says about versions and tombstones (cluster/version/object.h).
#include <gtest/gtest.h>

#include "cluster/version/object.h"

namespace kvorum::cluster {
namespace {

constexpr Actor kX{1, 10, Hlc{1}};
constexpr Actor kY{2, 20, Hlc{1}};

Version version_at(const Actor& actor, uint64_t hlc, TypeTag type = TypeTag::kString) {
  Version version;
  version.dot = {actor, Hlc{hlc}};
  version.type = type;
  version.bytes = type == TypeTag::kString ? "v" : "";
  return version;
}

Object object_of(std::initializer_list<Version> versions) {
  Object object;
  for (const Version& version : versions) update(object, {}, version);
  return object;
}

TEST(DropDead, BelowTheFrontierWhatTheCompleteCopyLacksIsDead) {
  Object stale = object_of({version_at(kX, 5)});
  InlineVector<Version, 1> dead;
  EXPECT_EQ(drop_dead(stale, {}, Hlc{6}, &dead), 1u);
  EXPECT_TRUE(stale.empty());
  ASSERT_EQ(dead.size(), 1u);
  EXPECT_EQ(dead[0].bytes, "v");
}

TEST(DropDead, AtTheFrontierNothingIsKnown) {
  Object fresh = object_of({version_at(kX, 6)});
  EXPECT_EQ(drop_dead(fresh, {}, Hlc{6}), 0u);
  EXPECT_EQ(fresh.versions.size(), 1u);
}

TEST(DropDead, WhatTheCompleteCopyHoldsOrCoversLives) {
  const Object complete = object_of({version_at(kX, 5)});
  Object same = complete;
  EXPECT_EQ(drop_dead(same, complete, Hlc{100}), 0u);
  Object covered = object_of({version_at(kX, 4)});  // merge() will drop it, and for its own reason
  EXPECT_EQ(drop_dead(covered, complete, Hlc{100}), 0u);
}

TEST(DropDead, SiblingsAreJudgedOneByOne) {
  Object mixed = object_of({version_at(kX, 5), version_at(kY, 50)});
  EXPECT_EQ(drop_dead(mixed, {}, Hlc{10}), 1u);
  ASSERT_EQ(mixed.versions.size(), 1u);
  EXPECT_EQ(mixed.versions[0].dot.hlc, Hlc{50});
  EXPECT_TRUE(mixed.vector.covers({kX, Hlc{5}}));  // what it knows it goes on knowing
}

TEST(Reapable, ATombstoneGoesWhenAllThatItCoversIsBelow) {
  Object deleted = object_of({version_at(kX, 5)});
  update(deleted, {deleted.vector, {}}, version_at(kY, 8, TypeTag::kTombstone));
  EXPECT_FALSE(reapable(deleted, Hlc{8}));
  EXPECT_TRUE(reapable(deleted, Hlc{9}));
}

TEST(Reapable, ADeadlineHasToPassToo) {
  Version expired = version_at(kX, 5, TypeTag::kTombstone);
  expired.deadline_ms = 3;
  const Object object = object_of({expired});
  EXPECT_FALSE(reapable(object, Hlc::from_ms(3)));
  EXPECT_TRUE(reapable(object, Hlc::from_ms(4)));
}

TEST(Reapable, AValueNeverIs) { EXPECT_FALSE(reapable(object_of({version_at(kX, 5)}), Hlc{100})); }

TEST(Reapable, ABareVectorIs) {
  Object bare;
  bare.vector.raise(kX, Hlc{5});
  EXPECT_FALSE(reapable(bare, Hlc{5}));
  EXPECT_TRUE(reapable(bare, Hlc{6}));
}

TEST(Evictable, AValueIsWhenAllThatItsObjectKnowsIsBelow) {
  Object object = object_of({version_at(kX, 5)});
  EXPECT_FALSE(evictable(object, Hlc{5}));
  EXPECT_TRUE(evictable(object, Hlc{6}));
  object.vector.raise(kY, Hlc{8});  // of a delete that others may lack
  EXPECT_FALSE(evictable(object, Hlc{8}));
  EXPECT_TRUE(evictable(object, Hlc{9}));
  EXPECT_FALSE(evictable(object, Hlc{})) << "nothing is known of the copy";
}

TEST(Evictable, ADeadlineDoesNotMatter) {
  Version version = version_at(kX, 5);
  version.deadline_ms = 1'000'000;
  EXPECT_TRUE(evictable(object_of({version}), Hlc{6}));
}

TEST(Evictable, ARetriedVersionOnlyWhenNoTwinComesAnyMore) {
  Version version = version_at(kX, Hlc::from_ms(1000).value);
  version.retried = true;
  const Object object = object_of({version});
  EXPECT_FALSE(evictable(object, Hlc::from_ms(1001)));
  EXPECT_TRUE(evictable(object, Hlc::from_ms(1000 + kTwinsWithinMs + 1)));
}

TEST(KeepNewest, CountsNoVersionBelowTheFrontier) {
  Object object = object_of({version_at(kX, 5), version_at(kY, 9)});
  EXPECT_EQ(keep_newest(object, Hlc{6}), 0u);
  ASSERT_EQ(object.versions.size(), 1u);
  EXPECT_EQ(object.versions[0].dot.hlc, Hlc{9});
  Object concurrent = object_of({version_at(kX, 5), version_at(kY, 9)});
  EXPECT_EQ(keep_newest(concurrent, Hlc{5}), 1u);
}

TEST(OldestAbove, LooksAtVersionsFromTheFrontierOn) {
  const Object object = object_of({version_at(kX, 5), version_at(kY, 7)});
  EXPECT_EQ(oldest_above(object, Hlc{}), 5u);
  EXPECT_EQ(oldest_above(object, Hlc{6}), 7u);
  EXPECT_EQ(oldest_above(object, Hlc{8}), ~uint64_t{0});
}

}  // namespace
}  // namespace kvorum::cluster

// SPDX-License-Identifier: Apache-2.0
// Expiry alone: what it empties, how much at a time, and when it looks next.
#include "cluster/upkeep/expiry.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "tests/cluster/lone_core.h"

namespace kvorum::cluster::fixtures {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class Expiries : public ::testing::Test {
 protected:
  explicit Expiries(const LoneShape& shape = {}) : lone(shape) {}

  Version mortal(uint64_t ms, MemberIndex author = 1) const {
    Version version = lone.version_of(author, 1, "v");
    version.deadline_ms = LoneCore::kWallMs + ms;
    return version;
  }
  void put(std::string_view key, const Version& version) {
    Object object;
    update(object, {}, version);
    lone.put(key, object);
  }
  void turn(uint64_t ms) {
    lone.pass_ms(ms);
    machine.on_time(lone.now);
  }
  uint64_t expired() const { return lone.core.counters.expired; }

  LoneCore lone;
  Expiry machine{lone.core};
};

TEST_F(Expiries, AVersionIsEmptiedAtItsDeadlineAndNotBefore) {
  put("k", mortal(1000));
  turn(999);
  EXPECT_THAT(lone.own("k"), ElementsAre("v"));
  turn(1);
  EXPECT_THAT(lone.own("k"), ElementsAre("-"));
  EXPECT_EQ(expired(), 1u);
}

// Replicas which notice at different times stay equal.
TEST_F(Expiries, NeitherDotNorDigestChanges) {
  put("k", mortal(10));
  Object before;
  uint64_t leaf_before = 0, leaf_after = 0;
  lone.core.own.read(lone.ref("k"), [&](Record& record) {
    leaf_before = leaf_digest(lone.ref("k"), record.object, LoneCore::kDigestSeed);
  });
  const uint32_t partition = lone.core.partition_for(lone.ref("k"));
  const uint64_t root = lone.table.digest(0, partition);
  turn(10);
  ASSERT_EQ(expired(), 1u);
  lone.core.own.read(lone.ref("k"), [&](Record& record) {
    leaf_after = leaf_digest(lone.ref("k"), record.object, LoneCore::kDigestSeed);
    EXPECT_EQ(record.object.versions[0].dot, mortal(10).dot);
  });
  EXPECT_EQ(leaf_after, leaf_before);
  EXPECT_EQ(lone.table.digest(0, partition), root);
}

TEST_F(Expiries, ASiblingThatLivesStays) {
  Object object;
  update(object, {}, mortal(10, 1));
  update(object, {}, lone.version_of(2, 2, "lives"));
  lone.put("k", object);
  turn(10);
  EXPECT_THAT(lone.own("k"), ElementsAre("lives", "-"));
  EXPECT_EQ(expired(), 1u);
}

TEST_F(Expiries, WhatNeverExpiresIsNotLookedAt) {
  lone.put("k", lone.object_of(1, 1, "v"));
  EXPECT_EQ(machine.next_deadline_us(), 0u);
  turn(100'000);
  EXPECT_THAT(lone.own("k"), ElementsAre("v"));
}

TEST_F(Expiries, TheNextLookIsAtTheNextDeadline) {
  machine.on_time(lone.now);
  put("k", mortal(1000));
  EXPECT_EQ(machine.next_deadline_us(), lone.now.steady_us + 1'000'000);
}

TEST_F(Expiries, ADeadlineInYearsIsLookedAtWithinTheHour) {
  machine.on_time(lone.now);
  Version version = lone.version_of(1, 1, "v");
  version.deadline_ms = UINT64_MAX;
  put("k", version);
  EXPECT_EQ(machine.next_deadline_us(), lone.now.steady_us + 3'600'000'000u);
  turn(3'600'000);
  EXPECT_EQ(expired(), 0u);
}

TEST_F(Expiries, AfterOneTurnTheNextIsAWhileLater) {
  put("a", mortal(10));
  turn(10);
  put("b", mortal(20));
  turn(10);
  EXPECT_EQ(expired(), 1u);
  EXPECT_EQ(machine.next_deadline_us(), lone.now.steady_us + Expiry::kIntervalUs - 10'000);
  turn(90);
  EXPECT_EQ(expired(), 2u);
}

TEST_F(Expiries, ManyGoSoManyAtATimeAndTheRestAtOnceAfter) {
  constexpr size_t kKeys = Expiry::kPerTurn + 50;
  for (size_t number = 0; number < kKeys; ++number) put("k" + std::to_string(number), mortal(10));
  turn(10);
  EXPECT_EQ(expired(), Expiry::kPerTurn);
  EXPECT_EQ(machine.next_deadline_us(), lone.now.steady_us);
  turn(0);
  EXPECT_EQ(expired(), kKeys);
}

// Of the replicas of a key one tells that it expired: the first that is healthy.
TEST_F(Expiries, TheFirstHealthyReplicaTellsWhoAsks) {
  const auto first_of = [&](const std::string& key) {
    return lone.core.preference_list(lone.ref(key))[0];
  };
  std::vector<std::string> own, all;
  for (int i = 0; i < 30; ++i) {
    all.push_back("k" + std::to_string(i));
    if (first_of(all.back()) == lone.view->self) own.push_back(all.back());
  }
  ASSERT_LT(own.size(), all.size());
  ASSERT_FALSE(own.empty());
  const auto told = [&](bool wanted) {
    machine.take_told(wanted);
    for (const std::string& key : all) put(key, mortal(10 + lone.now.wall_ms - LoneCore::kWallMs));
    turn(200);
    std::vector<std::string> keys;
    for (const ExpiredKey& expired : machine.take_told(wanted)) keys.push_back(expired.key);
    std::sort(keys.begin(), keys.end());
    return keys;
  };
  for (const MemberIndex peer : {MemberIndex{1}, MemberIndex{2}}) lone.link(peer);
  std::sort(own.begin(), own.end());
  std::sort(all.begin(), all.end());
  EXPECT_THAT(told(false), IsEmpty()) << "nobody asks";
  EXPECT_EQ(told(true), own);
  for (const MemberIndex peer : {MemberIndex{1}, MemberIndex{2}}) lone.link(peer, false);
  EXPECT_EQ(told(true), all);
}

struct LoneExpiries : Expiries {
  LoneExpiries() : Expiries({.members = 1, .n = 1}) {}
};

TEST_F(LoneExpiries, WithoutOtherMembersNothingIsLeft) {
  put("k", mortal(10, 0));
  turn(10);
  EXPECT_FALSE(lone.holds("k"));
  EXPECT_EQ(lone.table.digest(0, lone.core.partition_for(lone.ref("k"))), 0u);
}

// Their dots stay, so no digest tells that they are gone.
TEST(ExpiryTest, WhoCachesAKeyIsToldOfIt) {
  std::atomic<bool> wanted{true};
  LoneShape shape;
  shape.adjust_parts = [&](NodeParts& parts) { parts.told_changes = &wanted; };
  LoneCore lone(shape);
  Expiry machine(lone.core);
  Version version = lone.version_of(1, 1, "v");
  version.deadline_ms = LoneCore::kWallMs + 10;
  Object object;
  update(object, {}, version);
  lone.put("k", object);
  lone.core.outbox.changed.clear();
  lone.pass_ms(10);
  machine.on_time(lone.now);
  ASSERT_EQ(lone.core.outbox.changed.keys.size(), 1u);
  EXPECT_EQ(lone.core.outbox.changed.keys[0].key, "k");
  EXPECT_EQ(lone.core.outbox.changed.keys[0].digest, 0u);
}

}  // namespace
}  // namespace kvorum::cluster::fixtures

// SPDX-License-Identifier: Apache-2.0
#include "cluster/repair/differing_keys.h"

#include <gmock/gmock.h>

#include "cluster/wire/keyspace_messages.h"

namespace kvorum::cluster {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Of an author's versions, which follow each other.
Object object_of(NodeId author, uint64_t ms) {
  Version version;
  version.dot = {{author, 7, Hlc::from_ms(1)}, Hlc::from_ms(ms)};
  Object object;
  update(object, Context{}, version);
  return object;
}

// Where the object lies, with the digest that it is said to have.
RangeObject held(std::string key, uint64_t high, uint64_t digest, const Object& object) {
  RangeObject one;
  one.key = std::move(key);
  one.high = high;
  one.digest = digest;
  encode_object(object, one.stripped);
  return one;
}

std::string item_of(std::string_view key, uint64_t high, const Object& object) {
  std::string bytes, items;
  encode_object(object, bytes);
  put_page_item(items, {high, key, bytes});
  return items;
}

// "<key" for a pull, ">key" for a push.
std::vector<std::string> plan(const RangeObjects& own, const RangeDifferences& found,
                              const DifferingRules& rules = {}) {
  std::vector<std::string> names;
  const auto keys = differing_keys(own, found, rules);
  if (!keys) return {"nonsense"};
  for (const DifferingKey& key : *keys) names.push_back((key.pull ? "<" : ">") + key.key);
  return names;
}

RangeObjects three() {
  RangeObjects own;
  own.objects.push_back(held("a", 10, 300, object_of(1, 5)));
  own.objects.push_back(held("bare", 15, 0, {}));
  own.objects.push_back(held("b", 20, 100, object_of(1, 5)));
  own.objects.push_back(held("c", 20, 200, object_of(1, 5)));
  return own;
}

TEST(DifferingKeys, DigestsAscendAndABareVectorHasNone) {
  EXPECT_THAT(digests_of(three()), ElementsAre(100, 200, 300));
}

TEST(DifferingKeys, WhatThePeerLacksIsNamedByTheOrderOfDigests) {
  struct Case {
    std::vector<uint32_t> lacked;
    uint64_t end;
    std::vector<std::string> plan;
  };
  const std::vector<Case> cases = {
      {{}, 0, {}},
      {{0}, 0, {">b"}},
      {{1, 2}, 0, {">c", ">a"}},
      {{0, 1, 2}, 20, {">a"}},  // the peer did not look at the others yet
      {{3}, 0, {"nonsense"}},
  };
  for (const Case& one : cases) {
    EXPECT_EQ(plan(three(), {.end = one.end, .lacked = one.lacked, .items = {}}), one.plan);
  }
}

TEST(DifferingKeys, WhichWayAKeyThatBothHaveGoes) {
  struct Case {
    Object own, theirs;
    bool lww;
    std::vector<std::string> plan;
  };
  const std::vector<Case> cases = {
      {object_of(1, 5), object_of(1, 9), false, {"<k"}},
      {object_of(1, 9), object_of(1, 5), false, {">k"}},
      {object_of(1, 5), object_of(2, 9), false, {"<k"}},  // and is written back as siblings
      {object_of(1, 5), object_of(1, 5), false, {}},      // it became equal meanwhile
      {object_of(1, 5), object_of(2, 9), true, {"<k"}},
      {object_of(1, 9), object_of(2, 5), true, {">k"}},
  };
  for (const Case& one : cases) {
    RangeObjects own;
    own.objects.push_back(held("k", 10, 100, one.own));
    const std::string items = item_of("k", 10, one.theirs);
    EXPECT_EQ(plan(own, {.lacked = {0}, .items = items}, {.lww = one.lww}), one.plan);
    EXPECT_EQ(plan(own, {.lacked = {}, .items = items}, {.lww = one.lww}), one.plan);
  }
}

TEST(DifferingKeys, WhatThisNodeLacksIsPulled) {
  const std::string items = item_of("d", 20, object_of(2, 9)) + item_of("e", 30, object_of(2, 9));
  EXPECT_THAT(plan(three(), {.lacked = {}, .items = items}), ElementsAre("<d", "<e"));
}

// A node that left pulled all that came to the owners since, again and again, and had no time to
// hand over what it held (moving seed 5290).
TEST(DifferingKeys, WhoHandsOverTakesNothing) {
  const DifferingRules gives{.gives = true};
  const std::string items = item_of("a", 10, object_of(1, 9)) + item_of("b", 20, object_of(1, 3)) +
                            item_of("c", 20, object_of(2, 9)) + item_of("d", 20, object_of(2, 9));
  EXPECT_THAT(plan(three(), {.lacked = {}, .items = items}, gives), ElementsAre(">b", ">c"))
      << "a is known there and newer, d is not here";
  EXPECT_THAT(plan(three(), {.lacked = {2}, .items = {}}, gives), ElementsAre(">a"));
}

TEST(DifferingKeys, TellsHowYoungADifferenceIs) {
  RangeObjects own;
  own.objects.push_back(held("k", 10, 100, object_of(1, 5)));
  const std::string items = item_of("k", 10, object_of(2, 9));
  const auto keys = differing_keys(own, {.lacked = {}, .items = items}, {});
  ASSERT_TRUE(keys);
  ASSERT_EQ(keys->size(), 1u);
  EXPECT_EQ(keys->at(0).newest_ms, 9u);
}

TEST(DifferingKeys, WhatCannotBeReadIsNonsenseOrLeftOut) {
  EXPECT_FALSE(differing_keys(three(), {.lacked = {}, .items = "x"}, {}));
  std::string items;
  put_page_item(items, {10, "a", "no object"});
  EXPECT_THAT(plan(three(), {.lacked = {}, .items = items}), IsEmpty());
}

}  // namespace
}  // namespace kvorum::cluster

// SPDX-License-Identifier: Apache-2.0
#include "base/slot_map.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace kvorum {
namespace {

TEST(SlotMap, FindsWhatItHandedOut) {
  SlotMap<int> map;
  SlotId first = 0, second = 0;
  map.acquire(&first) = 1;
  map.acquire(&second) = 2;
  EXPECT_NE(first, second);
  EXPECT_EQ(*map.find(first), 1);
  EXPECT_EQ(*map.find(second), 2);
  EXPECT_EQ(map.used(), 2u);
}

TEST(SlotMap, ZeroAndStrangeIdsFindNothing) {
  SlotMap<int> map;
  SlotId id = 0;
  map.acquire(&id);
  EXPECT_NE(id, 0u);
  EXPECT_EQ(map.find(0), nullptr);
  EXPECT_EQ(map.find(id + 1), nullptr);
  EXPECT_EQ(map.find(~SlotId{0}), nullptr);
}

TEST(SlotMap, AnOldIdNeverFindsTheNextTenant) {
  SlotMap<int> map;
  SlotId old_id = 0, new_id = 0;
  map.acquire(&old_id) = 1;
  map.release(old_id);
  EXPECT_EQ(map.find(old_id), nullptr);
  map.acquire(&new_id) = 2;
  EXPECT_EQ(static_cast<uint32_t>(old_id), static_cast<uint32_t>(new_id)) << "the slot is reused";
  EXPECT_EQ(map.find(old_id), nullptr);
  EXPECT_EQ(*map.find(new_id), 2);
}

TEST(SlotMap, ATenantFindsTheMemoryOfTheLast) {
  SlotMap<std::string> map;
  SlotId id = 0;
  std::string& first = map.acquire(&id);
  first.assign(1000, 'x');
  const char* memory = first.data();
  map.release(id);
  EXPECT_EQ(map.acquire(&id).data(), memory);
}

TEST(SlotMap, ObjectsStayWhereTheyAreWhileThePoolGrows) {
  SlotMap<int> map;
  SlotId id = 0, other = 0;
  const int* address = &map.acquire(&id);
  for (int n = 0; n < 10000; ++n) map.acquire(&other);
  EXPECT_EQ(map.find(id), address);
}

TEST(SlotMap, ForEachVisitsWhatIsInUseAndMayReleaseIt) {
  SlotMap<int> map;
  SlotId ids[5];
  for (int n = 0; n < 5; ++n) map.acquire(&ids[n]) = n;
  map.release(ids[1]);
  std::set<int> seen;
  map.for_each([&](SlotId id, int& value) {
    EXPECT_EQ(map.find(id), &value);
    seen.insert(value);
    map.release(id);
  });
  EXPECT_EQ(seen, (std::set<int>{0, 2, 3, 4}));
  EXPECT_EQ(map.used(), 0u);
}

// ---- renew()

TEST(SlotMap, ARenewedObjectIsFoundByItsNewIdAlone) {
  SlotMap<std::string> map(5);
  SlotId before = 0, other = 0;
  std::string& object = map.acquire(&before);
  map.acquire(&other) = "other";
  object = "kept";
  const SlotId after = map.renew(before);
  EXPECT_NE(after, before);
  EXPECT_EQ(map.find(before), nullptr);
  EXPECT_EQ(map.find(after), &object) << "where it stood";
  EXPECT_EQ(object, "kept");
  EXPECT_EQ(slot_tag(after), 5);
  EXPECT_EQ(static_cast<uint32_t>(after), static_cast<uint32_t>(before));
  EXPECT_EQ(map.used(), 2u);
  EXPECT_EQ(*map.find(other), "other");
}

TEST(SlotMap, ForEachTellsTheNewestOfManyIds) {
  SlotMap<int> map;
  SlotId id = 0;
  map.acquire(&id) = 7;
  std::set<SlotId> ids{id};
  for (int time = 0; time < 100; ++time) {
    id = map.renew(id);
    EXPECT_TRUE(ids.insert(id).second) << "no id comes back";
  }
  map.for_each([&](SlotId told, int value) {
    EXPECT_EQ(told, id);
    EXPECT_EQ(value, 7);
  });
}

TEST(SlotMap, TheNextTenantHasNoneOfTheIdsOfARenewedOne) {
  SlotMap<int> map;
  SlotId first = 0, next = 0;
  map.acquire(&first);
  const SlotId second = map.renew(first);
  map.release(second);
  map.acquire(&next) = 3;
  EXPECT_NE(next, first);
  EXPECT_NE(next, second);
  EXPECT_EQ(map.find(first), nullptr);
  EXPECT_EQ(map.find(second), nullptr);
  EXPECT_EQ(*map.find(next), 3);
}

TEST(SlotMapDeathTest, OnlyWhatIsInUseIsRenewed) {
  SlotMap<int> map(1), other(2);
  SlotId id = 0, strange = 0;
  map.acquire(&id);
  other.acquire(&strange);
  const SlotId later = map.renew(id);
  EXPECT_DEATH(map.renew(id), "invariant broken") << "an id that ended";
  EXPECT_DEATH(map.renew(strange), "invariant broken");
  map.release(later);
  EXPECT_DEATH(map.renew(later), "invariant broken");
}

TEST(SlotMapDeathTest, ReleasingTwiceIsABrokenInvariant) {
  SlotMap<int> map;
  SlotId id = 0;
  map.acquire(&id);
  map.release(id);
  EXPECT_DEATH(map.release(id), "invariant broken");
}

TEST(SlotMap, IdsOfAnotherPoolFindNothing) {
  SlotMap<int> first(1), second(2), untagged;
  SlotId a = 0, b = 0, c = 0;
  first.acquire(&a) = 10;
  second.acquire(&b) = 20;
  untagged.acquire(&c) = 30;
  EXPECT_EQ(slot_tag(a), 1);
  EXPECT_EQ(slot_tag(b), 2);
  EXPECT_EQ(slot_tag(c), 0);
  EXPECT_EQ(*first.find(a), 10);
  EXPECT_EQ(first.find(b), nullptr);
  EXPECT_EQ(first.find(c), nullptr);
  EXPECT_EQ(untagged.find(a), nullptr);
  first.for_each([&](SlotId id, int) { EXPECT_EQ(id, a); });
  first.release(a);
  EXPECT_EQ(first.find(a), nullptr);
  EXPECT_EQ(*second.find(b), 20);
}

TEST(SlotMap, PoolsOfOneTagHaveTheirPartOfTheIndices) {
  SlotMap<int> first(1, {0, 3}), second(1, {1, 3}), third(1, {2, 3});
  SlotId a = 0, b = 0, c = 0;
  first.acquire(&a) = 10;
  second.acquire(&b) = 20;
  third.acquire(&c) = 30;
  EXPECT_EQ(slot_part(a, 3), 0u);
  EXPECT_EQ(slot_part(b, 3), 1u);
  EXPECT_EQ(slot_part(c, 3), 2u);
  EXPECT_EQ(slot_tag(c), 1);
  EXPECT_EQ(*third.find(c), 30);
  EXPECT_EQ(third.find(a), nullptr);
  EXPECT_EQ(first.find(c), nullptr);
  third.release(c);
  third.acquire(&c);
  EXPECT_EQ(slot_part(c, 3), 2u);
  EXPECT_EQ(slot_part(c, 1), 0u);  // of a pool that has them all
}

TEST(SlotMap, APartOfTheIndicesIsOneOfThem) {
  using Map = SlotMap<int>;
  EXPECT_DEATH(Map(1, {3, 3}), "invariant broken");
}

TEST(SlotMap, APeekFindsTheSlotWhoeverHasIt) {
  SlotMap<int> map(3);
  SlotId first = 0, later = 0;
  const int* const object = &map.acquire(&first);
  const int* seen = nullptr;
  const auto see = [&](const int& at) { seen = &at; };
  map.peek(first, see);
  EXPECT_EQ(seen, object);

  seen = nullptr;
  map.peek(first + 1, see);      // no such slot
  map.peek(first ^ ~0ULL, see);  // of another pool
  map.peek_next(see);            // none was released
  EXPECT_EQ(seen, nullptr);

  map.release(first);
  map.peek_next(see);
  EXPECT_EQ(seen, object);
  EXPECT_EQ(&map.acquire(&later), object);
  map.peek(first, see);  // of an earlier tenant: its address is the same
  EXPECT_EQ(seen, object);
}

}  // namespace
}  // namespace kvorum

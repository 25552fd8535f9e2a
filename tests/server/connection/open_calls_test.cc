// SPDX-License-Identifier: Apache-2.0
#include "server/connection/open_calls.h"

#include <gtest/gtest.h>

namespace kvorum::server {
namespace {

Plan plan_of(size_t keys) {
  Plan plan;
  for (size_t i = 0; i < keys; ++i) plan.read("key", nullptr);
  plan.gather = Gather::kArray;
  return plan;
}

TEST(OpenCalls, ATagThatComesTooLateFindsNothing) {
  OpenCalls calls;
  CallShape shape;
  shape.place = 7;
  SlotId id = 0, next = 0;
  Call& call = calls.open(shape, &id);
  EXPECT_EQ(call.place, 7u);
  call.registered = true;
  call.reserved_bytes = 9;
  calls.release(id, call);
  EXPECT_EQ(calls.find(id), nullptr);
  EXPECT_EQ(calls.count(), 0u);

  Call& other = calls.open(CallShape(), &next);  // in the same slot
  EXPECT_FALSE(other.registered);
  EXPECT_EQ(other.reserved_bytes, 0u);
  EXPECT_EQ(calls.find(id), nullptr);
  EXPECT_EQ(calls.find(next), &other);
}

TEST(OpenCalls, LargeTextsAreGivenBackWithTheCall) {
  OpenCalls calls;
  SlotId id = 0;
  Call& call = calls.open(CallShape(), &id);
  call.remembered.gathered.assign(1 << 20, 'x');
  calls.release(id, call);
  EXPECT_LT(calls.open(CallShape(), &id).strings_capacity(), 1024u);
}

TEST(OpenCalls, AGatheringTakesWhatThePlanRemembers) {
  OpenCalls calls;
  Plan plan = plan_of(3);
  plan.remembered.number = 42;
  SlotId id = 0;
  Gathering& gathering = calls.open_gathering(plan, &id);
  EXPECT_EQ(gathering.remaining, 3u);
  EXPECT_EQ(gathering.remembered.number, 42);
  EXPECT_TRUE(gathering.concatenates());
  EXPECT_EQ(calls.find_gathering(id), &gathering);
  EXPECT_EQ(calls.find_gathering(0), nullptr);
  gathering.failed = true;
  gathering.error = "an error";
  gathering.remaining = 0;
  calls.release_gathering(id, gathering);

  Gathering& next = calls.open_gathering(plan, &id);  // in the same slot
  EXPECT_FALSE(next.failed);
  EXPECT_EQ(next.error, "");
}

TEST(OpenCalls, WhatWasNotSentIsNotAwaitedOnceTheClientWent) {
  OpenCalls calls;
  Plan plan = plan_of(5);
  Unsent unsent;
  Gathering& gathering = calls.open_gathering(plan, &unsent.gathering);
  unsent.first = 2;
  calls.drop_unsent(unsent);
  EXPECT_EQ(gathering.remaining, 2u);

  Unsent all;
  calls.open_gathering(plan, &all.gathering);
  calls.drop_unsent(all);  // nothing of it was sent
  EXPECT_EQ(calls.find_gathering(all.gathering), nullptr);
  calls.drop_unsent(Unsent());  // there was no such command
  EXPECT_EQ(calls.count(), 1u);
}

}  // namespace
}  // namespace kvorum::server

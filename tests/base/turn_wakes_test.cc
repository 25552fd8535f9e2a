// SPDX-License-Identifier: Apache-2.0
#include "base/turn_wakes.h"

#include <gtest/gtest.h>

#include <optional>
#include <thread>

namespace kvorum {
namespace {

void count(void* counter) { ++*static_cast<int*>(counter); }

TEST(TurnWakes, WithoutTurnsNothingIsKept) {
  int woken = 0;
  EXPECT_FALSE(TurnWakes::keep(&count, &woken));
  TurnWakes::give();
  EXPECT_EQ(woken, 0);
}

TEST(TurnWakes, EachIsGivenOnceAtTheEndOfATurn) {
  int objects = 0, hints = 0, third = 0;
  const TurnWakes turns;
  for (int time = 0; time < 3; ++time) {
    EXPECT_TRUE(TurnWakes::keep(&count, &objects));
    EXPECT_TRUE(TurnWakes::keep(&count, &hints));
    EXPECT_TRUE(TurnWakes::keep(&count, &third));
  }
  EXPECT_EQ(objects, 0);
  TurnWakes::give();
  TurnWakes::give();
  EXPECT_EQ(objects, 1);
  EXPECT_EQ(hints, 1);
  EXPECT_EQ(third, 1);
  EXPECT_TRUE(TurnWakes::keep(&count, &objects));
  TurnWakes::give();
  EXPECT_EQ(objects, 2);
}

TEST(TurnWakes, WhatIsKeptIsGivenWhenTurnsEnd) {
  int woken = 0;
  std::optional<TurnWakes> turns(std::in_place);
  EXPECT_TRUE(TurnWakes::keep(&count, &woken));
  turns.reset();
  EXPECT_EQ(woken, 1);
  EXPECT_FALSE(TurnWakes::keep(&count, &woken));
}

TEST(TurnWakes, TurnsAreOfOneThread) {
  const TurnWakes turns;
  int woken = 0;
  bool kept = true;
  std::thread other([&] { kept = TurnWakes::keep(&count, &woken); });
  other.join();
  EXPECT_FALSE(kept);
}

}  // namespace
}  // namespace kvorum

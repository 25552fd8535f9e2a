// SPDX-License-Identifier: Apache-2.0
#include "base/function_ref.h"

#include <gtest/gtest.h>

#include <memory>

namespace kvorum {
namespace {

int apply(FunctionRef<int(int)> function, int argument) { return function(argument); }

TEST(FunctionRef, CallsLambdasWithAndWithoutState) {
  int calls = 0;
  auto counting = [&calls](int value) mutable { return value + ++calls; };
  EXPECT_EQ(apply(counting, 10), 11);
  EXPECT_EQ(apply(counting, 10), 12);
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(apply([](int value) { return -value; }, 3), -3);
}

TEST(FunctionRef, ACopyCallsTheSameObject) {
  int calls = 0;
  auto count = [&] { ++calls; };
  const FunctionRef<void()> first(count);
  const FunctionRef<void()> second(first);
  first();
  second();
  EXPECT_EQ(calls, 2);
}

TEST(FunctionRef, PassesWhatCanOnlyBeMoved) {
  auto take = [](std::unique_ptr<int> value) { return *value; };
  const FunctionRef<int(std::unique_ptr<int>)> function(take);
  EXPECT_EQ(function(std::make_unique<int>(5)), 5);
}

}  // namespace
}  // namespace kvorum

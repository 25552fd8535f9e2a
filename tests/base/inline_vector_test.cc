// SPDX-License-Identifier: Apache-2.0
#include "base/inline_vector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace kvorum {
namespace {

using Numbers = InlineVector<int, 2>;
using testing::ElementsAre;

Numbers numbers(int size) {
  Numbers made;
  for (int n = 0; n < size; ++n) made.push_back(n);
  return made;
}
std::vector<int> list(const Numbers& vector) { return {vector.begin(), vector.end()}; }
bool stands_inside(const Numbers& vector) {
  const auto* object = reinterpret_cast<const unsigned char*>(&vector);
  const auto* first = reinterpret_cast<const unsigned char*>(vector.begin());
  return first >= object && first < object + sizeof(Numbers);
}

TEST(InlineVector, LeavesTheObjectOnlyWhenItMust) {
  EXPECT_TRUE(numbers(0).empty());
  EXPECT_TRUE(stands_inside(numbers(2)));
  EXPECT_FALSE(stands_inside(numbers(3)));
}

TEST(InlineVector, KeepsItsElementsWhileItGrows) {
  const Numbers many = numbers(1000);
  ASSERT_EQ(many.size(), 1000u);
  for (size_t n = 0; n < many.size(); ++n) EXPECT_EQ(many[n], static_cast<int>(n));
  EXPECT_EQ(many.back(), 999);
}

TEST(InlineVector, TakesAnElementOfItsOwn) {
  Numbers vector = numbers(2);
  vector.push_back(vector[1]);  // moves to the heap while the argument stands inside
  EXPECT_THAT(list(vector), ElementsAre(0, 1, 1));
}

TEST(InlineVector, ErasesInOrder) {
  Numbers vector = numbers(4);
  vector.erase_at(1);
  EXPECT_THAT(list(vector), ElementsAre(0, 2, 3));
  vector.erase_at(2);
  EXPECT_THAT(list(vector), ElementsAre(0, 2));
  vector.pop_back();
  EXPECT_THAT(list(vector), ElementsAre(0));
  vector.clear();
  EXPECT_TRUE(vector.empty());
}

TEST(InlineVector, CopiesAreIndependent) {
  for (const int size : {0, 1, 2, 3, 20}) {
    const Numbers original = numbers(size);
    Numbers copy(original);
    Numbers assigned = numbers(5);
    assigned = original;
    copy.push_back(77);
    assigned.push_back(78);
    EXPECT_EQ(original.size(), static_cast<size_t>(size));
    EXPECT_EQ(copy.back(), 77);
    EXPECT_EQ(assigned.back(), 78);
    EXPECT_EQ(std::vector<int>(copy.begin(), copy.end() - 1),
              std::vector<int>(original.begin(), original.end()));
  }
}

TEST(InlineVector, MovesLeaveAnEmptyVectorThatWorks) {
  for (const int size : {1, 2, 3, 20}) {
    Numbers source = numbers(size);
    Numbers moved(std::move(source));
    EXPECT_EQ(moved.size(), static_cast<size_t>(size));
    EXPECT_TRUE(source.empty());  // NOLINT: the state after a move is part of the contract
    source.push_back(5);          // NOLINT: likewise
    EXPECT_THAT(list(source), ElementsAre(5));
    source = std::move(moved);
    EXPECT_EQ(source.size(), static_cast<size_t>(size));
    EXPECT_EQ(source.back(), size - 1);
  }
}

TEST(InlineVector, SurvivesAssignmentToItself) {
  Numbers vector = numbers(3);
  const Numbers& same = vector;
  vector = same;
  EXPECT_THAT(list(vector), ElementsAre(0, 1, 2));
}

TEST(InlineVector, ExtendsByElementsThatAreFilledInPlace) {
  struct Pair {
    int first = 7, second = 8;
  };
  InlineVector<Pair, 1> pairs;
  pairs.extend().first = 1;
  Pair& last = pairs.extend();
  EXPECT_EQ(last.first, 7);
  EXPECT_EQ(last.second, 8);
  last.second = 2;
  ASSERT_EQ(pairs.size(), 2u);
  EXPECT_EQ(pairs[0].first, 1);
  EXPECT_EQ(pairs.back().second, 2);
}

}  // namespace
}  // namespace kvorum

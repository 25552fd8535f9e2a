// SPDX-License-Identifier: Apache-2.0
#include "cluster/repair/tree_descent.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <numeric>

namespace kvorum::cluster {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Partition 5 of 16.
constexpr PartitionStart kStart{uint64_t{5} << 60, 4};

// Descends trees that differ in these leaves alone; what is asked at each question is appended.
std::vector<Stretch> stretches_of(TreeDescent& descent, int depth,
                                  const std::vector<uint64_t>& leaves,
                                  std::vector<TreeNodes>* questions = nullptr) {
  while (!descent.at_leaves()) {
    TreeNodes question;
    if (!descent.next(&question)) break;
    if (questions) questions->push_back(question);
    std::vector<uint64_t> own, theirs;
    for (const uint64_t parent : question.parents) {
      for (uint64_t child = parent << question.fan; child < (parent + 1) << question.fan; ++child) {
        const bool differs = std::any_of(leaves.begin(), leaves.end(), [&](uint64_t leaf) {
          return leaf >> (depth - question.level) == child;
        });
        own.push_back(child);
        theirs.push_back(child + differs);
      }
    }
    EXPECT_TRUE(descent.compare(own, theirs));
  }
  EXPECT_TRUE(descent.at_leaves());
  return descent.take_stretches(kStart);
}

// As numbers of leaves; the end of the partition is the number of all.
std::vector<std::pair<uint64_t, uint64_t>> leaves_of(const std::vector<Stretch>& stretches,
                                                     int depth) {
  const int shift = 60 - depth;
  std::vector<std::pair<uint64_t, uint64_t>> leaves;
  for (const Stretch& stretch : stretches) {
    const uint64_t end =
        stretch.end == 0 ? uint64_t{1} << depth : (stretch.end - kStart.high) >> shift;
    leaves.emplace_back((stretch.from - kStart.high) >> shift, end);
  }
  return leaves;
}

TEST(TreeDescent, TreesWithoutLevelsAreOneStretchAtOnce) {
  TreeDescent descent;
  descent.begin(0);
  EXPECT_TRUE(descent.at_leaves());
  EXPECT_FALSE(descent.ended());
  EXPECT_THAT(descent.take_stretches(kStart), ElementsAre(Stretch{kStart.high, 0}));
  EXPECT_TRUE(descent.ended());
  EXPECT_THAT(descent.take_stretches(kStart), IsEmpty()) << "they are taken once";
}

TEST(TreeDescent, OfOnePartitionAloneTheWholeRingIsOneStretch) {
  TreeDescent descent;
  descent.begin(0);
  EXPECT_THAT(descent.take_stretches({0, 0}), ElementsAre(Stretch{0, 0}));
}

TEST(TreeDescent, LeavesThatDifferBecomeStretches) {
  using Leaves = std::vector<std::pair<uint64_t, uint64_t>>;
  struct Case {
    int depth;
    std::vector<uint64_t> differing;
    Leaves stretches;
  };
  std::vector<uint64_t> twenty(20);
  std::iota(twenty.begin(), twenty.end(), 10);
  const std::vector<Case> cases = {
      {1, {}, {}},
      {1, {1}, {{1, 2}}},
      {5, {0, 2, 3, 31}, {{0, 1}, {2, 4}, {31, 32}}},
      {6, {13, 34}, {{13, 14}, {34, 35}}},
      {5, twenty, {{10, 18}, {18, 26}, {26, 30}}},
      {9, {511}, {{511, 512}}},
  };
  for (const Case& one : cases) {
    TreeDescent descent;
    descent.begin(one.depth);
    EXPECT_EQ(leaves_of(stretches_of(descent, one.depth, one.differing), one.depth), one.stretches);
    EXPECT_TRUE(descent.ended());
  }
}

TEST(TreeDescent, AsksAFewLevelsAtATimeAndOnlyBelowWhatDiffers) {
  TreeDescent descent;
  descent.begin(6);
  std::vector<TreeNodes> questions;
  stretches_of(descent, 6, {13, 34}, &questions);
  ASSERT_EQ(questions.size(), 2u);
  EXPECT_EQ(questions[0].level, 4);
  EXPECT_EQ(questions[0].fan, kTreeFanMax);
  EXPECT_THAT(questions[0].parents, ElementsAre(0));
  EXPECT_EQ(questions[1].level, 6);
  EXPECT_EQ(questions[1].fan, 2);
  EXPECT_THAT(questions[1].parents, ElementsAre(3, 8));
}

TEST(TreeDescent, SoManyParentsInOneQuestion) {
  constexpr int kDepth = 13;
  std::vector<uint64_t> all(size_t{1} << kDepth);
  std::iota(all.begin(), all.end(), 0);
  TreeDescent descent;
  descent.begin(kDepth);
  std::vector<TreeNodes> questions;
  const auto stretches = stretches_of(descent, kDepth, all, &questions);
  EXPECT_EQ(stretches.size(), all.size() / TreeDescent::kLeavesPerStretchMax);
  size_t of_last_level = 0;
  for (const TreeNodes& question : questions) {
    EXPECT_LE(question.parents.size(), kTreeParentsMax);
    of_last_level += question.level == kDepth;
  }
  EXPECT_EQ(of_last_level, (size_t{1} << (kDepth - 1)) / kTreeParentsMax);
}

TEST(TreeDescent, AnotherNumberOfNodesIsNotCompared) {
  TreeDescent descent;
  descent.begin(1);
  TreeNodes question;
  ASSERT_TRUE(descent.next(&question));
  const std::vector<uint64_t> own{1, 2}, theirs{1, 2, 3};
  EXPECT_FALSE(descent.compare(own, theirs));
}

TEST(TreeDescent, BegunAnewItKnowsNothingOfBefore) {
  TreeDescent descent;
  descent.begin(9);
  TreeNodes question;
  ASSERT_TRUE(descent.next(&question));
  descent.begin(2);
  EXPECT_EQ(leaves_of(stretches_of(descent, 2, {3}), 2),
            (std::vector<std::pair<uint64_t, uint64_t>>{{3, 4}}));
}

TEST(TreeDescent, StoppedItAsksNothing) {
  TreeDescent descent;
  descent.begin(9);
  descent.stop();
  EXPECT_TRUE(descent.ended());
  TreeNodes question;
  EXPECT_FALSE(descent.next(&question));
}

}  // namespace
}  // namespace kvorum::cluster

// SPDX-License-Identifier: Apache-2.0
// What counts toward R.
#include "cluster/request/get_machine.h"

#include <gtest/gtest.h>

#include "tests/cluster/test_cluster.h"

namespace kvorum::cluster {
namespace {

using Progress = GetMachine::Progress;
using State = Target::State;

// A read of R = 3 at node 0, five nodes, three copies: of 0, 1 and 2; 3 and 4 are fallbacks.
class ReadProgress : public testing::Test {
 protected:
  ReadProgress() { operation_.begin(Operation::Kind::kGet, {}); }

  Progress progress(uint8_t needed, std::initializer_list<Target> targets) {
    operation_.needed = needed;
    operation_.targets.clear();
    for (const Target& target : targets) operation_.targets.push_back(target);
    return gets_.progress(operation_);
  }
  static Target primary(MemberIndex member, State state) {
    return {.member = member, .state = state};
  }
  static Target fallback(MemberIndex member, MemberIndex stands_for, State state) {
    return {.member = member, .stands_for = stands_for, .state = state};
  }

  TestCluster cluster_{5};
  Core core_{cluster_.nodes[0]->parts(), cluster_.view, {}, 1};
  ReadRepair repairs_{core_};
  GetMachine gets_{core_, repairs_};
  Operation operation_;
};

TEST_F(ReadProgress, APrimaryAndItsStandInAreOneVote) {
  const Target own = primary(0, State::kAnswered);
  const Target slow = primary(1, State::kAnswered);
  const Target late = primary(2, State::kWaiting);
  EXPECT_EQ(progress(3, {own, slow, late, fallback(3, 1, State::kAnswered)}), Progress::kWaiting);
  EXPECT_EQ(progress(2, {own, slow, late, fallback(3, 1, State::kAnswered)}), Progress::kDone);
  EXPECT_EQ(progress(3, {own, fallback(3, 1, State::kAnswered), late, slow}), Progress::kWaiting)
      << "whoever answered first";
}

TEST_F(ReadProgress, AStandInWithoutAHintIsNoSecondVoteEither) {
  const Target own = primary(0, State::kAnswered);
  const Target hedged = primary(1, State::kAnswered);
  Target silent = primary(2, State::kWaiting);
  silent.replaced = true;  // so that stand-ins without hints count
  EXPECT_EQ(progress(3, {own, silent, fallback(3, 1, State::kWeak), hedged}), Progress::kWaiting);
  EXPECT_EQ(progress(3, {own, silent, fallback(3, 2, State::kWeak), hedged}), Progress::kDone);
  EXPECT_EQ(progress(3, {own, silent, fallback(3, 1, State::kWeak), fallback(4, 1, State::kWeak)}),
            Progress::kWaiting);
}

TEST_F(ReadProgress, ASuspectedPrimaryThatWasHedgedHoldsNothingUp) {
  Target hedged = primary(1, State::kWaiting);
  hedged.replaced = true;
  EXPECT_EQ(progress(2, {primary(0, State::kAnswered), fallback(3, 1, State::kWeak),
                         primary(2, State::kFailed), hedged}),
            Progress::kDone)
      << "as without it";
}

}  // namespace
}  // namespace kvorum::cluster

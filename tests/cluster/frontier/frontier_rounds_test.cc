// SPDX-License-Identifier: Apache-2.0
#include "cluster/frontier/frontier_rounds.h"

#include <gtest/gtest.h>

namespace kvorum::cluster {
namespace {

constexpr uint64_t kHash = 77;

struct Three {
  FrontierRounds a{{1, 2, 3}, 1, 100}, b{{1, 2, 3}, 2, 200}, c{{1, 2, 3}, 3, 300};

  static void tell(const FrontierRounds& from, FrontierRounds& to) {
    std::string bytes;
    from.encode(bytes);
    EXPECT_TRUE(to.merge_encoded(bytes));
  }
  void tell_all() {
    for (int pass = 0; pass < 2; ++pass) {
      for (FrontierRounds* from : {&a, &b, &c}) {
        for (FrontierRounds* to : {&a, &b, &c}) tell(*from, *to);
      }
    }
  }
  void report_all(uint64_t least_a, uint64_t least_b, uint64_t least_c) {
    a.report(kHash, Hlc{least_a});
    b.report(kHash, Hlc{least_b});
    c.report(kHash, Hlc{least_c});
  }
};

TEST(FrontierRounds, NothingEndsBeforeAllReported) {
  Three nodes;
  EXPECT_FALSE(nodes.a.ended());
  nodes.a.report(kHash, Hlc{5});
  nodes.b.report(kHash, Hlc{6});
  nodes.tell_all();
  EXPECT_FALSE(nodes.a.ended());
  EXPECT_EQ(nodes.a.awaited(), std::vector<NodeId>{3});
}

TEST(FrontierRounds, ARoundGivesTheLeastOfWhatWasReported) {
  Three nodes;
  nodes.report_all(7, 5, 9);
  nodes.tell_all();
  for (const FrontierRounds* node : {&nodes.a, &nodes.b, &nodes.c}) {
    const auto ended = node->ended();
    ASSERT_TRUE(ended);
    EXPECT_TRUE(ended->agreed);
    EXPECT_EQ(ended->least, Hlc{5});
  }
}

// What an earlier run vouched for is heard from the others, before it reports anything.
TEST(FrontierRounds, ANewRunLearnsWhatTheOneBeforeVouchedFor) {
  Three nodes;
  nodes.report_all(7, 5, 9);
  nodes.tell_all();
  nodes.report_all(17, 15, 19);
  nodes.tell_all();
  FrontierRounds again{{1, 2, 3}, 1, 101};
  EXPECT_EQ(again.vouched_before(), Hlc{});
  Three::tell(nodes.b, again);
  EXPECT_EQ(again.vouched_before(), Hlc{17});
  EXPECT_EQ(nodes.a.vouched_before(), Hlc{});
}

TEST(FrontierRounds, DifferentBeliefsDoNotAgree) {
  Three nodes;
  nodes.a.report(kHash, Hlc{7});
  nodes.b.report(kHash + 1, Hlc{7});
  nodes.c.report(kHash, Hlc{7});
  nodes.tell_all();
  ASSERT_TRUE(nodes.a.ended());
  EXPECT_FALSE(nodes.a.ended()->agreed);
}

// Whoever goes first into the next round keeps its report of the round that others still judge.
TEST(FrontierRounds, ARoundIsJudgedAfterOthersWentOn) {
  Three nodes;
  nodes.report_all(7, 5, 9);
  nodes.tell_all();
  nodes.b.report(kHash, Hlc{50});
  Three::tell(nodes.b, nodes.a);
  ASSERT_TRUE(nodes.a.ended());
  EXPECT_EQ(nodes.a.ended()->least, Hlc{5});
}

TEST(FrontierRounds, OldNewsChangeNothing) {
  Three nodes;
  nodes.report_all(7, 5, 9);
  std::string old;
  nodes.b.encode(old);
  nodes.tell_all();
  nodes.b.report(kHash, Hlc{50});
  Three::tell(nodes.b, nodes.a);
  EXPECT_TRUE(nodes.a.merge_encoded(old));
  std::string before, after;
  nodes.a.encode(before);
  EXPECT_TRUE(nodes.a.merge_encoded(old));
  nodes.a.encode(after);
  EXPECT_EQ(before, after);
}

// A member that lost everything finds its rounds again in what the others remember, and vouches for
// none of them.
TEST(FrontierRounds, ANewRunGoesOnAndVouchesForNothing) {
  Three nodes;
  for (int round = 0; round < 3; ++round) {
    nodes.report_all(7, 5, 9);
    nodes.tell_all();
  }
  FrontierRounds reborn({1, 2, 3}, 1, 101);
  Three::tell(nodes.b, reborn);
  EXPECT_EQ(reborn.round(), 3u);
  EXPECT_EQ(reborn.run(), 101u);
  Three::tell(reborn, nodes.b);
  EXPECT_EQ(nodes.b.run_of(1), 101u);
  ASSERT_TRUE(nodes.b.ended());
  EXPECT_FALSE(nodes.b.ended()->agreed);

  nodes.a = reborn;
  nodes.report_all(0, 50, 50);
  nodes.tell_all();
  ASSERT_TRUE(nodes.c.ended());
  EXPECT_TRUE(nodes.c.ended()->agreed);
  EXPECT_EQ(nodes.c.ended()->least, Hlc{});
}

// Its earlier run, heard of again later, does not come back.
TEST(FrontierRounds, AnEarlierRunIsOutranked) {
  Three nodes;
  nodes.report_all(7, 5, 9);
  nodes.tell_all();
  std::string old;
  nodes.c.encode(old);
  FrontierRounds reborn({1, 2, 3}, 1, 101);
  Three::tell(nodes.b, reborn);
  Three::tell(reborn, nodes.b);
  EXPECT_TRUE(nodes.b.merge_encoded(old));
  EXPECT_EQ(nodes.b.run_of(1), 101u);
}

TEST(FrontierRounds, AFailedStoreBeginsARun) {
  Three nodes;
  nodes.report_all(7, 5, 9);
  nodes.tell_all();
  nodes.a.begin_run(102);
  ASSERT_TRUE(nodes.a.ended());
  EXPECT_EQ(nodes.a.ended()->least, Hlc{});
  nodes.tell_all();
  EXPECT_EQ(nodes.c.run_of(1), 102u);
  ASSERT_TRUE(nodes.c.ended());
  EXPECT_FALSE(nodes.c.ended()->agreed);
}

TEST(FrontierRounds, OnlyWhatTheOtherLacksIsTold) {
  Three nodes;
  nodes.tell_all();
  nodes.a.report(kHash, Hlc{5});
  std::string theirs, newer;
  nodes.b.encode(theirs);
  EXPECT_TRUE(nodes.a.encode_newer(theirs, newer));
  std::string own;
  const NodeId self[] = {1};
  nodes.a.encode_of(self, own);
  EXPECT_EQ(newer, own);
  EXPECT_NE(nodes.a.digest(), nodes.b.digest());
  EXPECT_TRUE(nodes.b.merge_encoded(newer));
  EXPECT_EQ(nodes.a.digest(), nodes.b.digest());
  EXPECT_TRUE(nodes.b.is_behind());
  EXPECT_FALSE(nodes.a.is_behind());
  theirs.clear();
  newer.clear();
  nodes.b.encode(theirs);
  EXPECT_TRUE(nodes.a.encode_newer(theirs, newer));
  EXPECT_EQ(newer, "");
  EXPECT_FALSE(nodes.a.encode_newer("x", newer));
}

// It has to hear what its run before this one vouched for, though its own entry is the newer one.
TEST(FrontierRounds, ANewRunIsToldOfTheOneBefore) {
  Three nodes;
  nodes.report_all(7, 5, 9);
  nodes.tell_all();
  FrontierRounds again{{1, 2, 3}, 1, 101};
  again.begin_run(102);  // a higher sequence
  again.begin_run(103);
  std::string theirs, newer;
  again.encode(theirs);
  EXPECT_TRUE(nodes.b.encode_newer(theirs, newer));
  EXPECT_TRUE(again.merge_encoded(newer));
  EXPECT_EQ(again.vouched_before(), Hlc{7});
}

TEST(FrontierRounds, TheOrderOfTheMembersDoesNotMatter) {
  const FrontierRounds one{{1, 2, 3}, 2, 9}, other{{3, 2, 1}, 2, 9};
  EXPECT_EQ(one.digest(), other.digest());
}

TEST(FrontierRounds, MalformedBytesAreRefused) {
  Three nodes;
  nodes.report_all(7, 5, 9);
  std::string bytes;
  nodes.b.encode(bytes);
  bytes.pop_back();
  EXPECT_FALSE(nodes.a.merge_encoded(bytes));
  EXPECT_FALSE(nodes.a.merge_encoded("x"));
  EXPECT_TRUE(nodes.a.merge_encoded(""));
}

TEST(FrontierRounds, StrangersAreIgnored) {
  Three nodes;
  FrontierRounds stranger({9}, 9, 900);
  stranger.report(kHash, Hlc{1});
  Three::tell(stranger, nodes.a);
  EXPECT_EQ(nodes.a.run_of(9), 0u);
}

}  // namespace
}  // namespace kvorum::cluster

// SPDX-License-Identifier: Apache-2.0
#include "cluster/copies/claims.h"

#include <gtest/gtest.h>

#include <thread>

namespace kvorum::cluster {
namespace {

constexpr MemberIndex kA = 0, kB = 1;
constexpr uint64_t kNow = 5'000'000'000;  // milliseconds: above what 32 bits hold
const Position kHere{0x1234'5678'9abc'def0, 1};
const Position kThere{0xf234'5678'9abc'def0, 1};

MemberIndex take(Claims& claims, MemberIndex member, uint64_t now_ms = kNow) {
  return claims.take(kHere, {member, now_ms, now_ms + 100});
}

TEST(Claims, AreOneNodesAtATime) {
  Claims claims;
  EXPECT_EQ(claims.holder(kHere, kNow), kNoMember);
  EXPECT_EQ(take(claims, kA), kNoMember);
  EXPECT_EQ(take(claims, kB), kA);
  EXPECT_EQ(claims.holder(kHere, kNow), kA);
  claims.release(kHere, kA);
  EXPECT_EQ(take(claims, kB), kNoMember);
}

TEST(Claims, OfOneNodeAreCounted) {
  Claims claims;
  take(claims, kA);
  take(claims, kA);
  claims.release(kHere, kA);
  EXPECT_EQ(take(claims, kB), kA);
  claims.release(kHere, kA);
  EXPECT_EQ(take(claims, kB), kNoMember);
}

TEST(Claims, AreNotEndedByAnother) {
  Claims claims;
  claims.release(kHere, kB);
  take(claims, kA);
  claims.release(kHere, kB);
  EXPECT_EQ(claims.holder(kHere, kNow), kA);
}

TEST(Claims, EndWithTheirTimeWhateverWasCounted) {
  Claims claims;
  take(claims, kA);
  take(claims, kA, kNow + 50);
  EXPECT_EQ(claims.holder(kHere, kNow + 149), kA);
  EXPECT_EQ(claims.holder(kHere, kNow + 150), kNoMember);
  EXPECT_EQ(take(claims, kB, kNow + 150), kNoMember);
  claims.release(kHere, kB);
  EXPECT_EQ(claims.holder(kHere, kNow + 151), kNoMember) << "the two of before are forgotten";
}

TEST(Claims, OfDifferentStretchesAreDifferent) {
  Claims claims;
  take(claims, kA);
  EXPECT_EQ(claims.take(kThere, {kB, kNow, kNow + 100}), kNoMember);
}

TEST(Claims, AContestIsOverAfterAWhile) {
  Claims claims;
  EXPECT_FALSE(claims.contested(kHere, kNow));
  claims.note_contest(kHere, kNow + 10);
  EXPECT_TRUE(claims.contested(kHere, kNow + 9));
  EXPECT_FALSE(claims.contested(kHere, kNow + 10));
  EXPECT_FALSE(claims.contested(kThere, kNow));
}

TEST(Claims, ManyThreadsNeverShareOne) {
  Claims claims;
  std::atomic<int> inside{0};
  std::atomic<bool> shared{false};
  const auto work = [&](MemberIndex member) {
    for (int round = 0; round < 20'000; ++round) {
      if (take(claims, member) != kNoMember) continue;
      if (inside.fetch_add(1) != 0) shared = true;
      inside.fetch_sub(1);
      claims.release(kHere, member);
    }
  };
  std::thread one(work, kA);
  std::thread other(work, kB);
  one.join();
  other.join();
  EXPECT_FALSE(shared);
  EXPECT_EQ(claims.holder(kHere, kNow), kNoMember);
}

}  // namespace
}  // namespace kvorum::cluster

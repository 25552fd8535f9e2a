// SPDX-License-Identifier: Apache-2.0
#include "cluster/health/peer_health.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace kvorum::cluster {
namespace {

constexpr uint64_t kMs = 1000;
constexpr uint64_t kSecond = 1'000'000;

// Peers 1 to 4 of node 0, linked; time by hand.
class PeerHealthTest : public ::testing::Test {
 protected:
  PeerHealthTest() {
    health_.resize(5, 0, 0);
    for (MemberIndex peer = 1; peer < 5; ++peer) health_.set_linked(peer, true, now_us_);
  }

  void silence(MemberIndex peer) {
    const uint64_t asked_us = now_us_;
    now_us_ += 250 * kMs;
    health_.timed_out(peer, asked_us, now_us_);
  }
  void answer(MemberIndex peer, uint64_t latency_us) {
    health_.answered(peer, {Ask::kRead, now_us_ - latency_us}, now_us_);
  }
  // Lets time pass; probes of those in `living` are answered at once.
  size_t pass(uint64_t time_us, const std::vector<MemberIndex>& living, MemberIndex counted) {
    size_t probes = 0;
    for (const uint64_t end_us = now_us_ + time_us; now_us_ < end_us; now_us_ += 10 * kMs) {
      std::vector<MemberIndex> asked;
      health_.on_time(now_us_, [&](MemberIndex peer) { asked.push_back(peer); });
      for (const MemberIndex peer : asked) {
        probes += peer == counted;
        if (std::find(living.begin(), living.end(), peer) == living.end()) continue;
        health_.probe_answered(peer, now_us_, now_us_);
      }
    }
    return probes;
  }

  Rng rng_{7};
  PeerHealth health_{rng_};
  uint64_t now_us_ = 100 * kSecond;
};

TEST_F(PeerHealthTest, WhoStopsIsAskedNothingUntilItsLinkComesUpAnew) {
  health_.set_stopping(1, now_us_);
  EXPECT_FALSE(health_.healthy(1));
  EXPECT_FALSE(health_.linked(1));
  EXPECT_EQ(health_.state(1), PeerState::kDown);
  EXPECT_TRUE(health_.report(1).stopping);
  answer(1, 1 * kMs);  // of what it was asked before
  EXPECT_FALSE(health_.healthy(1));
  EXPECT_EQ(pass(5 * kSecond, {2, 3, 4}, 1), 0u);
  health_.set_linked(1, false, now_us_);
  EXPECT_FALSE(health_.report(1).stopping);
  health_.set_linked(1, true, now_us_);
  EXPECT_TRUE(health_.healthy(1));
}

TEST_F(PeerHealthTest, OneWithoutALinkToThisNodeIsAskedAllTheSame) {
  EXPECT_TRUE(health_.linked_both_ways(1));
  const uint64_t before = health_.generation();
  health_.set_one_way(1, true, now_us_);
  EXPECT_GT(health_.generation(), before);
  EXPECT_TRUE(health_.healthy(1));
  EXPECT_FALSE(health_.linked_both_ways(1));
  EXPECT_TRUE(health_.report(1).one_way);
  health_.set_one_way(1, false, now_us_);
  EXPECT_TRUE(health_.linked_both_ways(1));
}

TEST_F(PeerHealthTest, ThreeSilencesInARowAreSuspicionAndAnAnswerBetweenIsNone) {
  silence(1);
  silence(1);
  answer(1, 1 * kMs);
  silence(1);
  silence(1);
  EXPECT_TRUE(health_.healthy(1));
  EXPECT_EQ(health_.state(1), PeerState::kUp);
  silence(1);
  EXPECT_FALSE(health_.healthy(1));
  EXPECT_EQ(health_.state(1), PeerState::kSuspected);
  EXPECT_EQ(health_.report(1).since_us, now_us_);
  EXPECT_EQ(health_.report(1).timeouts, 5u);
  EXPECT_TRUE(health_.healthy(2)) << "the others are not concerned";
  answer(1, 900 * kMs);
  EXPECT_TRUE(health_.healthy(1));
}

TEST_F(PeerHealthTest, WhoAnswersOlderQuestionsIsLateAndNotDead) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t asked_us = now_us_;
    now_us_ += 250 * kMs;
    health_.heard(1, now_us_ - 10 * kMs);
    health_.timed_out(1, asked_us, now_us_);
  }
  EXPECT_TRUE(health_.healthy(1));
  EXPECT_EQ(health_.report(1).timeouts, 10u);
}

TEST_F(PeerHealthTest, QuestionsFromBeforeAnOwnStallSayNothing) {
  const uint64_t asked_us = now_us_;
  now_us_ += 3 * kSecond;
  health_.stalled(now_us_);
  for (int question = 0; question < 5; ++question) health_.timed_out(1, asked_us, now_us_);
  EXPECT_TRUE(health_.healthy(1));
  for (int question = 0; question < 3; ++question) silence(1);
  EXPECT_FALSE(health_.healthy(1));
}

TEST_F(PeerHealthTest, ASuspectedPeerIsClearedByAProbeWithoutAnyRequest) {
  for (int question = 0; question < 3; ++question) silence(1);
  pass(PeerHealth::kRetryFirstUs * 2, {1, 2, 3, 4}, 1);
  EXPECT_TRUE(health_.healthy(1));
  EXPECT_EQ(health_.report(1).suspicions, 1u);
}

TEST_F(PeerHealthTest, ProbesOfASuspectedPeerAreEverMoreSeldomUpToABound) {
  for (int question = 0; question < 3; ++question) silence(1);
  const size_t at_first = pass(3 * kSecond, {2, 3, 4}, 1);
  const size_t later = pass(30 * kSecond, {2, 3, 4}, 1);
  EXPECT_GE(at_first, 2u);
  EXPECT_GE(later, 30 * kSecond / (2 * PeerHealth::kRetryMaxUs));
  EXPECT_LE(later, 30 * kSecond / (PeerHealth::kRetryMaxUs / 2));
  EXPECT_EQ(health_.state(1), PeerState::kSuspected);
}

TEST_F(PeerHealthTest, AfterAProbeOneMoreSilenceIsEnoughAndThePausesGoOnGrowing) {
  for (int question = 0; question < 3; ++question) silence(1);
  for (int round = 0; round < 6; ++round) {
    while (!health_.healthy(1)) pass(10 * kMs, {1, 2, 3, 4}, 1);
    silence(1);
    ASSERT_FALSE(health_.healthy(1));
  }
  const uint64_t from_us = now_us_;
  while (!health_.healthy(1)) pass(10 * kMs, {1, 2, 3, 4}, 1);
  EXPECT_GE(now_us_ - from_us, PeerHealth::kRetryMaxUs / 2) << "it answers nothing but probes";
  answer(1, 1 * kMs);
  silence(1);
  EXPECT_TRUE(health_.healthy(1)) << "a real answer ends that";
}

TEST_F(PeerHealthTest, AnIdleLinkIsProbedAndASilentOneFoundOut) {
  EXPECT_EQ(health_.report(1).state, PeerState::kUp);
  const size_t probes = pass(10 * kSecond, {1, 3, 4}, 1);
  EXPECT_GE(probes, 8u);
  EXPECT_LE(probes, 12u);
  EXPECT_EQ(health_.state(1), PeerState::kUp);
  EXPECT_EQ(health_.state(2), PeerState::kSuspected);
}

TEST_F(PeerHealthTest, ManyIdleLinksTogetherAreProbedNoMoreThanAFew) {
  const auto probes_of = [this](MemberIndex members) {
    health_.resize(members, 0, now_us_);
    std::vector<MemberIndex> all;
    for (MemberIndex peer = 1; peer < members; ++peer) {
      health_.set_linked(peer, true, now_us_);
      all.push_back(peer);
    }
    pass(20 * kSecond, all, 1);
    uint64_t before = 0, after = 0;
    for (const MemberIndex peer : all) before += health_.report(peer).probes;
    pass(200 * kSecond, all, 1);
    for (const MemberIndex peer : all) after += health_.report(peer).probes;
    return after - before;
  };
  const uint64_t few = probes_of(9), many = probes_of(200);
  EXPECT_GE(few, 8u * 170);
  EXPECT_LE(many, few * 11 / 10);
  EXPECT_GE(many, few / 2);
}

TEST_F(PeerHealthTest, ABusyLinkIsItsOwnProbe) {
  pass(kSecond, {1, 2, 3, 4}, 1);
  size_t probes = 0;
  for (int step = 0; step < 100; ++step) {
    answer(1, 1 * kMs);
    probes += pass(50 * kMs, {1, 2, 3, 4}, 1);
  }
  EXPECT_EQ(probes, 0u);
}

TEST_F(PeerHealthTest, ALinkThatIsDownIsNotProbedAndANewOneIsAFreshStart) {
  health_.set_linked(1, false, now_us_);
  EXPECT_EQ(health_.state(1), PeerState::kDown);
  EXPECT_EQ(pass(5 * kSecond, {2, 3, 4}, 1), 0u);
  health_.set_linked(1, true, now_us_);
  EXPECT_EQ(health_.state(1), PeerState::kUp);
  EXPECT_GE(pass(kSecond, {1, 2, 3, 4}, 1), 1u) << "for a first latency";
}

TEST_F(PeerHealthTest, ASlowPeerIsKnownAsSlowAndForgivenWhenItIsFastAgain) {
  const auto second = [&](uint64_t latency_of_one_us) {
    for (int step = 0; step < 50; ++step, now_us_ += 20 * kMs) {
      answer(1, latency_of_one_us);
      for (MemberIndex peer = 2; peer < 5; ++peer) answer(peer, 1 * kMs);
    }
  };
  second(1 * kMs);
  EXPECT_FALSE(health_.slow(1));
  second(400 * kMs);
  EXPECT_TRUE(health_.slow(1));
  EXPECT_TRUE(health_.healthy(1)) << "slow is not dead";
  EXPECT_EQ(health_.state(1), PeerState::kSlow);
  EXPECT_GT(health_.distance(1), health_.distance(2));
  EXPECT_NEAR(static_cast<double>(health_.report(1).read_us), 400e3, 4e3);
  second(1 * kMs);
  EXPECT_FALSE(health_.slow(1));
}

// Reads go around it, so probes alone can tell.
TEST_F(PeerHealthTest, ASlowPeerThatIsOnlyWrittenToIsForgivenAllTheSame) {
  for (int step = 0; step < 50; ++step, now_us_ += 20 * kMs) {
    answer(1, 28 * kMs);
    for (MemberIndex peer = 2; peer < 5; ++peer) answer(peer, 100);
  }
  EXPECT_TRUE(health_.slow(1));
  for (int step = 0; step < 500; ++step) {
    health_.answered(1, {Ask::kWrite, now_us_ - 100}, now_us_);
    pass(10 * kMs, {1, 2, 3, 4}, 1);
  }
  EXPECT_FALSE(health_.slow(1));
}

TEST_F(PeerHealthTest, OneLateAnswerMakesNobodySlowAndEquallyLatePeersNeither) {
  for (int step = 0; step < 50; ++step, now_us_ += 20 * kMs) {
    for (MemberIndex peer = 1; peer < 5; ++peer)
      answer(peer, step == 40 && peer == 1 ? 60 * kMs : 1 * kMs);
    ASSERT_FALSE(health_.slow(1)) << step;
  }
  for (int step = 0; step < 50; ++step, now_us_ += 20 * kMs) {
    for (MemberIndex peer = 1; peer < 5; ++peer) answer(peer, 40 * kMs);
  }
  for (MemberIndex peer = 1; peer < 5; ++peer) EXPECT_FALSE(health_.slow(peer));
}

TEST_F(PeerHealthTest, WaitingInVainCountsAsLatency) {
  for (int step = 0; step < 20; ++step, now_us_ += 20 * kMs) {
    for (MemberIndex peer = 1; peer < 5; ++peer) answer(peer, 1 * kMs);
    health_.still_waiting(1, {Ask::kRead, now_us_ - 100 * kMs}, now_us_);
  }
  EXPECT_TRUE(health_.slow(1));
}

TEST_F(PeerHealthTest, TheTailIsWhatNearlyAllAnswersStayBelow) {
  for (int step = 0; step < 20'000; ++step, now_us_ += kMs) {
    answer(1, rng_.chance(0.02) ? 9 * kMs : 1 * kMs + rng_.below(kMs));
  }
  EXPECT_GE(health_.tail_us(1, Ask::kRead), 1800u);
  EXPECT_LE(health_.tail_us(1, Ask::kRead), 9 * kMs);
  EXPECT_EQ(health_.tail_us(1, Ask::kForward), 0u) << "never asked";
}

TEST_F(PeerHealthTest, AnswersThatNobodyAskedForAreHarmless) {
  health_.probe_answered(1, now_us_ + kSecond, now_us_);
  health_.probe_answered(1, 1, now_us_);
  health_.probe_answered(0x4001, now_us_, now_us_);
  health_.heard(0x4001, now_us_);
  health_.timed_out(0, now_us_, now_us_);
  EXPECT_EQ(health_.report(1).read_us, 0u);
  EXPECT_EQ(health_.report(0).timeouts, 0u);
}

TEST_F(PeerHealthTest, WhoStandsInTheOwnZoneIsNearerThanOthersAndASlowOneIsLast) {
  health_.set_far(2, true);
  for (int step = 0; step < 20; ++step, now_us_ += 20 * kMs) {
    answer(1, 8 * kMs);
    answer(2, 100);
    answer(3, 1 * kMs);
    answer(4, 1 * kMs);
  }
  EXPECT_EQ(health_.distance(0), 0u);
  EXPECT_LT(health_.distance(3), health_.distance(1));
  EXPECT_LT(health_.distance(1), health_.distance(2)) << "however fast that one is";
  for (int step = 0; step < 50; ++step, now_us_ += 20 * kMs) {
    answer(1, 400 * kMs);
    answer(3, 1 * kMs);
    answer(4, 1 * kMs);
  }
  EXPECT_TRUE(health_.slow(1));
  EXPECT_LT(health_.distance(2), health_.distance(1));
}

TEST_F(PeerHealthTest, WhoComesDuringTheRunIsExpectedUntilItsFirstLink) {
  EXPECT_FALSE(health_.expects_any(now_us_));
  health_.resize(6, 0, now_us_);
  EXPECT_FALSE(health_.healthy(5));
  EXPECT_TRUE(health_.expects_any(now_us_));
  EXPECT_TRUE(health_.expected(5, now_us_));
  EXPECT_TRUE(health_.brand_new(5, now_us_));
  EXPECT_FALSE(health_.expected(1, now_us_)) << "it was there before";
  health_.set_linked(5, true, now_us_);
  EXPECT_FALSE(health_.expected(5, now_us_));
  health_.set_linked(5, false, now_us_);
  EXPECT_FALSE(health_.expected(5, now_us_)) << "now its silence says something";
}

TEST_F(PeerHealthTest, ANewcomerWithoutALinkIsExpectedAgainAfterEachView) {
  health_.resize(6, 0, now_us_);
  now_us_ += PeerHealth::kExpectedUs;
  EXPECT_FALSE(health_.expected(5, now_us_));
  EXPECT_FALSE(health_.expects_any(now_us_));
  health_.resize(6, 0, now_us_);
  EXPECT_TRUE(health_.expected(5, now_us_)) << "the view may say that it owns something";
  EXPECT_FALSE(health_.brand_new(5, now_us_)) << "it was heard of long ago";
  health_.set_linked(5, true, now_us_);
  health_.resize(6, 0, now_us_);
  EXPECT_FALSE(health_.expects_any(now_us_));
}

}  // namespace
}  // namespace kvorum::cluster

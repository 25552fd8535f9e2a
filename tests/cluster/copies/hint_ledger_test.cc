// SPDX-License-Identifier: Apache-2.0
#include "cluster/copies/hint_ledger.h"

#include <gmock/gmock.h>

namespace kvorum::cluster {
namespace {

using ::testing::ElementsAre;
using Facts = HintLedger::Facts;

void add(HintLedger& ledger, NodeId target, const std::string& name, Facts facts) {
  ASSERT_TRUE(ledger.note({target, name, nullptr, &facts, true}));
}

std::vector<std::string> names(const HintLedger& ledger, NodeId target) {
  std::vector<std::string> found;
  HintPlace from;
  for (bool first = true;; first = false) {
    const std::optional<HintPlace> place = ledger.first_from(target, from, first);
    if (!place) return found;
    found.push_back(place->name);
    from = *place;
  }
}

TEST(HintLedger, ShowsATargetsHintsOldestFirst) {
  HintLedger ledger(0);
  add(ledger, 7, "young", {Hlc{30}, 10});
  add(ledger, 7, "old", {Hlc{10}, 10});
  add(ledger, 7, "twin", {Hlc{10}, 10});
  add(ledger, 8, "other", {Hlc{5}, 10});
  EXPECT_THAT(names(ledger, 7), ElementsAre("old", "twin", "young"));
  EXPECT_THAT(ledger.targets(), ElementsAre(7u, 8u));
  EXPECT_EQ(ledger.oldest(), Hlc{5});
  EXPECT_EQ(ledger.count(), 4u);
  EXPECT_EQ(ledger.bytes(), 40u);
}

TEST(HintLedger, AHintThatChangesKeepsOnePlace) {
  HintLedger ledger(0);
  const Facts before{Hlc{10}, 10};
  const Facts after{Hlc{20}, 35};
  add(ledger, 7, "a", before);
  add(ledger, 7, "b", {Hlc{15}, 10});
  EXPECT_TRUE(ledger.note({7, "a", &before, &after, true}));
  EXPECT_THAT(names(ledger, 7), ElementsAre("b", "a"));
  EXPECT_EQ(ledger.bytes(), 45u);
  EXPECT_TRUE(ledger.note({7, "a", &after, nullptr, true}));
  EXPECT_THAT(names(ledger, 7), ElementsAre("b"));
  EXPECT_EQ(ledger.bytes(), 10u);
  EXPECT_EQ(ledger.count_for(7), 1u);
}

TEST(HintLedger, RefusesWhatPassesTheBoundAndTakesWhatShrinks) {
  HintLedger ledger(100);
  const Facts big{Hlc{1}, 90};
  const Facts bigger{Hlc{1}, 101};
  const Facts small{Hlc{1}, 20};
  add(ledger, 7, "a", big);
  EXPECT_FALSE(ledger.note({7, "b", nullptr, &small, true}));
  EXPECT_FALSE(ledger.note({7, "a", &big, &bigger, true}));
  EXPECT_EQ(ledger.refused(), 2u);
  EXPECT_EQ(ledger.bytes(), 90u) << "nothing was noted";
  EXPECT_TRUE(ledger.note({8, "moved", nullptr, &small, false}));
  EXPECT_FALSE(ledger.has_room_for(1));
  EXPECT_TRUE(ledger.note({7, "a", &big, &small, true})) << "over the bound, but shrinking";
  EXPECT_EQ(ledger.bytes(), 40u);
  EXPECT_TRUE(ledger.has_room_for(60));
}

TEST(HintLedger, TellsTheRateOfTheLatestSeconds) {
  HintLedger ledger(0);
  uint64_t now_us = 1'000'000;
  for (int n = 0; n < 50; ++n, now_us += 100'000) ledger.delivered(7, 1000, now_us);
  std::vector<HintTargetReport> report = ledger.report(now_us);
  ASSERT_EQ(report.size(), 1u);
  EXPECT_EQ(report[0].delivered, 50u);
  EXPECT_EQ(report[0].delivered_bytes, 50'000u);
  EXPECT_NEAR(static_cast<double>(report[0].bytes_per_second), 10'000, 1000);
  now_us += 10 * HintLedger::kRateWindowUs;
  EXPECT_EQ(ledger.report(now_us)[0].bytes_per_second, 0u) << "nothing leaves any more";
}

TEST(HintLedger, SaysWhyATargetsHintsWait) {
  HintLedger ledger(0);
  EXPECT_EQ(ledger.wait_of(7), HintWait::kScan);
  ledger.waits(7, HintWait::kRefused);
  EXPECT_EQ(ledger.wait_of(7), HintWait::kRefused);
  for (const HintWait wait :
       {HintWait::kScan, HintWait::kNone, HintWait::kUnreachable, HintWait::kSilent,
        HintWait::kRefused, HintWait::kStore, HintWait::kForeground, HintWait::kMoving}) {
    EXPECT_STRNE(hint_wait_name(wait), "");
  }
}

}  // namespace
}  // namespace kvorum::cluster

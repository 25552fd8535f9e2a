// SPDX-License-Identifier: Apache-2.0
#include "cluster/history/history_elements.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "tests/cluster/random_history.h"

namespace kvorum::cluster {
namespace {

using fixtures::make_founding;
using fixtures::make_join;

template <class Element>
std::string bytes_of(const Element& element) {
  std::string bytes;
  encode_element(element, bytes);
  return bytes;
}

bool is_refused(std::string_view bytes) {
  HistoryElements elements;
  return !decode_elements(bytes, &elements);
}

Founding sample_founding() {
  Founding founding = make_founding(3);
  founding.partitioner = Partitioner::kSlots;
  founding.members[1].rack = "r";
  founding.members[1].admin = {"::1", 5};
  founding.keyspaces[2].conflicts = ConflictPolicy::kLww;
  founding.keyspaces[2].sloppy = false;
  founding.keyspaces[2].writes_when_short = WritesWhenShort::kReject;
  founding.keyspaces[2].reads_when_short = ReadsWhenShort::kServe;
  return founding;
}

TEST(HistoryElements, AllKindsComeBack) {
  const ChangeList list{{Hlc{5}, 1}, {Hlc{5}, 2}};
  const std::string bytes = bytes_of(sample_founding()) + bytes_of(make_join(5, 100, "m0")) +
                            bytes_of(list) + bytes_of(Fact::gone(5)) + bytes_of(Fact::gone(6));
  HistoryElements elements;
  ASSERT_TRUE(decode_elements(bytes, &elements));
  ASSERT_TRUE(elements.founding);
  EXPECT_EQ(founding_hash(*elements.founding), founding_hash(sample_founding()));
  EXPECT_EQ(elements.founding->keyspaces, sample_founding().keyspaces);
  EXPECT_EQ(elements.founding->members[1].admin, (Endpoint{"::1", 5}));
  EXPECT_EQ(elements.founding->partitioner, Partitioner::kSlots);
  EXPECT_EQ(elements.changes.size(), 1U);
  EXPECT_EQ(elements.sets, (std::vector<ChangeList>{list}));
  EXPECT_EQ(elements.facts, (std::vector<Fact>{Fact::gone(5), Fact::gone(6)}));
}

TEST(HistoryElements, TheOrderOfTheFoundersIsNotHashedAndAllElseIs) {
  const uint64_t hash = founding_hash(sample_founding());
  Founding turned = sample_founding();
  std::reverse(turned.members.begin(), turned.members.end());
  EXPECT_EQ(founding_hash(turned), hash);
  const std::vector<std::function<void(Founding&)>> differences = {
      [](Founding& founding) { founding.cluster_name = "other"; },
      [](Founding& founding) { founding.partitions = 32; },
      [](Founding& founding) { founding.partitioner = Partitioner::kMd5; },
      [](Founding& founding) { founding.members[0].weight = 2; },
      [](Founding& founding) { founding.members[0].peer.port = 1; },
      [](Founding& founding) { founding.keyspaces[9].n = 2; },
      [](Founding& founding) { founding.placement = kPlacementUnmended; },
  };
  for (const auto& differ : differences) {
    Founding founding = sample_founding();
    differ(founding);
    EXPECT_NE(founding_hash(founding), hash);
  }
}

TEST(HistoryElements, AFoundingThatMakesNoSenseIsRefused) {
  const std::vector<std::function<void(Founding&)>> faults = {
      [](Founding& founding) { founding.partitions = 24; },
      [](Founding& founding) { founding.partitions = 0; },
      [](Founding& founding) { founding.partitions = 2 * kPartitionsMax; },
      [](Founding& founding) { founding.partitioner = static_cast<Partitioner>(2); },
      [](Founding& founding) { founding.members.clear(); },
      [](Founding& founding) { founding.members[0].name = founding.members[1].name; },
      [](Founding& founding) { founding.members[0].weight = 0; },
      [](Founding& founding) { founding.cluster_name = std::string(513, 'x'); },
      [](Founding& founding) { founding.keyspaces[4].db = 5; },
      [](Founding& founding) { founding.keyspaces[4].r = 0; },
      [](Founding& founding) { founding.placement = kPlacementNewest + 1; },
  };
  for (size_t fault = 0; fault < faults.size(); ++fault) {
    Founding founding = sample_founding();
    faults[fault](founding);
    EXPECT_TRUE(is_refused(bytes_of(founding))) << fault;
  }
}

// The first byte is the kind: releases that have the first placement alone know kinds 1 to 4, and
// refuse a history with another one as a whole.
TEST(HistoryElements, AFoundingWithALaterPlacementIsAnElementThatOlderReleasesRefuse) {
  Founding founding = sample_founding();
  founding.placement = kPlacementMended;
  const std::string placed = bytes_of(founding);
  EXPECT_EQ(placed.substr(0, 2), std::string("\x05\x02", 2));
  HistoryElements elements;
  ASSERT_TRUE(decode_elements(placed, &elements));
  EXPECT_EQ(elements.founding->placement, kPlacementMended);
  founding.placement = kPlacementUnmended;
  const std::string unplaced = bytes_of(founding);
  EXPECT_EQ(unplaced[0], 1);
  EXPECT_EQ(unplaced.substr(1), placed.substr(2));
  elements = {};
  ASSERT_TRUE(decode_elements(unplaced, &elements));
  EXPECT_EQ(elements.founding->placement, kPlacementUnmended);
  // One thing is written in one way.
  EXPECT_TRUE(is_refused(std::string("\x05\x01", 2) + unplaced.substr(1)));
  EXPECT_TRUE(is_refused(std::string("\x05\x00", 2) + unplaced.substr(1)));
}

TEST(HistoryElements, TheHashOfAFoundingWithTheFirstPlacementNeverChanges) {
  EXPECT_EQ(founding_hash(fixtures::make_unmended_founding(3)), 0xc6f12571268724aaULL);
}

TEST(HistoryElements, WhatMakesNoSenseIsRefused) {
  const ChangeList turned{{Hlc{6}, 1}, {Hlc{5}, 1}}, doubled{{Hlc{5}, 1}, {Hlc{5}, 1}};
  EXPECT_TRUE(is_refused(bytes_of(turned)));
  EXPECT_TRUE(is_refused(bytes_of(doubled)));
  EXPECT_TRUE(is_refused(std::string("\x03\x00", 2)));  // a set of no changes
  EXPECT_TRUE(is_refused(bytes_of(sample_founding()) + bytes_of(sample_founding())));
  EXPECT_TRUE(is_refused(std::string(1, '\0')));
  EXPECT_TRUE(is_refused("\x05"));
  EXPECT_TRUE(is_refused("\x06"));
  EXPECT_FALSE(is_refused(""));
}

TEST(HistoryElements, TheIdOfASetIsThatOfItsChanges) {
  const ChangeList list{{Hlc{5}, 1}, {Hlc{5}, 2}};
  EXPECT_EQ(set_id(7, {}), 7U);
  EXPECT_EQ(set_id(7, list), set_id(7, list));
  EXPECT_NE(set_id(7, list), set_id(8, list));
  EXPECT_NE(set_id(7, list), set_id(7, {{Hlc{5}, 1}}));
}

}  // namespace
}  // namespace kvorum::cluster

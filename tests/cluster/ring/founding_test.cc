// SPDX-License-Identifier: Apache-2.0
#include "cluster/ring/founding.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <functional>
#include <set>

#include "tests/cluster/test_members.h"

namespace kvorum::cluster {
namespace {

using fixtures::make_members;

Founding founding_of(uint32_t members) {
  Founding founding;
  founding.cluster_name = "demo";
  founding.members = make_members(members);
  return founding;
}

TEST(Founding, TheOrderInTheFileChangesNothing) {
  Founding founding = founding_of(4);
  const ClusterView view = found_view(founding, "n1");
  std::rotate(founding.members.begin(), founding.members.begin() + 2, founding.members.end());
  const ClusterView again = found_view(founding, "n1");
  EXPECT_EQ(again.cluster_id, view.cluster_id);
  EXPECT_EQ(again.hash(), view.hash());
  EXPECT_EQ(again.self, view.self);
}

TEST(Founding, NamesPartitionsAndPartitionerAreInTheId) {
  const uint64_t id = founding_cluster_id(founding_of(3));
  const std::vector<std::function<void(Founding&)>> changes = {
      [](Founding& f) { f.cluster_name = "other"; },
      [](Founding& f) { f.partitions = 128; },
      [](Founding& f) { f.partitioner = Partitioner::kSlots; },
      [](Founding& f) { f.members.pop_back(); },
      [](Founding& f) { f.members[0].name = "x"; },
  };
  std::set<uint64_t> ids{id};
  for (const auto& change : changes) {
    Founding founding = founding_of(3);
    change(founding);
    ids.insert(founding_cluster_id(founding));
  }
  EXPECT_EQ(ids.size(), changes.size() + 1);
}

TEST(Founding, AddressesPlacesAndPoliciesAreNotInTheId) {
  Founding founding = founding_of(3);
  const uint64_t id = founding_cluster_id(founding);
  founding.members[0].peer = {"10.0.0.1", 1};
  founding.members[0].weight = 2;
  founding.members[0].rack = founding.members[1].zone = "r";
  founding.members[0].redis = {"127.0.0.1", 1};
  founding.keyspaces[3].n = 1;
  EXPECT_EQ(founding_cluster_id(founding), id);
}

TEST(Founding, NodeIdsDependOnClusterAndName) {
  EXPECT_EQ(founder_id(7, "a"), founder_id(7, "a"));
  EXPECT_NE(founder_id(7, "a"), founder_id(8, "a"));
  EXPECT_NE(founder_id(7, "a"), founder_id(7, "b"));
  const ClusterView view = found_view(founding_of(3), "n2");
  EXPECT_EQ(view.members[view.self].id, founder_id(view.cluster_id, "n2"));
}

TEST(Founding, AStrangerIsNoMember) {
  EXPECT_EQ(found_view(founding_of(3), "n9").self, kNoMember);
  EXPECT_FALSE(found_view(founding_of(3), "").is_member());
}

TEST(Founding, TheRingKeepsTheLargestNAndOneMoreDistinct) {
  Founding founding = founding_of(9);
  EXPECT_EQ(found_view(founding, "n0").ring.shape().spread, 4U);
  founding.keyspaces[5].n = 5;
  const ClusterView view = found_view(founding, "n0");
  EXPECT_EQ(view.ring.shape().spread, 6U);
  EXPECT_THAT(validate(view.ring, view.members), ::testing::IsEmpty());
}

// Ids are on disk and in every frame: a change of the digest is a change of format. The values
// were computed apart from this code, from the layout in founding.cc.
TEST(Founding, KnownAnswers) {
  EXPECT_EQ(founding_cluster_id(founding_of(3)), 0xfeaa16662362246eULL);
  EXPECT_EQ(addressed_cluster_id(founding_of(3)), 0x9f12471850d5908fULL);
  EXPECT_EQ(founder_id(1, "n0"), 0x43108e0068920085ULL);
}

}  // namespace
}  // namespace kvorum::cluster

// SPDX-License-Identifier: Apache-2.0
#include "cluster/ring/cluster_view.h"

#include <gtest/gtest.h>

#include "tests/cluster/test_members.h"

namespace kvorum::cluster {
namespace {

using fixtures::make_members;

ClusterView view_of(uint32_t members, std::string_view self = "n0") {
  Founding founding;
  founding.partitions = 64;
  founding.members = make_members(members);
  return found_view(founding, self);
}

TEST(ClusterView, FindsMembersByNameAndId) {
  const ClusterView view = view_of(4);
  const MemberIndex index = view.find_name("n2");
  ASSERT_NE(index, kNoMember);
  EXPECT_EQ(view.members[index].name, "n2");
  EXPECT_EQ(view.find_id(view.members[index].id), index);
  EXPECT_EQ(view.find_name("n4"), kNoMember);
  EXPECT_EQ(view.find_id(0), kNoMember);
}

TEST(ClusterView, TheQuorumInForceShrinksWithTheCluster) {
  ClusterView view = view_of(1);
  EXPECT_EQ(view.quorum(0), (EffectiveQuorum{1, 1, 1}));
  view = view_of(2);
  EXPECT_EQ(view.quorum(0), (EffectiveQuorum{2, 2, 2}));
  view = view_of(5);
  EXPECT_EQ(view.quorum(0), (EffectiveQuorum{3, 2, 2}));
  view.keyspaces[1].n = 5;
  view.keyspaces[1].r = 1;
  view.keyspaces[1].w = 4;
  EXPECT_EQ(view.quorum(1), (EffectiveQuorum{5, 1, 4}));
}

TEST(ClusterView, HashIsOfWhatNodesMustAgreeOn) {
  const uint64_t hash = view_of(3).hash();
  EXPECT_EQ(view_of(3, "n1").hash(), hash);
  EXPECT_EQ(view_of(3, "stranger").hash(), hash);
  ClusterView view = view_of(3);
  view.members[0].redis = {"127.0.0.1", 1};
  view.members[1].peer = {"10.0.0.1", 7};
  view.keyspaces[1].name = "carts";
  EXPECT_EQ(view.hash(), hash);  // addresses and the names of keyspaces may differ between files

  EXPECT_NE(view_of(4).hash(), hash);
  view.keyspaces[7].w = 1;
  EXPECT_NE(view.hash(), hash);
  view = view_of(3);
  view.keyspaces[7].sloppy = false;
  EXPECT_NE(view.hash(), hash);
  view = view_of(3);
  view.members[1].weight = 2;
  EXPECT_NE(view.hash(), hash);
  view = view_of(3);
  view.ring = Ring::found(view.members, {128, 4});
  EXPECT_NE(view.hash(), hash);
  view = view_of(3);
  view.partitioner = Partitioner::kSlots;
  EXPECT_NE(view.hash(), hash);
}

TEST(ClusterView, ObjectsPassBetweenNodesThatTreatThemAlike) {
  const uint64_t hash = view_of(3).exchange_hash();
  ClusterView view = view_of(3);
  view.members[1].weight = 2;
  view.keyspaces[7].n = view.keyspaces[7].r = view.keyspaces[7].w = 1;
  EXPECT_EQ(view.exchange_hash(), hash);
  view.keyspaces[7].conflicts = ConflictPolicy::kLww;
  EXPECT_NE(view.exchange_hash(), hash);
  EXPECT_NE(view_of(4).exchange_hash(), hash);
}

TEST(Endpoint, ParsesHostPortAndBracketedIpv6) {
  const auto plain = Endpoint::parse("127.0.0.1:7379");
  ASSERT_TRUE(plain.ok());
  EXPECT_EQ(plain.value(), (Endpoint{"127.0.0.1", 7379}));
  const auto six = Endpoint::parse("[::1]:65535");
  ASSERT_TRUE(six.ok());
  EXPECT_EQ(six.value(), (Endpoint{"::1", 65535}));
  EXPECT_EQ(six.value().to_text(), "[::1]:65535");
  EXPECT_EQ(plain.value().to_text(), "127.0.0.1:7379");
  EXPECT_EQ(Endpoint{}.to_text(), "");
}

TEST(Endpoint, SaysWhatIsWrong) {
  const auto why = [](std::string_view text) { return Endpoint::parse(text).status().message(); };
  EXPECT_EQ(why("localhost"), "the port is missing; write host:port");
  EXPECT_EQ(why("[::1]"), "the port is missing; write host:port");
  EXPECT_EQ(why(":80"), "the host is missing; write host:port");
  EXPECT_EQ(why("::1:80"), "an IPv6 address needs brackets: [address]:port");
  EXPECT_EQ(why("[host]:80"), "only an IPv6 address stands in brackets");
  EXPECT_EQ(why("a b:80"), "the host contains a character that no host name has");
  for (const char* text : {"a:0", "a:65536", "a:", "a:x", "a:80x", "a:-1"}) {
    EXPECT_EQ(why(text), "the port must be a number from 1 to 65535") << text;
  }
}

}  // namespace
}  // namespace kvorum::cluster

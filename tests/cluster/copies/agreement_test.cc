// SPDX-License-Identifier: Apache-2.0
#include "cluster/copies/agreement.h"

#include <gmock/gmock.h>

#include "tests/cluster/test_members.h"

namespace kvorum::cluster {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

ClusterView view_of(uint32_t self, ConflictPolicy conflicts, uint32_t members = 3) {
  Founding founding;
  founding.partitions = 16;
  founding.members = fixtures::make_members(3);
  founding.keyspaces[2].conflicts = conflicts;
  const uint64_t cluster_id = founding_cluster_id(founding);
  founding.members = fixtures::make_members(members);
  ClusterView view = found_view(founding, "n" + std::to_string(self));
  view.cluster_id = view.newest_set = cluster_id;
  for (Member& member : view.members) member.id = founder_id(cluster_id, member.name);
  return view;
}

constexpr ConflictPolicy kSiblings = ConflictPolicy::kSiblings, kLww = ConflictPolicy::kLww;

// A node and what it shares, for its agreement alone.
struct Node {
  Node(uint32_t number, ConflictPolicy conflicts, std::vector<Configuration> kept,
       uint64_t started_ms)
      : view(std::make_shared<const ClusterView>(view_of(number, conflicts))),
        agreement({view, &former, &whole, &clock, std::move(kept), Hlc::from_ms(started_ms)}) {}

  void hear(const Node& other, bool up = true) {
    agreement.on_link(other.view->self, up, {1, 1000});
    if (up) agreement.on_told(other.agreement.own_telling(), {1, 1000});
  }
  Configuration configuration() const { return configuration_of(*view); }
  // A fourth member joined.
  void grow() {
    view = std::make_shared<const ClusterView>(view_of(view->self, kSiblings, 4));
    agreement.publish(view);
  }

  std::shared_ptr<const ClusterView> view;
  FormerPlacements former;
  WholeReplicas whole{4, true};
  HybridClock clock;
  Agreement agreement;
};

Configuration siblings() { return configuration_of(view_of(0, kSiblings)); }
Configuration lww() { return configuration_of(view_of(0, kLww)); }

void meet(Node& a, Node& b) {
  a.hear(b);
  b.hear(a);
  a.agreement.on_told(b.agreement.own_telling(), {1, 1000});
}

TEST(Agreement, WhoChangedNothingServesAlone) {
  const Node a(0, kSiblings, {siblings()}, 10);
  EXPECT_EQ(a.agreement.refused(), 0);
  EXPECT_TRUE(a.agreement.in_force());
  EXPECT_THAT(a.agreement.problems(), IsEmpty());
}

// A founder without a disk comes back after the membership changed: others still tell what their
// files said, which is in force nowhere.
TEST(Agreement, OnceTheMembershipChangedNothingIsFormer) {
  const Node founder(1, kSiblings, {siblings()}, 10);
  ASSERT_TRUE(founder.agreement.in_force());
  Node back(0, kSiblings, {}, 20);
  ASSERT_FALSE(back.agreement.in_force());
  ClusterView changed = *back.view;
  changed.newest_set = changed.cluster_id + 1;
  changed.keyspaces[2].n = 2;
  changed.generation = 1;
  ASSERT_TRUE(changed.is_changed());
  back.agreement.publish(std::make_shared<const ClusterView>(changed));
  back.hear(founder);
  EXPECT_FALSE(back.former.any());
  Telling telling = founder.agreement.own_telling();
  telling.former = {lww()};
  back.agreement.on_told(telling, {1, 1000});
  EXPECT_FALSE(back.former.any());
}

TEST(Agreement, ANodeWithoutAPastServesAlone) {
  const Node a(0, kSiblings, {}, 10);
  EXPECT_EQ(a.agreement.refused(), 0);
}

TEST(Agreement, WhoChangedDoesNotServeThatKeyspaceAlone) {
  const Node a(0, kLww, {siblings()}, 10);
  EXPECT_EQ(a.agreement.refused(), 1u << 2) << "the others are as before";
  EXPECT_THAT(a.agreement.reason(2),
              AllOf(HasSubstr("keyspace 2 (default) has conflicts lww here"),
                    HasSubstr("had conflicts siblings before"), HasSubstr("2 of 3")));
}

TEST(Agreement, OneAmongOthersIsRefusedAndTheOthersSayWho) {
  Node a(0, kSiblings, {siblings()}, 10), b(1, kSiblings, {siblings()}, 20);
  Node c(2, kLww, {siblings()}, 30);
  meet(a, b);
  meet(a, c);
  meet(b, c);
  EXPECT_EQ(c.agreement.refused(), 1u << 2);
  EXPECT_THAT(c.agreement.reason(2),
              AllOf(HasSubstr("has conflicts siblings at n0, n1, conflicts lww here")));
  EXPECT_EQ(a.agreement.refused(), 0);
  EXPECT_FALSE(a.agreement.serves(2, 2));
  EXPECT_TRUE(a.agreement.serves(2, 3));
  EXPECT_FALSE(a.agreement.same_as(2));
  EXPECT_TRUE(a.agreement.same_as(1));
  EXPECT_THAT(
      a.agreement.problems(),
      ElementsAre(HasSubstr("n2 does not serve keyspace 2 (default): it has conflicts lww")));
}

TEST(Agreement, ARollingChangeTurnsWhenMostHaveIt) {
  Node a(0, kLww, {siblings()}, 50), b(1, kLww, {siblings()}, 60);
  Node c(2, kSiblings, {siblings()}, 10);
  meet(a, c);
  EXPECT_EQ(a.agreement.refused(), 1u << 2);
  EXPECT_EQ(c.agreement.refused(), 0);
  meet(a, b);
  meet(b, c);
  EXPECT_EQ(a.agreement.refused(), 0);
  EXPECT_EQ(b.agreement.refused(), 0);
  EXPECT_EQ(c.agreement.refused(), 1u << 2) << "it was overtaken";
  EXPECT_TRUE(a.agreement.in_force());
  EXPECT_FALSE(c.agreement.in_force());
  EXPECT_EQ(a.agreement.kept(), (std::vector{siblings(), lww()}));
  EXPECT_GT(a.agreement.agreed_at(), Hlc{}) << "exchanges from before say nothing";
  // Alone with one of both sides, each stays with what it knows by now.
  c.hear(b, false);
  c.hear(a, false);
  EXPECT_EQ(c.agreement.refused(), 1u << 2);
  EXPECT_EQ(c.agreement.kept().back(), lww());
  a.hear(b, false);
  a.hear(c, false);
  EXPECT_EQ(a.agreement.refused(), 0);
}

TEST(Agreement, WhereNoneHasMostTheOneThatStartedFirstStands) {
  Node a(0, kSiblings, {siblings()}, 20), b(1, kLww, {lww()}, 10);
  meet(a, b);
  EXPECT_EQ(a.agreement.refused(), 1u << 2);
  EXPECT_EQ(b.agreement.refused(), 0);
  // What was in force goes before what changed, whoever started first.
  Node c(0, kSiblings, {siblings()}, 20), d(1, kLww, {siblings()}, 10);
  meet(c, d);
  EXPECT_EQ(c.agreement.refused(), 0);
  EXPECT_EQ(d.agreement.refused(), 1u << 2);
}

TEST(Agreement, FormerPlacementsGoOnceAllAreThrough) {
  Node a(0, kLww, {siblings()}, 50), b(1, kLww, {siblings()}, 60), c(2, kLww, {siblings()}, 70);
  c.whole.note_new(0, 1);
  for (int round = 0; round < 2; ++round) {
    meet(a, b);
    meet(b, c);
    meet(a, c);
  }
  EXPECT_TRUE(a.former.any()) << "c holds a copy that is new";
  c.whole.set(0, 1, true);
  meet(a, c);
  meet(a, b);
  EXPECT_FALSE(a.former.any());
  EXPECT_EQ(a.agreement.kept(), std::vector{lww()});
}

TEST(Agreement, AFormerPlacementIsHeardOfByWhoForgotIt) {
  Node a(0, kLww, {siblings()}, 50), wiped(1, kLww, {}, 60);
  EXPECT_FALSE(wiped.former.any());
  meet(a, wiped);
  EXPECT_TRUE(wiped.former.any());
}

TEST(Agreement, ATellingIsTheSameAfterItTravelled) {
  const Node a(0, kLww, {siblings()}, 50);
  std::string bytes;
  encode_telling(a.agreement.own_telling(), bytes);
  Telling decoded;
  ASSERT_TRUE(decode_telling(bytes, &decoded));
  EXPECT_EQ(decoded.configuration, lww());
  EXPECT_EQ(decoded.former, std::vector{siblings()});
  EXPECT_EQ(decoded.address, "127.0.0.1:7379");
  EXPECT_FALSE(decoded.in_force);
  EXPECT_TRUE(decoded.caught_up);
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(decode_telling(std::string_view(bytes).substr(0, size), &decoded)) << size;
  }
}

TEST(Agreement, WhoMovedIsLookedForWhereItSays) {
  Node a(0, kSiblings, {siblings()}, 10);
  Telling telling = Node(1, kSiblings, {siblings()}, 20).agreement.own_telling();
  a.agreement.on_told(telling, {1, 1});
  EXPECT_FALSE(a.agreement.told_address(1).has_value());
  telling.address = "10.0.0.9:7379";
  a.agreement.on_told(telling, {1, 1});
  EXPECT_EQ(a.agreement.told_address(1), (Endpoint{"10.0.0.9", 7379}));
}

// ---- a later view

TEST(Agreement, WhoJoinedIsHeardAsTheOthersAre) {
  Node a(0, kSiblings, {siblings()}, 10);
  a.grow();
  ASSERT_FALSE(a.agreement.told_address(3).has_value()) << "it has told nothing yet";
  EXPECT_TRUE(a.agreement.serves(3, 0));
  Telling telling;
  telling.node = a.view->members[3].id;
  telling.address = "10.0.0.9:7379";
  telling.configuration = a.configuration();
  a.agreement.on_link(3, true, {1, 1});
  EXPECT_EQ(a.agreement.on_told(telling, {1, 1}), 3);
  EXPECT_TRUE(a.agreement.same_as(3));
  EXPECT_EQ(a.agreement.told_address(3), (Endpoint{"10.0.0.9", 7379}));
}

TEST(Agreement, ALaterConfigurationComesIntoForceOnceMostMembersHaveIt) {
  Node a(0, kSiblings, {siblings()}, 10), b(1, kSiblings, {siblings()}, 20);
  Node c(2, kSiblings, {siblings()}, 30);
  meet(a, b);
  meet(a, c);
  a.grow();
  EXPECT_FALSE(a.agreement.in_force());
  EXPECT_EQ(a.former.list()->size(), 1u) << "copies still follow the one before";
  b.grow();
  c.grow();
  a.hear(b);
  EXPECT_FALSE(a.agreement.in_force()) << "two of four";
  a.hear(c);
  EXPECT_TRUE(a.agreement.in_force());
  EXPECT_EQ(a.agreement.refused(), 0);
}

TEST(Agreement, TheSameViewOnceMoreChangesNothing) {
  Node a(0, kSiblings, {siblings()}, 10);
  int told = 0;
  a.agreement.set_listener([&] { ++told; });
  a.agreement.publish(a.view);
  EXPECT_EQ(told, 0);
  EXPECT_TRUE(a.agreement.in_force());
  a.grow();
  a.agreement.publish(a.view);  // as the second reactor does
  EXPECT_EQ(told, 1);
}

}  // namespace
}  // namespace kvorum::cluster

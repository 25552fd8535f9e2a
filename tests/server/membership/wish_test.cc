// SPDX-License-Identifier: Apache-2.0
#include "server/membership/wish.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "cluster/wire/frame.h"
#include "tests/server/membership/founded.h"

namespace kvorum::server {
namespace {

using cluster::ChangeKind;
using Kind = MembershipWish::Kind;
using ::testing::HasSubstr;

// Asked of a, with f waiting, and those reachable who are not in `dead`.
class WishTest : public ::testing::Test {
 protected:
  explicit WishTest(size_t members = 3) : history(testing::founding(members)) {}

  Result<cluster::Change> made(const MembershipWish& wish) {
    const auto wished = planned(wish);
    if (!wished.ok()) return wished.status();
    EXPECT_EQ(wished.value().changes.size(), 1u);
    return wished.value().changes.front();
  }
  Result<WishedChanges> planned(const MembershipWish& wish) {
    const cluster::ClusterView view = testing::view_at(history, "a");
    const WishPlace place{
        view,
        [&](std::string_view name) -> std::optional<cluster::Member> {
          if (name != "f") return std::nullopt;
          return testing::join_of("f", 77).described;
        },
        [&](cluster::MemberIndex member) { return !dead.contains(view.members[member].name); },
        blocked,
        evicts,
        [&](cluster::MemberIndex member) {
          const auto found = spoken.find(view.members[member].name);
          return found == spoken.end() ? cluster::kProtocolVersion : found->second;
        }};
    return make_changes(wish, place);
  }
  std::string refused(MembershipWish wish) { return made(std::move(wish)).status().message(); }

  cluster::History history;
  std::set<std::string> dead;
  std::string blocked;
  bool evicts = false;
  std::map<std::string, uint16_t> spoken;  // of the peer protocol, where it is not the newest
};

cluster::Founding unmended_founding() {
  cluster::Founding founding = testing::founding(3);
  founding.placement = cluster::kPlacementUnmended;
  return founding;
}

MembershipWish placement_wish(uint8_t placement) {
  MembershipWish wish;
  wish.kind = Kind::kPlacement;
  wish.placement = placement;
  return wish;
}

class LoneWishTest : public WishTest {
 protected:
  LoneWishTest() : WishTest(1) {}
};

TEST_F(WishTest, ThePlacementIsRaisedOnce) {
  EXPECT_EQ(made(placement_wish(2)).status().code(), Code::kExists);
  history = cluster::History(unmended_founding());
  const auto change = made(placement_wish(2));
  ASSERT_TRUE(change.ok()) << change.status().message();
  EXPECT_EQ(change.value().kind, ChangeKind::kPlacement);
  EXPECT_EQ(change.value().placement, 2);
  cluster::Change raised = change.value();
  raised.id = {Hlc{7}, 1};
  ASSERT_TRUE(history.add(raised));
  EXPECT_EQ(refused(placement_wish(2)), "the cluster has placement 2 already");
  for (const uint8_t unknown : {uint8_t{0}, uint8_t{1}, uint8_t{3}}) {
    EXPECT_EQ(refused(placement_wish(unknown)),
              "the placement can be raised to 2, the newest that there is");
  }
  EXPECT_EQ(wish_text(placement_wish(2)), "placement 2");
}

TEST_F(WishTest, ThePlacementWaitsForMembersThatDoNotKnowIt) {
  history = cluster::History(unmended_founding());
  spoken["c"] = 12;
  EXPECT_EQ(refused(placement_wish(2)),
            "c speaks version 12 of the peer protocol: the placement can change once every member "
            "is there and speaks version 13: upgrade it, bring it back, or remove it");
  spoken["c"] = 0;
  EXPECT_THAT(refused(placement_wish(2)), HasSubstr("c is not linked"));
  spoken.clear();
  EXPECT_TRUE(made(placement_wish(2)).ok());
  spoken["b"] = 0;  // who departed is not asked
  cluster::Change removal;
  removal.id = {Hlc{7}, 1};
  removal.kind = ChangeKind::kRemove;
  removal.member = testing::view_at(history, "b").members[1].id;
  ASSERT_TRUE(history.add(removal));
  EXPECT_TRUE(made(placement_wish(2)).ok());
}

TEST_F(WishTest, WhoWaitsJoins) {
  const auto change = made({Kind::kJoin, "f"});
  ASSERT_TRUE(change.ok());
  EXPECT_EQ(change.value().kind, ChangeKind::kJoin);
  EXPECT_EQ(change.value().described.id, 77u);
  EXPECT_THAT(refused({Kind::kJoin, "g"}), HasSubstr("no node g waits"));
  EXPECT_EQ(made({Kind::kJoin, "b"}).status().code(), Code::kExists);
}

TEST_F(WishTest, WhoWasAdmittedMeanwhileIsNotAdmittedAgain) {
  ASSERT_TRUE(history.add(testing::join_of("g", 77)));  // by another name
  EXPECT_EQ(made({Kind::kJoin, "f"}).status().code(), Code::kExists);
}

TEST_F(WishTest, AMemberLeaves) {
  EXPECT_EQ(made({Kind::kLeave, "b"}).value().member, testing::id_of(history, "b"));
  EXPECT_EQ(made({Kind::kLeave, ""}).value().member, testing::id_of(history, "a"));
  EXPECT_THAT(refused({Kind::kLeave, "x"}), HasSubstr("no member x: the members are a, b, c"));
  cluster::Change leaves = made({Kind::kLeave, "b"}).value();
  leaves.id = {Hlc{1 << 20}, 1};
  ASSERT_TRUE(history.add(leaves));
  EXPECT_THAT(refused({Kind::kLeave, "b"}), HasSubstr("leaving already"));
}

TEST_F(WishTest, OnlyTheDeadAreRemoved) {
  EXPECT_THAT(refused({Kind::kRemove, "b"}), HasSubstr("b is alive: `leave b`"));
  MembershipWish forced{Kind::kRemove, "b"};
  forced.force = true;
  EXPECT_TRUE(made(forced).ok());
  dead = {"b"};
  EXPECT_EQ(made({Kind::kRemove, "b"}).value().kind, ChangeKind::kRemove);
}

TEST_F(WishTest, TheDeadAreReplacedByWhoWaits) {
  EXPECT_THAT(refused({Kind::kReplace, "b", "f"}), HasSubstr("b is alive"));
  dead = {"b"};
  const auto change = made({Kind::kReplace, "b", "f"});
  ASSERT_TRUE(change.ok());
  EXPECT_EQ(change.value().member, testing::id_of(history, "b"));
  EXPECT_EQ(change.value().described.name, "f");
  EXPECT_THAT(refused({Kind::kReplace, "b", "g"}), HasSubstr("no node g waits"));
}

TEST_F(WishTest, AWeightIsANumberOfSharesThatIsNew) {
  const auto change = made({Kind::kWeight, "b", "", 5});
  EXPECT_EQ(change.value().described.weight, 5u);
  EXPECT_EQ(made({Kind::kWeight, "b", "", 1}).status().code(), Code::kExists);
  EXPECT_EQ(made({Kind::kWeight, "b", "", 0}).status().code(), Code::kInvalid);
  EXPECT_EQ(made({Kind::kWeight, "b", "", 1001}).status().code(), Code::kInvalid);
}

TEST_F(LoneWishTest, TheLastMemberStays) {
  EXPECT_THAT(refused({Kind::kLeave, "a"}), HasSubstr("the last member"));
  MembershipWish forced{Kind::kRemove, "a"};
  forced.force = true;
  EXPECT_THAT(refused(forced), HasSubstr("the last member"));
}

TEST_F(WishTest, NothingChangesWhereSomethingIsInTheWay) {
  blocked = "copies still follow";
  EXPECT_EQ(made({Kind::kJoin, "f"}).status().code(), Code::kUnavailable);
  EXPECT_EQ(refused({Kind::kJoin, "f"}), blocked);
}

TEST(WishText, IsWhatOneTypes) {
  MembershipWish replace{Kind::kReplace, "b", "f"};
  replace.force = true;
  EXPECT_EQ(wish_text(replace), "replace b f force");
  EXPECT_EQ(wish_text({Kind::kWeight, "b", "", 3}), "weight b 3");
  EXPECT_EQ(wish_text({Kind::kLeave, ""}), "leave");
  EXPECT_EQ(wish_text({Kind::kJoin, "f"}), "join f");
  EXPECT_EQ(wish_text({Kind::kRemove, "f"}), "remove f");
}

}  // namespace
}  // namespace kvorum::server

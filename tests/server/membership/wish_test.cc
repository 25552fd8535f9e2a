// SPDX-License-Identifier: Apache-2.0
#include "server/membership/wish.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

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
        blocked, evicts};
    return make_changes(wish, place);
  }
  std::string refused(MembershipWish wish) { return made(std::move(wish)).status().message(); }

  cluster::History history;
  std::set<std::string> dead;
  std::string blocked;
  bool evicts = false;
};

class LoneWishTest : public WishTest {
 protected:
  LoneWishTest() : WishTest(1) {}
};

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

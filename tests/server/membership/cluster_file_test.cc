// SPDX-License-Identifier: Apache-2.0
#include "server/membership/cluster_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/membership/wish.h"
#include "tests/server/membership/founded.h"

namespace kvorum::server {
namespace {

using cluster::Change;
using cluster::ChangeKind;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A cluster of a, b and c with 64 partitions, as its file said it, and an edited file.
class ClusterFile : public ::testing::Test {
 protected:
  static std::string text(const std::string& members, const std::string& rest = "") {
    return "cluster: {partitions: 64, members: [" + members + "]}\npeer: {insecure: true}\n" + rest;
  }
  static std::string member(const std::string& name, const std::string& more = "") {
    const char last = static_cast<char>('1' + (name[0] - 'a'));
    return "{name: " + name + ", peer: \"10.0.0." + last + ":7379\"" + more + "}, ";
  }
  static std::string three() { return member("a") + member("b") + member("c"); }

  FileDifferences compared(const std::string& file) {
    const ConfigReport report = load_config(file, "the file");
    EXPECT_TRUE(report.ok()) << report.to_text();
    return compare_file(report.config, testing::view_at(history, "a"));
  }
  std::vector<std::string> lines(const std::string& file) { return compared(file).lines; }

  Result<WishedChanges> applied(const std::string& file) {
    const cluster::ClusterView view = testing::view_at(history, "a");
    const WishPlace place{view,
                          [](std::string_view name) -> std::optional<cluster::Member> {
                            if (name != "f") return std::nullopt;
                            return testing::join_of("f", 77).described;
                          },
                          [&](cluster::MemberIndex at) { return view.members[at].name != dead; },
                          {},
                          evicts};
    MembershipWish wish{MembershipWish::Kind::kApply};
    wish.file = file;
    return make_changes(wish, place);
  }
  std::string refused(const std::string& file) { return applied(file).status().message(); }
  std::vector<ChangeKind> kinds(const std::string& file) {
    std::vector<ChangeKind> found;
    const auto wished = applied(file);
    EXPECT_TRUE(wished.ok()) << wished.status().message();
    if (!wished.ok()) return found;
    for (const Change& change : wished.value().changes) found.push_back(change.kind);
    return found;
  }
  void take(std::vector<Change> changes) {
    for (Change& change : changes) {
      change.id.hlc = Hlc{history.highest_hlc().value + 1};
      change.id.origin = 1;
      ASSERT_TRUE(history.add(change));
    }
  }

  cluster::History history{testing::founding(3)};
  std::string dead;
  bool evicts = false;
};

TEST_F(ClusterFile, ThatFoundedItDiffersInNothing) {
  EXPECT_THAT(lines(text(three())), IsEmpty());
  EXPECT_THAT(kinds(text(three())), IsEmpty());
}

TEST_F(ClusterFile, PoliciesAreToldByDatabasesThatChangeAlike) {
  const std::string five = text(three(), "keyspaces: {default: {n: 5, r: 3, w: 3}}\n");
  EXPECT_THAT(lines(five), ElementsAre("databases 0-15: n 3 -> 5, r 2 -> 3, w 2 -> 3"));
  EXPECT_EQ(compared(five).changes.size(), 16u);
  const std::string one =
      text(three(),
           "keyspaces: {default: {}, sessions: {db: 3, n: 2, conflicts: lww, sloppy: false, "
           "writes_when_short: reject, reads_when_short: serve}}\n");
  EXPECT_THAT(lines(one),
              ElementsAre("database 3: n 3 -> 2, conflicts siblings -> lww, sloppy true -> false, "
                          "writes_when_short hint -> reject, reads_when_short fail -> serve, "
                          "name default -> sessions"));
}

TEST_F(ClusterFile, AppliedItIsTheCluster) {
  const std::string edited = text(member("a", ", weight: 2") + member("b", ", rack: r9") +
                                      "{name: f, peer: \"10.0.0.99:7379\"}",
                                  "keyspaces: {default: {n: 2, r: 1, w: 2}}\n");
  auto wished = applied(edited);
  ASSERT_TRUE(wished.ok()) << wished.status().message();
  EXPECT_EQ(wished.value().changes.front().kind, ChangeKind::kJoin);
  EXPECT_EQ(wished.value().changes.back().kind, ChangeKind::kLeave);
  take(wished.value().changes);
  EXPECT_THAT(lines(edited), IsEmpty());
  const cluster::ClusterView view = testing::view_at(history, "a");
  EXPECT_EQ(view.members[view.find_present("a")].weight, 2u);
  EXPECT_EQ(view.members[view.find_present("b")].rack, "r9");
  EXPECT_EQ(view.keyspaces[7].n, 2);
  EXPECT_FALSE(view.members[view.find_present("c")].is_placed());
}

TEST_F(ClusterFile, MembersThatComeAndGoAreNamed) {
  const FileDifferences found = compared(text(member("a") + member("b") + member("f")));
  EXPECT_THAT(found.lines, ElementsAre("f is no member, and one in the file",
                                       "c is a member, and none in the file"));
  EXPECT_THAT(found.joins, ElementsAre("f"));
  EXPECT_THAT(found.leaves, ElementsAre("c"));
}

TEST_F(ClusterFile, AnAddressIsToldAndNotChanged) {
  const std::string moved = text(member("a") + member("b") + "{name: c, peer: \"10.9.9.9:7379\"}");
  EXPECT_THAT(lines(moved), ElementsAre(HasSubstr("c: its peer address is 10.0.0.3:7379, and "
                                                  "10.9.9.9:7379 in the file")));
  EXPECT_THAT(kinds(moved), IsEmpty());
}

TEST_F(ClusterFile, ThatFoundsAnotherClusterIsRefused) {
  EXPECT_THAT(refused("cluster: {partitions: 32, members: [{name: a, peer: 127.0.0.1:1}]}"),
              HasSubstr("founded with cluster.partitions 64, the configuration says 32"));
  EXPECT_THAT(
      refused(
          "cluster: {partitions: 64, partitioner: slots, members: [{name: a, peer: 127.0.0.1:1}]}"),
      HasSubstr("founded with cluster.partitioner md5, the configuration says slots"));
  EXPECT_THAT(
      refused("cluster: {name: other, partitions: 64, members: [{name: a, peer: 127.0.0.1:1}]}"),
      HasSubstr("founded with cluster.name kvorum, the configuration says other"));
}

TEST_F(ClusterFile, ThatDescribesNoClusterIsRefused) {
  EXPECT_THAT(refused("cluster: {partitions: 64}"), HasSubstr("no cluster.members"));
  EXPECT_THAT(refused("cluster: {partitons: 64}"), HasSubstr("partitons"));
  EXPECT_THAT(refused("{{"), HasSubstr("YAML"));
}

TEST_F(ClusterFile, NobodyIsDeclaredDeadByIt) {
  dead = "c";
  EXPECT_THAT(refused(text(member("a") + member("b"))), HasSubstr("kvorum remove c"));
  EXPECT_THAT(kinds(text(three(), "keyspaces: {default: {n: 2}}\n")), ::testing::SizeIs(16))
      << "it stays a member";
}

TEST_F(ClusterFile, WhoDoesNotWaitCannotJoin) {
  EXPECT_THAT(refused(text(three() + member("g"))), HasSubstr("no node g waits"));
}

TEST_F(ClusterFile, WhoIsLeavingHasToBeGoneFirst) {
  Change leaves;
  leaves.kind = ChangeKind::kLeave;
  leaves.member = testing::id_of(history, "c");
  take({leaves});
  EXPECT_THAT(refused(text(three())), HasSubstr("c is leaving"));
}

TEST_F(ClusterFile, WhatIsEvictedIsFixed) {
  const std::string file = text(three(), "keyspaces: {default: {conflicts: lww}}\n");
  EXPECT_TRUE(applied(file).ok());
  evicts = true;
  EXPECT_THAT(refused(file), HasSubstr("engine.eviction"));
}

}  // namespace
}  // namespace kvorum::server

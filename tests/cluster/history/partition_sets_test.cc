// SPDX-License-Identifier: Apache-2.0
#include "cluster/history/partition_sets.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "tests/cluster/random_history.h"

namespace kvorum::cluster {
namespace {

using fixtures::make_change;
using fixtures::make_founding;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

// What a set says of the only partition.
struct GivenSet {
  std::vector<std::vector<NodeId>> owners;  // by class
  std::vector<EffectiveQuorum> quorums;
  std::vector<NodeId> removed, placed;
};

class GivenOwners final : public OwnerSource {
 public:
  explicit GivenOwners(size_t classes = 1) {
    for (size_t at = 0; at < classes; ++at) classes_.push_back(static_cast<uint8_t>(at));
  }

  std::vector<NodeId> owners(SetId set, uint8_t keyspace, uint32_t) override {
    return sets.at(set).owners.at(keyspace);
  }
  EffectiveQuorum quorum(SetId set, uint8_t keyspace) override {
    return sets.at(set).quorums.at(keyspace);
  }
  bool has_removed(SetId set, NodeId node) override { return has(sets.at(set).removed, node); }
  bool is_placed(SetId set, NodeId node) override { return has(sets.at(set).placed, node); }
  std::span<const uint8_t> classes() const override { return classes_; }

  std::map<SetId, GivenSet> sets;

 private:
  static bool has(const std::vector<NodeId>& nodes, NodeId node) {
    return std::find(nodes.begin(), nodes.end(), node) != nodes.end();
  }
  std::vector<uint8_t> classes_;
};

// ---- agreement with the executable model (make_cases.py)

using Words = std::vector<std::string>;

class ModelCase {
 public:
  void add(const Words& words) {
    const std::string& kind = words[0];
    if (kind == "=") {
      expected_.push_back({words.begin() + 1, words.end()});
    } else if (kind == "set") {
      add_set(words);
    } else if (kind == "owners") {
      given(words).owners = {nodes(words, 2)};
      for (const NodeId node : nodes(words, 2)) all_nodes_.insert(node);
    } else if (kind == "quorum") {
      const auto numbers = nodes(words, 2);
      const auto at = [&](size_t which) { return static_cast<uint8_t>(numbers[which]); };
      given(words).quorums = {{at(0), at(1), at(2)}};
    } else if (kind == "removed") {
      given(words).removed = nodes(words, 2);
    } else if (kind == "placed") {
      given(words).placed = nodes(words, 2);
    } else {
      elements_.facts.push_back(fact(words));
    }
  }

  void check() {
    elements_.founding = founding_;
    ASSERT_TRUE(history_.take_in(elements_));
    const PartitionSets sets(history_, source_, 0);
    size_t live = 0;
    std::set<Words> stated;
    for (const Words& words : expected_) {
      const std::string& kind = words[0];
      SCOPED_TRACE(testing::PrintToString(words));
      if (kind == "newest") {
        EXPECT_EQ(history_.newest(), set(words[1]));
      } else if (kind == "live") {
        check_live(sets, words);
        ++live;
      } else if (kind == "left") {
        EXPECT_EQ(sets.owners(set(words[1]), 0), nodes(words, 2));
      } else if (kind == "owners") {
        check_owners(sets, nodes(words, 1));
      } else if (kind == "fresh") {
        check_fresh(sets, words);
      } else if (kind == "sources") {
        check_sources(sets, words);
      } else {
        ASSERT_EQ(kind, "states");
        stated.insert({words.begin() + 1, words.end()});
      }
    }
    EXPECT_EQ(live, 1U);
    for (const NodeId node : all_nodes_) check_states(sets, node, stated);
  }

 private:
  void add_set(const Words& words) {
    ChangeList changes;
    for (size_t at = 2; at < words.size(); ++at) {
      const size_t dot = words[at].find('.');
      ChangeId id{Hlc{std::stoull(words[at])}, std::stoull(words[at].substr(dot + 1))};
      changes.push_back(id);
      Change change = make_change(1, ChangeKind::kLeave, 999);
      change.id = id;
      elements_.changes.push_back(change);
    }
    std::sort(changes.begin(), changes.end());
    ids_[words[1]] = set_id(history_.cluster_id(), changes);
    if (!changes.empty()) elements_.sets.push_back(changes);
  }

  SetId set(const std::string& letter) const { return ids_.at(letter); }
  GivenSet& given(const Words& words) { return source_.sets[set(words[1])]; }

  static std::vector<NodeId> nodes(const Words& words, size_t from) {
    std::vector<NodeId> nodes;
    for (size_t at = from; at < words.size(); ++at) nodes.push_back(std::stoull(words[at]));
    return nodes;
  }
  std::vector<SetId> sets_named(const Words& words, size_t from) const {
    std::vector<SetId> sets;
    for (size_t at = from; at < words.size(); ++at) sets.push_back(set(words[at]));
    return sets;
  }

  Fact fact(const Words& words) const {
    const std::string& kind = words[0];
    if (kind == "gone") return Fact::gone(std::stoull(words[1]));
    if (kind == "settled") return Fact::settled(0, set(words[1]));
    if (kind == "lost") return Fact::lost(0, set(words[1]), nodes(words, 2));
    const NodeId node = std::stoull(words[1]);
    if (kind == "vote") return Fact::vote(0, node, set(words[2]));
    EXPECT_EQ(kind, "confirmed");
    return Fact::confirmed(0, node, set(words[2]), sets_named(words, 3));
  }

  void check_live(const PartitionSets& sets, const Words& words) const {
    EXPECT_THAT(sets.live(), testing::UnorderedElementsAreArray(sets_named(words, 1)));
    const auto size_of = [&](SetId id) { return history_.find_set(id)->size(); };
    EXPECT_TRUE(std::is_sorted(sets.live().begin(), sets.live().end(),
                               [&](SetId a, SetId b) { return size_of(a) < size_of(b); }));
    const bool moves = sets_named(words, 1) != std::vector<SetId>{history_.newest()};
    EXPECT_EQ(sets.is_moving(), moves);
    EXPECT_EQ(sets.signature() == history_.newest(), !moves);
  }

  void check_owners(const PartitionSets& sets, const std::vector<NodeId>& owners) const {
    for (const NodeId node : all_nodes_) {
      const bool owns = std::find(owners.begin(), owners.end(), node) != owners.end();
      EXPECT_EQ(sets.is_owner(node), owns) << node;
    }
  }

  void check_fresh(const PartitionSets& sets, const Words& words) const {
    const SetId older = set(words[1]), newer = set(words[2]);
    EXPECT_THAT(sets.fresh(older, newer, 0), testing::UnorderedElementsAreArray(nodes(words, 3)));
  }

  void check_sources(const PartitionSets& sets, const Words& words) const {
    const std::vector<Sources> all = sets.sources_for(std::stoull(words[1]));
    const auto found = std::find_if(all.begin(), all.end(), [&](const Sources& sources) {
      return sources.set == set(words[2]);
    });
    ASSERT_NE(found, all.end());
    EXPECT_EQ(found->needed, std::stoull(words[3]));
    EXPECT_THAT(found->owners, testing::UnorderedElementsAreArray(nodes(words, 4)));
  }

  // All that the node may state, and no more.
  void check_states(const PartitionSets& sets, NodeId node, const std::set<Words>& stated) {
    std::set<Fact> expected;
    for (const Words& words : stated) {
      if (words[0] == std::to_string(node)) expected.insert(fact({words.begin() + 1, words.end()}));
    }
    std::set<Fact> states;
    const SetId newest = history_.newest();
    if (!sets.sources_for(node).empty()) {
      std::vector<SetId> from = sets.live();
      std::erase(from, newest);
      states.insert(Fact::confirmed(0, node, newest, from));
    }
    if (sets.may_vote(node)) states.insert(Fact::vote(0, node, newest));
    if (sets.may_settle(node)) states.insert(Fact::settled(0, newest));
    for (const Fact& lost : sets.losses(node)) states.insert(lost);
    EXPECT_TRUE(states == expected) << "of node " << node;
  }

  const Founding founding_ = make_founding(1, 1);
  History history_{founding_};
  HistoryElements elements_;
  GivenOwners source_;
  std::map<std::string, SetId> ids_;
  std::vector<Words> expected_;
  std::set<NodeId> all_nodes_;
};

TEST(PartitionSetsModel, AgreesInEveryCase) {
  std::ifstream file(KVORUM_PARTITION_SETS_CASES);
  std::unique_ptr<ModelCase> current;
  size_t cases = 0;
  for (std::string line; std::getline(file, line);) {
    std::istringstream stream(line);
    const Words words{std::istream_iterator<std::string>(stream), {}};
    if (words.empty() || words[0] == "#") continue;
    if (words[0] != "case" && words[0] != "end") {
      current->add(words);
      continue;
    }
    if (current != nullptr) {
      SCOPED_TRACE("case " + std::to_string(cases));
      current->check();
      ++cases;
    }
    current = std::make_unique<ModelCase>();
  }
  EXPECT_GE(cases, 300U);
}

// ---- keyspaces with different numbers

// Nodes 1, 2, 3 own the partition and 4 joins in the place of 3; the second keyspace has one copy,
// of which 1 is the owner.
class TwoKeyspaces : public testing::Test {
 protected:
  TwoKeyspaces() {
    history_.add(make_change(5, ChangeKind::kLeave, 3));
    newest_ = history_.newest();
    source_.sets[founding_] = {{{1, 2, 3}, {1}}, {{3, 2, 2}, {1, 1, 1}}, {}, {1, 2, 3, 4}};
    source_.sets[newest_] = {{{1, 2, 4}, {1}}, {{3, 2, 2}, {1, 1, 1}}, {}, {1, 2, 4}};
  }

  PartitionSets sets() { return PartitionSets(history_, source_, 0); }
  void vote(NodeId node) { EXPECT_TRUE(history_.add(Fact::vote(0, node, newest_))); }
  void confirm(NodeId node) {
    EXPECT_TRUE(history_.add(Fact::confirmed(0, node, newest_, {founding_})));
  }

  History history_{make_founding(1, 1)};
  const SetId founding_ = history_.cluster_id();
  SetId newest_ = 0;
  GivenOwners source_{2};
};

TEST_F(TwoKeyspaces, ASetIsReplacedOnceItIsInEachOfThem) {
  confirm(4);
  vote(2);
  vote(3);
  EXPECT_THAT(sets().live(), ElementsAre(founding_, newest_));  // the owner of the one copy did not
  vote(1);
  EXPECT_THAT(sets().live(), ElementsAre(newest_));
  EXPECT_FALSE(sets().is_moving());
  EXPECT_TRUE(sets().may_settle(1));
}

TEST_F(TwoKeyspaces, ANodeIsFreshWhereItIsInOne) {
  EXPECT_TRUE(sets().is_fresh(4, founding_, newest_));
  EXPECT_FALSE(sets().is_fresh(2, founding_, newest_));
  source_.sets[newest_].owners[1] = {2};
  EXPECT_TRUE(sets().is_fresh(2, founding_, newest_));
  EXPECT_THAT(sets().awaited(), UnorderedElementsAre(4, 2));
  confirm(4);
  EXPECT_FALSE(sets().may_vote(1));
  const std::vector<Sources> sources = sets().sources_for(2);
  ASSERT_EQ(sources.size(), 1U);
  EXPECT_EQ(sources[0].keyspace, 1);
  EXPECT_THAT(sources[0].owners, ElementsAre(1));
  EXPECT_EQ(sources[0].needed, 1U);
  confirm(2);
  EXPECT_TRUE(sets().may_vote(1));
  EXPECT_THAT(sets().sources_for(2), IsEmpty());
}

TEST_F(TwoKeyspaces, TheNewestTakesThePlaceOfAnEqualSetOnlyWhereAllAreEqual) {
  source_.sets[newest_].owners[0] = {1, 2, 3};
  EXPECT_FALSE(sets().is_moving());
  EXPECT_FALSE(sets().may_settle(1));  // without votes nothing is settled
  source_.sets[newest_].quorums[1] = {1, 1, 1};
  source_.sets[newest_].owners[1] = {2};
  EXPECT_TRUE(sets().is_moving());
  source_.sets[newest_].owners[1] = {1};
  source_.sets[newest_].quorums[0] = {3, 1, 2};
  EXPECT_TRUE(sets().is_moving());
}

TEST_F(TwoKeyspaces, WhatIsLostIsStatedOnceForAll) {
  source_.sets[newest_] = {{{2, 4}, {2}}, {{2, 2, 2}, {1, 1, 1}}, {1, 3}, {2, 4}};
  const std::vector<Fact> losses = sets().losses(2);
  EXPECT_THAT(losses, ElementsAre(Fact::lost(0, founding_, {1, 3})));
  history_.add(losses[0]);
  EXPECT_THAT(sets().losses(2), IsEmpty());
  EXPECT_THAT(sets().losses(1), IsEmpty());  // it is removed itself
}

TEST_F(TwoKeyspaces, WhereOnlyTheOneCopyMayBeLostThatIsStated) {
  source_.sets[newest_] = {{{2, 3, 4}, {2}}, {{3, 2, 2}, {1, 1, 1}}, {1}, {2, 3, 4}};
  EXPECT_THAT(sets().losses(3), ElementsAre(Fact::lost(0, founding_, {1})));
}

TEST_F(TwoKeyspaces, TheSignatureChangesWithTheSetsInPlay) {
  const uint64_t waiting = sets().signature();
  confirm(4);
  EXPECT_EQ(sets().signature(), waiting);
  vote(1);
  const uint64_t voted = sets().signature();
  EXPECT_NE(voted, waiting);
  vote(2);
  vote(3);
  EXPECT_EQ(sets().signature(), newest_);
  EXPECT_NE(waiting, newest_);
}

// ---- owners by the placements of a history

TEST(PlacedOwners, KeyspacesWithTheSameNumbersShareAClass) {
  Founding founding = make_founding(4);
  founding.keyspaces[2].n = 1;
  founding.keyspaces[2].r = founding.keyspaces[2].w = 1;
  History history(founding);
  SetPlacements placements;
  PlacedOwners before(history, placements);
  EXPECT_THAT(before.classes(), ElementsAre(0, 2));
  EXPECT_EQ(before.class_of(1), 0);
  EXPECT_EQ(before.class_of(2), 1);

  Change policy = make_change(5, ChangeKind::kPolicy, 0);
  policy.policy = founding.keyspaces[1];
  policy.policy.db = 3;
  policy.policy.w = 3;
  history.add(policy);
  PlacedOwners after(history, placements);
  EXPECT_THAT(after.classes(), ElementsAre(0, 2, 3));
  EXPECT_EQ(after.class_of(15), 0);
  EXPECT_EQ(after.quorum(history.newest(), 3), (EffectiveQuorum{3, 2, 3}));
  EXPECT_EQ(after.quorum(history.cluster_id(), 3), (EffectiveQuorum{3, 2, 2}));
}

TEST(PlacedOwners, AreThoseOfTheRing) {
  History history(make_founding(4));
  const NodeId left = fixtures::founder(history, 1);
  history.add(make_change(5, ChangeKind::kRemove, left));
  SetPlacements placements;
  PlacedOwners owners(history, placements);
  const ClusterView view = found_view(make_founding(4), "n0");
  for (uint32_t partition = 0; partition < 16; ++partition) {
    std::vector<NodeId> expected;
    for (const MemberIndex index : view.primaries(0, partition)) {
      expected.push_back(view.members[index].id);
    }
    EXPECT_EQ(owners.owners(history.cluster_id(), 0, partition), expected);
    EXPECT_THAT(owners.owners(history.newest(), 0, partition),
                testing::Not(testing::Contains(left)));
  }
  EXPECT_TRUE(owners.has_removed(history.newest(), left));
  EXPECT_FALSE(owners.has_removed(history.cluster_id(), left));
  EXPECT_TRUE(owners.is_placed(history.cluster_id(), left));
  EXPECT_FALSE(owners.is_placed(history.newest(), left));
}

}  // namespace
}  // namespace kvorum::cluster

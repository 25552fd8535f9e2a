// SPDX-License-Identifier: Apache-2.0
#include "cluster/history/history.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

#include "tests/cluster/random_history.h"

namespace kvorum::cluster {
namespace {

using fixtures::encoded;
using fixtures::founder;
using fixtures::HistoryDraw;
using fixtures::make_change;
using fixtures::make_founding;
using fixtures::make_join;

using Facts = std::set<Fact>;

Facts all_facts(const History& history) {
  Facts facts;
  for (const auto& [partition, known] : history.facts()) facts.insert(known->begin(), known->end());
  for (const NodeId node : history.gone()) facts.insert(Fact::gone(node));
  return facts;
}

// What membership.md and the model say of forgetting, word by word.
Facts without_pointless(const Facts& facts, const History& sets) {
  Facts kept;
  for (const Fact& fact : facts) {
    const bool is_pointless = std::any_of(facts.begin(), facts.end(), [&](const Fact& settled) {
      if (settled.kind != FactKind::kSettled || settled.partition != fact.partition) return false;
      if (fact.kind == FactKind::kLost || fact.kind == FactKind::kGone) return false;
      const bool same = fact.set == settled.set && fact.kind != FactKind::kSettled;
      return same || sets.is_within(fact.set, settled.set);
    });
    if (!is_pointless) kept.insert(fact);
  }
  return kept;
}

// Histories of nodes that know something in common, and more each.
std::vector<History> some_histories(size_t count) {
  const auto seed = *rc::gen::arbitrary<uint64_t>();
  History shared(make_founding(3));
  HistoryDraw(seed, 1).grow(shared, *rc::gen::inRange<size_t>(0, 20));
  std::vector<History> histories(count, shared);
  for (size_t at = 0; at < count; ++at) {
    HistoryDraw(seed + at, 2 + at).grow(histories[at], *rc::gen::inRange<size_t>(0, 20));
  }
  return histories;
}

History merged(History a, const History& b) {
  a.merge(b);
  return a;
}

TEST(History, BeginsWithTheFoundingSetAlone) {
  const History history(make_founding(3));
  EXPECT_EQ(history.newest(), history.cluster_id());
  EXPECT_EQ(history.cluster_id(), founding_cluster_id(make_founding(3)));
  EXPECT_EQ(history.digest(), 0U);
  EXPECT_EQ(history.highest_hlc(), Hlc{});
  ASSERT_TRUE(history.knows(history.cluster_id()));
  EXPECT_TRUE(history.find_set(history.cluster_id())->empty());
}

TEST(History, TheNewestSetIsOfAllChanges) {
  History history(make_founding(3));
  EXPECT_TRUE(history.add(make_join(9, 100, "m0")));
  const SetId first = history.newest();
  EXPECT_FALSE(history.add(make_join(9, 100, "m0")));
  EXPECT_TRUE(history.add(make_join(5, 101, "m1")));
  EXPECT_NE(history.newest(), first);
  EXPECT_EQ(history.find_set(history.newest())->size(), 2U);
  EXPECT_LT(history.find_set(history.newest())->at(0), history.find_set(history.newest())->at(1));
  EXPECT_EQ(history.highest_hlc(), Hlc{9});
  EXPECT_EQ(set_id(history.cluster_id(), *history.find_set(history.newest())), history.newest());
  EXPECT_FALSE(history.knows(first));  // nothing names it
}

TEST(History, ASetThatAFactNamesOutlastsTheNextChange) {
  History history(make_founding(3));
  history.add(make_join(5, 100, "m0"));
  const SetId first = history.newest();
  EXPECT_TRUE(history.add(Fact::vote(2, founder(history, 0), first)));
  history.add(make_join(6, 101, "m1"));
  ASSERT_TRUE(history.knows(first));
  EXPECT_TRUE(history.is_within(first, history.newest()));
  EXPECT_TRUE(history.is_within(history.cluster_id(), first));
  EXPECT_FALSE(history.is_within(first, first));
  EXPECT_FALSE(history.is_within(history.newest(), first));
}

TEST(History, FactsAboutUnknownSetsOrPartitionsAreRefused) {
  History history(make_founding(3));
  EXPECT_FALSE(history.add(Fact::vote(2, 5, 12345)));
  EXPECT_FALSE(history.add(Fact::confirmed(2, 5, history.newest(), {12345})));
  EXPECT_FALSE(history.add(Fact::vote(16, 5, history.newest())));
  EXPECT_EQ(history.digest(), 0U);
}

TEST(History, ASettledSetMakesOlderFactsOfItsPartitionForgotten) {
  History history(make_founding(3));
  const NodeId node = founder(history, 0);
  history.add(make_join(5, 100, "m0"));
  const SetId first = history.newest();
  history.add(Fact::vote(2, node, first));
  history.add(Fact::vote(3, node, first));
  history.add(Fact::lost(2, first, {node}));
  history.add(make_join(6, 101, "m1"));
  const SetId second = history.newest();
  history.add(Fact::confirmed(2, 101, second, {first}));
  history.add(Fact::vote(2, node, second));
  history.add(Fact::settled(2, first));
  EXPECT_FALSE(history.facts_of(2).contains(Fact::vote(2, node, first)));
  EXPECT_TRUE(history.facts_of(2).contains(Fact::vote(2, node, second)));
  EXPECT_TRUE(history.facts_of(3).contains(Fact::vote(3, node, first)));

  EXPECT_TRUE(history.add(Fact::settled(2, second)));
  EXPECT_EQ(history.facts_of(2), (Facts{Fact::settled(2, second), Fact::lost(2, first, {node})}));
  EXPECT_FALSE(history.add(Fact::vote(2, node, second)));
  EXPECT_FALSE(history.add(Fact::settled(2, first)));
}

TEST(History, NamesThatNoFactNeedsAreForgotten) {
  History history(make_founding(3));
  history.add(make_join(5, 100, "m0"));
  const SetId first = history.newest();
  history.add(Fact::vote(2, founder(history, 0), first));
  history.add(make_join(6, 101, "m1"));
  EXPECT_EQ(history.named_sets(), (std::vector<SetId>{first}));
  history.add(Fact::settled(2, history.newest()));
  EXPECT_EQ(history.named_sets(), (std::vector<SetId>{history.newest()}));
  EXPECT_FALSE(history.knows(first));
}

TEST(History, OfTwoChangesWithOneIdAllKeepTheSame) {
  History a(make_founding(3)), b(make_founding(3));
  a.add(make_join(5, 100, "m0"));
  b.add(make_change(5, ChangeKind::kLeave, 7));
  EXPECT_NE(a.digest(), b.digest());
  EXPECT_EQ(encoded(merged(a, b)), encoded(merged(b, a)));
  EXPECT_EQ(merged(a, b).digest(), merged(b, a).digest());
}

TEST(History, WhereFilesDifferAllGoByTheFoundingOfWhoBringsChanges) {
  Founding heavy = make_founding(3);
  heavy.members[0].weight = 4;
  const History plain(make_founding(3));
  History changed(heavy);
  EXPECT_FALSE(merged(plain, History(heavy)).founding().members[0].weight == 4);
  changed.add(make_join(5, 100, "m0"));
  EXPECT_EQ(merged(plain, changed).founding_hash(), founding_hash(heavy));
  EXPECT_EQ(merged(changed, plain).founding_hash(), founding_hash(heavy));

  History changed_too(make_founding(3));
  changed_too.add(make_join(6, 101, "m1"));
  EXPECT_EQ(encoded(merged(changed, changed_too)), encoded(merged(changed_too, changed)));
  EXPECT_EQ(merged(changed, changed_too).digest(), merged(changed_too, changed).digest());
}

TEST(History, TakesInNoMoreMembersThanThereAreNumbersFor) {
  History history(make_founding(3)), other(make_founding(3));
  uint64_t hlc = 1;
  for (; hlc <= History::kAdmittedMax - 3; ++hlc) {
    ASSERT_TRUE(history.add(make_join(hlc, 1000 + hlc, "m")));
  }
  EXPECT_FALSE(history.add(make_join(hlc, 1000 + hlc, "m")));
  EXPECT_TRUE(history.add(make_change(hlc, ChangeKind::kLeave, 1001)));
  other.add(make_join(hlc + 1, 5000, "m"));
  const uint64_t digest = history.digest();
  EXPECT_FALSE(history.merge(other));
  EXPECT_EQ(history.digest(), digest);
}

TEST(HistoryBytes, AFoundingAloneComesBack) {
  Founding founding = make_founding(4);
  founding.members[2].rack = "r";
  founding.keyspaces[3].n = 5;
  const History history(founding);
  const auto decoded = History::decode(encoded(history));
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->cluster_id(), history.cluster_id());
  EXPECT_EQ(decoded->founding_hash(), history.founding_hash());
  EXPECT_EQ(decoded->founding().keyspaces, founding.keyspaces);
}

TEST(HistoryBytes, ChangedOrMissingBytesAreRefused) {
  History history(make_founding(3));
  HistoryDraw(1, 1).grow(history, 30);
  const std::string bytes = encoded(history);
  for (size_t at = 0; at < bytes.size(); ++at) {
    std::string changed = bytes;
    changed[at] = static_cast<char>(changed[at] ^ 0x10);
    ASSERT_FALSE(History::decode(changed)) << at;
    ASSERT_FALSE(History::decode(bytes.substr(0, at))) << at;
  }
  EXPECT_FALSE(History::decode(bytes + '\0'));
}

RC_GTEST_PROP(HistoryProperty, MergingIsTheUnionWithoutWhatIsPointless, ()) {
  const std::vector<History> both = some_histories(2);
  Facts facts = all_facts(both[0]);
  facts.merge(all_facts(both[1]));
  History sets = both[0];  // knows all sets that either names
  sets.merge(both[1]);
  for (const Fact& fact : facts) {
    if (fact.kind == FactKind::kGone) continue;
    // Those that were forgotten are within a settled one: an empty history takes their names in.
    if (!sets.knows(fact.set)) RC_ASSERT(!all_facts(sets).contains(fact));
  }
  std::erase_if(facts, [&](const Fact& fact) {
    return fact.kind != FactKind::kGone && !sets.knows(fact.set);
  });
  RC_ASSERT(all_facts(sets) == without_pointless(facts, sets));
  for (const History& history : both) {
    for (const auto& [id, change] : history.changes()) RC_ASSERT(sets.changes().contains(id));
  }
}

RC_GTEST_PROP(HistoryProperty, MergingIsCommutativeAssociativeAndIdempotent, ()) {
  const std::vector<History> some = some_histories(3);
  const std::string left = encoded(merged(merged(some[0], some[1]), some[2]));
  RC_ASSERT(left == encoded(merged(some[0], merged(some[1], some[2]))));
  RC_ASSERT(left == encoded(merged(merged(some[2], some[1]), some[0])));
  RC_ASSERT(encoded(merged(some[0], some[0])) == encoded(some[0]));
  History twice = merged(some[0], some[1]);
  RC_ASSERT(!twice.merge(some[1]));
  RC_ASSERT(!twice.merge(some[0]));
}

RC_GTEST_PROP(HistoryProperty, DigestsAreEqualWhereHistoriesAre, ()) {
  const std::vector<History> some = some_histories(2);
  RC_ASSERT((encoded(some[0]) == encoded(some[1])) == (some[0].digest() == some[1].digest()));
  RC_ASSERT(merged(some[0], some[1]).digest() == merged(some[1], some[0]).digest());
}

RC_GTEST_PROP(HistoryProperty, ComesBackFromItsBytes, ()) {
  const std::vector<History> some = some_histories(1);
  const auto decoded = History::decode(encoded(some[0]));
  RC_ASSERT(decoded.has_value());
  RC_ASSERT(encoded(*decoded) == encoded(some[0]));
  RC_ASSERT(decoded->digest() == some[0].digest());
  RC_ASSERT(decoded->newest() == some[0].newest());
}

}  // namespace
}  // namespace kvorum::cluster

// SPDX-License-Identifier: Apache-2.0
#include "cluster/version/object.h"

#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>

#include "tests/cluster/reachable_history.h"

namespace kvorum::cluster {
namespace {

using fixtures::dots_of;
using fixtures::draw_steps;
using fixtures::for_triples;
using fixtures::History;
using fixtures::same_object;
using fixtures::sample_states;
using testing::ElementsAre;

constexpr Actor kX{1, 10, Hlc{1}};
constexpr Actor kY{2, 20, Hlc{1}};
constexpr Actor kZ{3, 30, Hlc{1}};

Version version_at(const Actor& actor, uint64_t hlc, std::string_view bytes = "v") {
  Version version;
  version.dot = {actor, Hlc{hlc}};
  version.bytes = bytes;
  return version;
}

Version tombstone_at(const Actor& actor, uint64_t hlc) {
  Version version = version_at(actor, hlc, {});
  version.type = TypeTag::kTombstone;
  return version;
}

Context reader_of(const Object& object) { return Context{object.vector, {}}; }

std::vector<std::string> values_of(const Object& object) {
  std::vector<std::string> values;
  for (const Version& version : object.versions) values.emplace_back(version.bytes);
  return values;
}

// ---- merge, over reachable states

// Not quoted in the loops: RapidCheck keeps a log entry per assertion.
void require_semilattice(const std::vector<Object>& states, const History& history,
                         bool (*same)(const Object&, const Object&) = same_object) {
  bool commutative = true;
  bool associative = true;
  bool idempotent = true;
  for_triples(states, [&](const Object& a, const Object& b, const Object& c) {
    const Object joined = history.join(a, b);
    commutative &= same(joined, history.join(b, a));
    associative &= same(history.join(joined, c), history.join(a, history.join(b, c)));
    idempotent &= same(history.join(joined, b), joined);
    idempotent &= same(history.join(a, a), a) && same(history.join(a, {}), a);
  });
  RC_ASSERT(commutative);
  RC_ASSERT(associative);
  RC_ASSERT(idempotent);
}

RC_GTEST_PROP(MergeProperty, IsCommutativeAssociativeIdempotent, ()) {
  History history({});
  history.run(draw_steps());
  require_semilattice(sample_states(history), history);
}

// An expired version is emptied in place, keeping its dot, at each node in its own time.
RC_GTEST_PROP(MergeProperty, HoldsWhileSomeReplicasEmptiedExpiredVersions, ()) {
  History history({});
  history.run(draw_steps());
  std::vector<Object> states = sample_states(history);
  for (Object& object : states) {
    if (*rc::gen::arbitrary<bool>()) continue;
    for (Version& version : object.versions) {
      if (version.deadline_ms == 0) continue;
      version.type = TypeTag::kTombstone;
      version.bytes = {};
    }
  }
  require_semilattice(states, history);
}

RC_GTEST_PROP(MergeProperty, HoldsWithRequestsThatSeveralCoordinatorsRan, ()) {
  History history({.twins = true});
  history.run(draw_steps());
  for (const Object& object : history.states()) {
    for (const Version& version : object.versions) RC_ASSERT(!object.find_spent(version.origin));
  }
  require_semilattice(sample_states(history), history);
}

// ---- siblings are exactly the truly concurrent writes

RC_GTEST_PROP(SiblingsProperty, AreTheTrulyConcurrentWrites, ()) {
  History history({});
  history.run(draw_steps());
  for (size_t state = 0; state < history.states().size(); ++state) {
    const Object& object = history.states()[state];
    RC_ASSERT(dots_of(object) == history.alive(history.past_of_state(state)));
  }
  for (auto& replica : history.replicas()) {
    RC_ASSERT(dots_of(replica.object) == history.alive(replica.past));
  }
}

RC_GTEST_PROP(SiblingsProperty, ReplicasConvergeInAnyOrderOfMerges, ()) {
  History history({});
  history.run(draw_steps());
  const auto order = *rc::gen::container<std::vector<uint8_t>>(24, rc::gen::inRange<uint8_t>(0, 4));
  for (size_t at = 0; at + 1 < order.size(); ++at) history.pull(order[at], order[at + 1]);
  for (size_t turn = 0; turn < 2; ++turn) {
    for (size_t at = 0; at < History::kReplicas; ++at) {
      history.pull(at, (at + 1) % History::kReplicas);
      history.pull(at, (at + 2) % History::kReplicas);
    }
  }
  for (auto& replica : history.replicas()) {
    RC_ASSERT(same_object(replica.object, history.replicas()[0].object));
    RC_ASSERT(dots_of(replica.object) == history.alive(replica.past));
  }
}

RC_GTEST_PROP(SiblingsProperty, EveryStateIsWellFormed, ()) {
  History history({});
  history.run(draw_steps());
  for (const Object& object : history.states()) {
    for (size_t at = 0; at < object.versions.size(); ++at) {
      RC_ASSERT(object.vector.covers(object.versions[at].dot));
      if (at > 0) RC_ASSERT(newer(object.versions[at - 1].dot, object.versions[at].dot));
    }
    for (size_t at = 1; at < object.vector.size(); ++at) {
      RC_ASSERT(object.vector.begin()[at - 1].actor < object.vector.begin()[at].actor);
    }
  }
}

// ---- detached dots: the dot that a put returned covers that version alone

TEST(DetachedDot, SparesTheSiblingThatItsWriterNeverSaw) {
  Object object;
  update(object, {}, version_at(kX, 1, "unseen"));
  const Version mine = version_at(kX, 2, "mine");
  update(object, {}, mine);
  Context after;
  after.detached.push_back(mine.dot);
  update(object, after, version_at(kX, 3, "mine again"));
  EXPECT_THAT(values_of(object), ElementsAre("mine again", "unseen"));
}

TEST(DetachedDot, OfAVersionThatIsNotThereChangesNothing) {
  Object object;
  update(object, {}, version_at(kX, 1, "here"));
  Context elsewhere;
  elsewhere.detached.push_back({kY, Hlc{7}});
  update(object, elsewhere, version_at(kX, 2, "new"));
  EXPECT_THAT(values_of(object), ElementsAre("new", "here"));
  EXPECT_EQ(object.vector.find(kY), nullptr);  // else the version would be refused when it comes
  Object other;
  update(other, {}, version_at(kY, 7, "arrives"));
  EXPECT_THAT(values_of(merge(object, other)), ElementsAre("arrives", "new", "here"));
}

// ---- the paper's worked examples

TEST(Paper44VersionEvolution, ReconciledWriteReplacesBothBranches) {
  Object x;
  update(x, {}, version_at(kX, 1, "D1"));
  update(x, reader_of(x), version_at(kX, 2, "D2"));
  EXPECT_THAT(values_of(x), ElementsAre("D2"));
  const Context d2 = reader_of(x);
  Object y = x;
  update(y, d2, version_at(kY, 1, "D3"));
  Object z = x;
  update(z, d2, version_at(kZ, 2, "D4"));

  Object read = merge(y, z);
  EXPECT_THAT(values_of(read), ElementsAre("D4", "D3"));
  ASSERT_EQ(read.vector.size(), 3U);
  const Context both = reader_of(read);
  update(x, both, version_at(kX, 3, "D5"));
  EXPECT_THAT(values_of(x), ElementsAre("D5"));
  EXPECT_EQ(x.vector.find(kX)->hlc, Hlc{3});
  EXPECT_EQ(x.vector.find(kY)->hlc, Hlc{1});
  EXPECT_EQ(x.vector.find(kZ)->hlc, Hlc{2});
  for (const Object& late : {y, z, read}) {
    EXPECT_TRUE(same_object(merge(x, late), x));
  }
}

TEST(Paper44Partition, BothSidesWritesAreReadAfterHealingAndOneContextEndsIt) {
  Object a;
  update(a, {}, version_at(kX, 1, "foo"));
  Object b = merge({}, a);
  update(a, reader_of(a), version_at(kX, 2, "bar"));
  b = merge(b, a);
  const Context bar = reader_of(a);
  update(a, bar, version_at(kX, 3, "baz"));
  const Object hint = a;  // kept elsewhere for B
  update(b, bar, version_at(kY, 1, "bax"));

  b = merge(b, hint);
  a = merge(a, b);
  EXPECT_TRUE(same_object(a, b));
  EXPECT_THAT(values_of(a), ElementsAre("baz", "bax"));
  update(b, reader_of(a), version_at(kY, 2, "both"));
  EXPECT_THAT(values_of(merge(a, b)), ElementsAre("both"));
}

TEST(Paper44Cart, AnAddedItemIsNeverLost) {
  Object a;
  update(a, {}, version_at(kX, 1, "book"));
  Object b;
  update(b, {}, version_at(kY, 1, "dvd"));
  const Object read = merge(a, b);
  EXPECT_THAT(values_of(read), testing::UnorderedElementsAre("book", "dvd"));
  update(a, reader_of(read), version_at(kX, 2, "book+dvd"));
  EXPECT_THAT(values_of(merge(b, a)), ElementsAre("book+dvd"));
  EXPECT_TRUE(same_object(merge(b, a), merge(a, b)));
}

// A forgotten counter must not be issued again (Riak's kv679): births keep the two apart.
TEST(Births, ANodeThatForgotTheKeyDoesNotSpeakForWhatItForgot) {
  Object before;
  update(before, {}, version_at({1, 10, Hlc{5}}, 5, "acknowledged"));
  Object after;  // the node dropped the key and mints again with a new birth
  update(after, {}, version_at({1, 10, Hlc{9}}, 9, "new"));
  EXPECT_THAT(values_of(merge(before, after)), ElementsAre("new", "acknowledged"));
}

// ---- what a client sees

TEST(Visible, NeitherTombstonesNorVersionsPastTheirDeadline) {
  Version version = version_at(kX, 1);
  EXPECT_TRUE(visible(version, 1'000'000));
  version.deadline_ms = 1000;
  EXPECT_TRUE(visible(version, 999));
  EXPECT_FALSE(visible(version, 1000));
  EXPECT_FALSE(visible(tombstone_at(kX, 1), 0));
}

TEST(OriginTwins, ConcurrentExpiresShowOneVersionWithTheLongestDeadline) {
  Object object;
  const Version written = version_at(kX, 1, "value");
  update(object, {}, written);
  const uint64_t origin = origin_of(written);
  Object other = object;
  Version sooner = version_at(kX, 2, "value");
  sooner.origin = origin;
  sooner.deadline_ms = 5000;
  update(object, reader_of(object), sooner);
  Version later = version_at(kY, 1, "value");
  later.origin = origin;
  later.deadline_ms = 9000;
  update(other, reader_of(other), later);

  const Object merged = merge(object, other);
  EXPECT_EQ(merged.versions.size(), 2U);  // the algebra does not change
  const auto seen = visible_versions(merged, 100);
  ASSERT_EQ(seen.size(), 1U);
  EXPECT_EQ(seen[0].deadline_ms, 9000U);
  EXPECT_EQ(visible_versions(merged, 6000).size(), 1U);
  EXPECT_EQ(visible_versions(merged, 9000).size(), 0U);
}

TEST(OriginTwins, PersistIsTheLongestDeadlineInEitherOrder) {
  for (const bool persist_is_newer : {true, false}) {
    Object object;
    Version expire = version_at(kX, persist_is_newer ? 1 : 2);
    expire.origin = 77;
    expire.deadline_ms = 5000;
    Version persist = version_at(kY, persist_is_newer ? 2 : 1);
    persist.origin = 77;
    update(object, {}, expire);
    update(object, {}, persist);
    const auto seen = visible_versions(object, 100);
    ASSERT_EQ(seen.size(), 1U);
    EXPECT_EQ(seen[0].deadline_ms, 0U);
  }
}

TEST(OriginTwins, OtherOriginsAreSiblingsNewestFirst) {
  Object object;
  update(object, {}, version_at(kX, 1, "old"));
  update(object, {}, version_at(kY, 5, "new"));
  update(object, {}, tombstone_at(kZ, 9));
  const auto seen = visible_versions(object, 0);
  ASSERT_EQ(seen.size(), 2U);
  EXPECT_EQ(seen[0].bytes, "new");
  EXPECT_EQ(seen[1].bytes, "old");
  EXPECT_NE(origin_of(object.versions[1]), origin_of(object.versions[2]));
}

// ---- last write wins

TEST(KeepNewest, KeepsTheNewestHlcThenTheActor) {
  Object object;
  update(object, {}, version_at(kX, 5, "x"));
  update(object, {}, version_at(kY, 5, "y"));
  update(object, {}, version_at(kZ, 4, "z"));
  EXPECT_EQ(keep_newest(object), 2U);
  EXPECT_THAT(values_of(object), ElementsAre("y"));
  EXPECT_EQ(object.vector.size(), 3U);
  EXPECT_EQ(keep_newest(object), 0U);
}

// Needs that a dot is above everything that its write covers, whatever the clocks say: else the
// newest HLC is not the last of its past, and two orders of merging keep different versions.
RC_GTEST_PROP(KeepNewestProperty, OrderOfMergesDoesNotMatter, ()) {
  fixtures::HistoryOptions options;
  options.lww = true;
  options.above_context = true;
  History history(options);
  history.run(draw_steps());
  // Past the limit for what is outvoted, other ones of that may stay (outvoted_test.cc).
  const auto shown = [](const Object& a, const Object& b) {
    return a.vector == b.vector && dots_of(a) == dots_of(b);
  };
  require_semilattice(sample_states(history), history, shown);
  for (const Object& object : history.states()) RC_ASSERT(object.versions.size() <= 1U);
}

// The same told as a story: Y, whose clock is slow, overwrites what X wrote; Z writes concurrently.
TEST(KeepNewest, ASlowClocksOverwriteMustStillBeNewerThanWhatItCovers) {
  Object x;
  update(x, {}, version_at(kX, 10, "x"));
  Object y = x;
  update(y, reader_of(x), version_at(kY, 11, "y"));  // not 5, which Y's clock reads
  Object z;
  update(z, {}, version_at(kZ, 7, "z"));
  const auto join = [](const Object& a, const Object& b) {
    Object merged = merge(a, b);
    keep_newest(merged);
    return merged;
  };
  EXPECT_THAT(values_of(join(join(x, z), y)), ElementsAre("y"));
  EXPECT_THAT(values_of(join(x, join(z, y))), ElementsAre("y"));
}

// ---- truncation (paper 4.4)

TEST(TruncateVector, DropsTheOldestEntryWithoutAVersion) {
  Object object;
  update(object, {}, version_at(kX, 3));
  object.vector.raise(kY, Hlc{1});
  object.vector.raise(kZ, Hlc{2});
  EXPECT_EQ(truncate_vector(object, 3, {}, {}), 0U);
  EXPECT_EQ(truncate_vector(object, 2, {}, {}), 1U);
  EXPECT_EQ(object.vector.find(kY), nullptr);
  EXPECT_NE(object.vector.find(kZ), nullptr);
}

TEST(TruncateVector, NeverDropsTheEntryOfALiveVersion) {
  Object object;
  update(object, {}, version_at(kX, 1));
  update(object, {}, version_at(kY, 2));
  object.vector.raise(kZ, Hlc{9});
  EXPECT_EQ(truncate_vector(object, 1, {}, {}), 1U);
  EXPECT_EQ(object.vector.find(kZ), nullptr);
  EXPECT_EQ(object.vector.size(), 2U);
}

// Replicas that did not hear of the put yet still hold what it covers.
TEST(TruncateVector, NeverDropsTheEntryOfAVersionThatThePutReplaced) {
  Object before;
  update(before, {}, version_at(kY, 1));
  before.vector.raise(kZ, Hlc{2});
  Object object = before;
  update(object, Context{object.vector, {}}, version_at(kX, 3));
  EXPECT_EQ(truncate_vector(object, 1, before, {}), 1U);
  EXPECT_NE(object.vector.find(kY), nullptr);
  EXPECT_EQ(object.vector.find(kZ), nullptr);
}

TEST(TruncateVector, CutsBesideATombstoneOnlyWhatTheFrontierHasPassed) {
  Object before;
  const Actor w{4, 40, Hlc{1}};
  update(before, {}, version_at(w, 4));
  before.vector.raise(kY, Hlc{1});
  before.vector.raise(kZ, Hlc{2});
  Object object = before;
  update(object, Context{object.vector, {}}, tombstone_at(kX, 7));
  EXPECT_EQ(truncate_vector(object, 2, before, Hlc{4}), 0U);
  EXPECT_EQ(object.vector.size(), 4U);
  EXPECT_EQ(truncate_vector(object, 2, before, Hlc{5}), 2U);
  EXPECT_NE(object.vector.find(w), nullptr);
  EXPECT_NE(object.vector.find(kX), nullptr);
}

// ---- digests

RC_GTEST_PROP(DigestProperty, IsEqualExactlyWhereTheDotsAre, ()) {
  History history({});
  history.run(draw_steps());
  const std::vector<Object> states = sample_states(history);
  const KeyRef key{"key", position_of("key"), 3};
  bool exact = true;
  for (const Object& a : states) {
    for (const Object& b : states) {
      const bool same = dots_of(a) == dots_of(b);
      exact &= (versions_digest(a) == versions_digest(b)) == same;
      exact &= (leaf_digest(key, a, 42) == leaf_digest(key, b, 42)) == same;
    }
  }
  RC_ASSERT(exact);
}

TEST(LeafDigest, DependsOnKeyKeyspaceSeedAndDotsNotOnTheVector) {
  Object object;
  update(object, {}, version_at(kX, 1));
  const KeyRef key{"key", position_of("key"), 3};
  const uint64_t leaf = leaf_digest(key, object, 42);
  EXPECT_NE(leaf, 0U);
  EXPECT_NE(leaf_digest({"kez", key.position, 3}, object, 42), leaf);
  EXPECT_NE(leaf_digest({"key", key.position, 4}, object, 42), leaf);
  EXPECT_NE(leaf_digest(key, object, 43), leaf);
  Object wider = object;
  wider.vector.raise(kY, Hlc{9});
  EXPECT_EQ(leaf_digest(key, wider, 42), leaf);
  wider.versions.clear();
  EXPECT_EQ(leaf_digest(key, wider, 42), 0U);
}

// ---- vectors

TEST(VersionVector, CoversAllWhatItJoined) {
  VersionVector a;
  a.raise(kX, Hlc{3});
  a.raise(kZ, Hlc{1});
  VersionVector b;
  b.raise(kX, Hlc{2});
  b.raise(kY, Hlc{5});
  EXPECT_FALSE(a.covers_all(b));
  a.join(b);
  EXPECT_TRUE(a.covers_all(b));
  EXPECT_FALSE(b.covers_all(a));
  EXPECT_TRUE(a.covers({kX, Hlc{3}}));
  EXPECT_FALSE(a.covers({kX, Hlc{4}}));
  EXPECT_FALSE(a.covers({{1, 10, Hlc{2}}, Hlc{1}}));  // another birth is another actor
  EXPECT_TRUE(a.covers_all({}));
}

}  // namespace
}  // namespace kvorum::cluster

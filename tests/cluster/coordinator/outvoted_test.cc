// SPDX-License-Identifier: Apache-2.0
// Last-write-wins keyspaces keep what lost against the newest version, as long as that one may
// still turn out to be a twin that does not count: then what lost is shown again.
#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <numeric>

#include "base/rng.h"
#include "cluster/version/flush_marks.h"
#include "cluster/version/object_codec.h"
#include "tests/cluster/test_cluster.h"
#include "tests/cluster/twins.h"
#include "tests/cluster/version_history.h"

namespace kvorum::cluster {
namespace {

using namespace fixtures;  // NOLINT: twins
using testing::ElementsAre;
using testing::IsEmpty;

Version tombstone_of(const Actor& actor, uint64_t hlc) {
  Version version = version_of(actor, hlc, {}, 80);
  version.type = TypeTag::kTombstone;
  return version;
}

Object join(const Object& a, const Object& b, Hlc frontier = {}) {
  Object merged = merge(a, b);
  keep_newest(merged, frontier);
  return merged;
}

Object join_all(const std::vector<Object>& objects) {
  return std::accumulate(objects.begin(), objects.end(), Object{},
                         [](const Object& a, const Object& b) { return join(a, b); });
}

std::vector<std::string> outvoted_of(const Object& object) { return texts(object.outvoted); }

Object decoded(const Object& object) {
  static std::string bytes;
  bytes.clear();
  encode_object(object, bytes);
  Object read;
  EXPECT_TRUE(decode_object(bytes, read));
  return read;
}

bool well_formed(const Object& object) {
  std::string bytes;
  encode_object(object, bytes);
  Object read;
  return decode_object(bytes, read);
}

// Ran at a node whose clock is ahead; nobody heard of it.
Object first_attempt() { return only(version_of(kFirst, 90, "twin", kRequest)); }
Object acknowledged() { return only(version_of(kSecond, 50, "kept", 79)); }
// Both of them at one node, as long as nobody there knows that the first one does not count.
Object both() { return join(first_attempt(), acknowledged()); }
// The retry of the first one was replaced at once.
Object replaced_twin() {
  Object object = only(retried(version_of(kThird, 40, "twin", kRequest)));
  overwrite(object, version_of(kThird, 41, "older", 78));
  return object;
}

// ---- the bug: seed 51682 of the swarm

TEST(Outvoted, AWriteThatLostAgainstATwinIsBackWhenTheTwinDoesNotCount) {
  std::vector<Object> copies = {first_attempt(), acknowledged(), replaced_twin()};
  std::vector<size_t> order = {0, 1, 2};
  do {
    const Object &a = copies[order[0]], &b = copies[order[1]], &c = copies[order[2]];
    EXPECT_THAT(values_of(join(join(a, b), c)), ElementsAre("kept"));
    EXPECT_THAT(values_of(join(a, join(b, c))), ElementsAre("kept"));
    EXPECT_TRUE(same_object(join(join(a, b), c), join(a, join(b, c))));
  } while (std::next_permutation(order.begin(), order.end()));
}

// As it happened: what replaced the retry lost against the twin too, and was covered.
TEST(Outvoted, NothingIsLostWhereTheTwinBeatBoth) {
  Object before = only(retried(version_of(kThird, 40, "twin", kRequest)));
  const Object after = replaced_twin();
  const Object ahead = join(both(), before);
  EXPECT_THAT(values_of(ahead), ElementsAre("twin"));
  EXPECT_THAT(values_of(join(ahead, after)), ElementsAre("kept"));
  EXPECT_THAT(outvoted_of(join(ahead, after)), ElementsAre("older"));
}

TEST(Outvoted, NobodySeesWhatLost) {
  const Object object = both();
  EXPECT_THAT(values_of(object), ElementsAre("twin"));
  EXPECT_THAT(outvoted_of(object), ElementsAre("kept"));
  EXPECT_EQ(visible_versions(object, 1).size(), 1u);
  Object without = object;
  without.outvoted.clear();
  EXPECT_EQ(versions_digest(object), versions_digest(without));
  EXPECT_EQ(leaf_digest({"k", {}, 0}, object, 1), leaf_digest({"k", {}, 0}, without, 1));
}

TEST(Outvoted, SiblingsKeyspacesKnowNone) {
  const Object merged = merge(first_attempt(), acknowledged());
  EXPECT_THAT(values_of(merged), ElementsAre("twin", "kept"));
  EXPECT_THAT(merged.outvoted, IsEmpty());
}

TEST(Outvoted, EachLoserIsCountedOnce) {
  Object object = merge(first_attempt(), acknowledged());
  EXPECT_EQ(keep_newest(object), 1u);
  EXPECT_EQ(keep_newest(object), 0u);
  object = merge(object, acknowledged());
  EXPECT_EQ(keep_newest(object), 0u);
  object = merge(object, only(version_of(kThird, 60, "third", 81)));
  EXPECT_EQ(keep_newest(object), 1u);
  EXPECT_THAT(outvoted_of(object), ElementsAre("third", "kept"));
}

// ---- writes

TEST(Outvoted, WhatAWriteCoversGoes) {
  Object object = both();
  overwrite(object, version_of(kThird, 91, "new", 81));
  keep_newest(object);
  EXPECT_THAT(values_of(object), ElementsAre("new"));
  EXPECT_THAT(object.outvoted, IsEmpty());
  EXPECT_TRUE(same_object(join(object, both()), object));
}

TEST(Outvoted, WhatAWriteCoversOfARetriedRequestTakesItsTwinsWithIt) {
  Object object = join(first_attempt(), only(retried(version_of(kSecond, 50, "lost", 79))));
  overwrite(object, version_of(kThird, 91, "new", 81));
  EXPECT_NE(object.find_spent(79), nullptr);
  const Object late = only(version_of(kFirst, 200, "lost", 79));
  EXPECT_THAT(values_of(join(object, late)), ElementsAre("new"));
}

TEST(Outvoted, AWriteWhoseContextDoesNotCoverItLeavesIt) {
  Object object = both();
  Context seen;
  seen.vector.raise(kFirst, Hlc{90});
  update(object, seen, version_of(kThird, 91, "new", 81));
  keep_newest(object);
  EXPECT_THAT(values_of(object), ElementsAre("new"));
  EXPECT_THAT(outvoted_of(object), ElementsAre("kept"));
}

// ---- limits

TEST(Outvoted, BelowTheFrontierTheWinnerStays) {
  Object object = both();
  keep_newest(object, Hlc{90});
  EXPECT_THAT(outvoted_of(object), ElementsAre("kept"));
  keep_newest(object, Hlc{91});
  EXPECT_THAT(values_of(object), ElementsAre("twin"));
  EXPECT_THAT(object.outvoted, IsEmpty());
}

TEST(Outvoted, OnlyTheNewestFewAreKept) {
  Object object;
  for (uint64_t node = 1; node <= 9; ++node) {
    object = merge(object, only(version_of({node, 1, Hlc{1}}, 10 * node, "v", node)));
  }
  EXPECT_EQ(keep_newest(object), 8u);
  ASSERT_EQ(object.outvoted.size(), kOutvotedMax);
  EXPECT_EQ(object.outvoted[0].dot.hlc, Hlc{80});
  EXPECT_EQ(object.outvoted.back().dot.hlc, Hlc{50});

  Object others;
  for (uint64_t node = 11; node <= 19; ++node) {
    others = merge(others, only(version_of({node, 1, Hlc{1}}, 5 * node, "v", node)));
  }
  keep_newest(others);
  const Object merged = merge(object, others);
  EXPECT_EQ(merged.outvoted.size(), kOutvotedMax);
  EXPECT_TRUE(well_formed(merged));
}

// ---- what else looks at objects

TEST(Outvoted, AFlushTakesWhatItCoversAndNotWhatItDoesNot) {
  FlushMarks winner, loser;
  winner.merge(0, {{kFirst.node, kFirst.incarnation, Hlc{90}}});
  loser.merge(0, {{kSecond.node, kSecond.incarnation, Hlc{50}}});
  Object object = both();
  EXPECT_TRUE(winner.apply(0, object));
  EXPECT_THAT(values_of(object), ElementsAre("kept"));
  EXPECT_THAT(object.outvoted, IsEmpty());
  object = both();
  EXPECT_TRUE(loser.apply(0, object));
  EXPECT_THAT(values_of(object), ElementsAre("twin"));
  EXPECT_THAT(object.outvoted, IsEmpty());
  EXPECT_FALSE(loser.apply(0, object));
}

TEST(Outvoted, TheDeadAmongThemGoUncounted) {
  const Object nothing = {};
  Object object = both();
  EXPECT_EQ(drop_dead(object, nothing, Hlc{50}), 0u);
  EXPECT_THAT(outvoted_of(object), ElementsAre("kept"));
  EXPECT_EQ(drop_dead(object, nothing, Hlc{60}), 0u);
  EXPECT_THAT(values_of(object), ElementsAre("twin"));
  EXPECT_THAT(object.outvoted, IsEmpty());
  object = both();
  EXPECT_EQ(drop_dead(object, nothing, Hlc{91}), 1u);
  EXPECT_TRUE(object.empty());
  object = both();
  EXPECT_EQ(drop_dead(object, acknowledged(), Hlc{91}), 1u);
  EXPECT_THAT(values_of(object), ElementsAre("kept"));
  EXPECT_THAT(object.outvoted, IsEmpty());
}

TEST(Outvoted, HoldsTheFrontierBackAndNothingBelowIt) {
  EXPECT_EQ(oldest_above(both(), {}), 50u);
  EXPECT_EQ(oldest_above(both(), Hlc{51}), 90u);
  const Object deleted = join(only(tombstone_of(kFirst, 90)), acknowledged());
  EXPECT_THAT(outvoted_of(deleted), ElementsAre("kept"));
  EXPECT_FALSE(reapable(deleted, Hlc{90}));
  EXPECT_TRUE(reapable(deleted, Hlc{91}));
  EXPECT_FALSE(evictable(both(), Hlc{90}));
  EXPECT_TRUE(evictable(both(), Hlc{91}));
}

TEST(Outvoted, OfARetriedRequestIsNotEvictedWhileItsTwinMayCome) {
  const Hlc made = Hlc::from_ms(1000);
  const Object object = join(only(retried(version_of(kSecond, made.value, "v", 79))),
                             only(version_of(kFirst, made.value + 1, "w", 80)));
  EXPECT_FALSE(evictable(object, Hlc::from_ms(1001)));
  EXPECT_TRUE(evictable(object, Hlc::from_ms(1000 + kTwinsWithinMs + 1)));
}

TEST(Outvoted, ItsEntryIsNotTruncated) {
  Object object = both();
  EXPECT_EQ(truncate_vector(object, 1, {}, {}), 0u);
  EXPECT_EQ(object.vector.size(), 2u);
}

// ---- bytes

TEST(Outvoted, TravelsAndIsStored) {
  AuthorTable authors;
  for (const Object& object :
       {both(), join(both(), replaced_twin()), join(only(tombstone_of(kFirst, 90)), both())}) {
    EXPECT_TRUE(same_object(decoded(object), object));
    std::string head;
    engine::RecordChange change;
    ASSERT_TRUE(encode_record({object, Hlc{5}}, authors, head, &change));
    Record record;
    const std::string bytes = head + std::string(change.body);
    decode_record({bytes}, authors, record);
    EXPECT_EQ(record.object.outvoted.size(), object.outvoted.size());
    EXPECT_EQ(record.own_birth, Hlc{5});
  }
  // Its dot lies in the one entry of the vector that the winner made.
  Object one_author = only(version_of(kFirst, 90, "new", 80));
  update(one_author, {}, version_of(kFirst, 91, "newer", 81));
  keep_newest(one_author);
  EXPECT_THAT(outvoted_of(decoded(one_author)), ElementsAre("new"));
}

TEST(Outvoted, WhatNoNodeWritesIsRefused) {
  Object twice = both();
  twice.outvoted[0] = twice.versions[0];
  EXPECT_FALSE(well_formed(twice));
  Object newest = both();
  std::swap(newest.outvoted[0], newest.versions[0]);
  EXPECT_FALSE(well_formed(newest));
  Object alone = both();
  alone.versions.clear();
  EXPECT_FALSE(well_formed(alone));
  Object uncovered = both();
  uncovered.outvoted[0].dot.hlc = Hlc{51};
  EXPECT_FALSE(well_formed(uncovered));
  Object spent = both();
  spent.spent.push_back({79, {kSecond, Hlc{50}}, Hlc{60}});
  EXPECT_FALSE(well_formed(spent));
  Object many = both();
  many.vector.raise(kThird, Hlc{40});
  for (uint64_t n = 0; n < kOutvotedMax; ++n) {
    many.outvoted.push_back(version_of(kThird, 40 - n, "v", 82));
  }
  EXPECT_FALSE(well_formed(many));
  many.outvoted.pop_back();
  EXPECT_TRUE(well_formed(many));
}

TEST(Outvoted, AnInlineRecordHasNone) {
  std::string bytes;
  encode_object(acknowledged(), bytes);
  Object read;
  ASSERT_TRUE(decode_object(bytes, read));
  bytes[0] = static_cast<char>(bytes[0] | 0x80);
  EXPECT_FALSE(decode_object(bytes, read));
}

// ---- a cluster

void last_writes(Founding& founding) { founding.keyspaces[0].conflicts = ConflictPolicy::kLww; }

// What the first two primaries of k hold, and the third one.
void store(TestCluster& cluster, const Object& first_two, const Object& third) {
  for (size_t place = 0; place < 3; ++place) {
    cluster.change_own(cluster.node_for("k", place), "k",
                       [&](Record& record) { record.object = place == 2 ? third : first_two; });
  }
}

TEST(Outvoted, AReadThatFindsTheTwinReplacedShowsIt) {
  TestCluster cluster(3, last_writes);
  store(cluster, both(), replaced_twin());
  EXPECT_THAT(cluster.get(cluster.node_for("k", 2), "k").values, ElementsAre("kept"));
  cluster.settle();
  for (size_t node = 0; node < 3; ++node) {
    EXPECT_THAT(cluster.get(node, "k").values, ElementsAre("kept"));
  }
}

// Exchanges compare objects without their values, and then pull what is shown anew.
TEST(Outvoted, AntiEntropyShowsItWithItsValue) {
  TestCluster cluster(4, last_writes, with_quick_rounds());
  cluster.isolate(cluster.node_for("k", 3));  // the frontier stands still
  store(cluster, both(), replaced_twin());
  cluster.pass_ms(10'000);
  for (size_t place = 0; place < 3; ++place) {
    EXPECT_THAT(cluster.own_values(cluster.node_for("k", place), "k"), ElementsAre("kept"));
  }
}

TEST(Outvoted, IsCoveredByTheContextOfWhoReadsTheWinner) {
  TestCluster cluster(3, last_writes);
  store(cluster, both(), both());
  const Answer answer = cluster.get(0, "k");
  EXPECT_THAT(answer.values, ElementsAre("twin"));
  EXPECT_TRUE(answer.context.vector.covers({kSecond, Hlc{50}}));
}

// ---- any history: last writes through nodes whose clocks differ, some given to two of them

class LastWrites {
 public:
  explicit LastWrites(uint64_t seed) : rng_(seed), copies_(kNodes), births_(kNodes) {
    for (uint64_t& skew : skews_) skew = rng_.below(3) == 0 ? rng_.below(40) : 0;
  }

  void step() {
    ++time_;
    const size_t node = rng_.below(kNodes), other = rng_.below(kNodes);
    switch (rng_.below(4)) {
      case 0:
        write(node, false, ++origins_);
        break;
      case 1:  // a first attempt, and a retry that knows nothing of it
        write(node, false, ++origins_);
        if (other != node) write(other, true, origins_);
        break;
      default:
        copies_[node] = join(copies_[node], copies_[other]);
    }
    states.push_back(copies_[node]);
  }

  std::vector<Object> states;

 private:
  static constexpr size_t kNodes = 4;  // each has one version at most that no other one covers

  void write(size_t node, bool is_retry, uint64_t origin) {
    Object& object = copies_[node];
    Hlc hlc{100 + 4 * (time_ + skews_[node])};
    for (const VectorEntry& entry : object.vector) hlc = std::max(hlc, entry.hlc.next());
    if (births_[node] == Hlc{}) births_[node] = hlc;
    Version version = version_of({node + 1, 1, births_[node]}, hlc.value, "v", origin);
    version.retried = is_retry;
    version.type = rng_.below(4) == 0 ? TypeTag::kTombstone : TypeTag::kString;
    if (version.type == TypeTag::kTombstone) version.bytes = {};
    overwrite(object, version);
    keep_newest(object);
    states.push_back(object);
  }

  Rng rng_;
  std::vector<Object> copies_;
  std::vector<Hlc> births_;
  uint64_t skews_[kNodes] = {};
  uint64_t time_ = 0, origins_ = 0;
};

RC_GTEST_PROP(OutvotedProperty, AnyOrderOfMergesShowsTheSameAndSomething, (uint64_t seed)) {
  LastWrites history(seed);
  for (size_t n = 0; n < 40; ++n) history.step();
  std::vector<Object>& states = history.states;
  Rng rng(seed ^ 1);
  const Object all = join_all(states);
  RC_ASSERT(states.empty() || all.versions.size() == 1u);
  RC_ASSERT(well_formed(all));
  for (size_t round = 0; round < 4; ++round) {
    for (size_t at = states.size(); at > 1; --at) {
      std::swap(states[at - 1], states[rng.below(at)]);
    }
    // A tree of merges, so that also copies that know much meet.
    std::vector<Object> level = states;
    while (level.size() > 1) {
      std::vector<Object> next;
      for (size_t at = 0; at < level.size(); at += 2) {
        next.push_back(at + 1 < level.size() ? join(level[at], level[at + 1]) : level[at]);
      }
      level = std::move(next);
    }
    RC_ASSERT(same_object(level[0], all));
  }
}

}  // namespace
}  // namespace kvorum::cluster

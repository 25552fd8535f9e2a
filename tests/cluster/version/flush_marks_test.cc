// SPDX-License-Identifier: Apache-2.0
#include "cluster/version/flush_marks.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <thread>

#include "base/rng.h"
#include "tests/cluster/reachable_history.h"

namespace kvorum::cluster {
namespace {

using fixtures::same_object;

constexpr Actor kX{1, 10, Hlc{1}};
constexpr Actor kY{2, 20, Hlc{1}};

Version version_at(const Actor& actor, uint64_t hlc, TypeTag type = TypeTag::kString) {
  Version version;
  version.dot = {actor, Hlc{hlc}};
  version.type = type;
  return version;
}

FlushMarkEntry entry_of(const Actor& actor, uint64_t hlc) {
  return {actor.node, actor.incarnation, Hlc{hlc}};
}

Object x5_and_y5() {
  Object object;
  update(object, {}, version_at(kX, 5));
  update(object, {}, version_at(kY, 5));
  return object;
}

TEST(FlushMarks, AKeyspaceThatWasNeverFlushedIsLeftAlone) {
  FlushMarks marks;
  EXPECT_TRUE(marks.merge(1, {entry_of(kX, 9)}));
  EXPECT_FALSE(marks.any(0));
  EXPECT_TRUE(marks.any(1));
  Object object = x5_and_y5();
  EXPECT_FALSE(marks.apply(0, object));
  EXPECT_EQ(object.versions.size(), 2U);
}

TEST(FlushMarks, CoveredVersionsGoAndTheVectorStays) {
  FlushMarks marks;
  marks.merge(0, {entry_of(kX, 5), entry_of(kY, 4)});
  Object object = x5_and_y5();
  EXPECT_TRUE(marks.apply(0, object));
  ASSERT_EQ(object.versions.size(), 1U);
  EXPECT_EQ(object.versions[0].dot.actor, kY);
  EXPECT_EQ(object.vector.size(), 2U);  // else the version would return from another replica
  EXPECT_FALSE(marks.apply(0, object));
}

TEST(FlushMarks, AMarkOverTheWholeVectorLeavesNothing) {
  FlushMarks marks;
  marks.merge(0, {entry_of(kX, 5), entry_of(kY, 5)});
  Object object = x5_and_y5();
  EXPECT_TRUE(marks.apply(0, object));
  EXPECT_TRUE(object.empty());
  EXPECT_FALSE(marks.apply(0, object));
}

TEST(FlushMarks, ABareVectorStaysUntilAllOfItIsCovered) {
  FlushMarks marks;
  marks.merge(0, {entry_of(kX, 9)});
  Object object = x5_and_y5();
  object.versions.clear();
  EXPECT_FALSE(marks.apply(0, object));
  marks.merge(0, {entry_of(kY, 5)});
  EXPECT_TRUE(marks.apply(0, object));
  EXPECT_TRUE(object.empty());
}

TEST(FlushMarks, ATombstoneStaysUntilItsWholeVectorIsCovered) {
  // It removed Y's version, which no mark covers yet: dropping it would bring that back.
  Object object;
  update(object, {}, version_at(kY, 7));
  const Object removed = object;
  update(object, Context{object.vector, {}}, version_at(kX, 8, TypeTag::kTombstone));
  FlushMarks marks;
  marks.merge(0, {entry_of(kX, 9), entry_of(kY, 6)});
  EXPECT_FALSE(marks.apply(0, object));
  EXPECT_EQ(object.versions.size(), 1U);
  Object late = removed;
  marks.apply(0, late);
  EXPECT_TRUE(same_object(merge(object, late), object));
  marks.merge(0, {entry_of(kY, 7)});
  EXPECT_TRUE(marks.apply(0, object));
  EXPECT_TRUE(object.empty());
}

TEST(FlushMarks, AnotherIncarnationIsAnotherAuthorAndBirthsDoNotMatter) {
  FlushMarks marks;
  marks.merge(0, {entry_of(kX, 9)});
  Object object;
  update(object, {}, version_at({kX.node, kX.incarnation + 1, Hlc{1}}, 5));
  EXPECT_FALSE(marks.apply(0, object));
  Object born_later;
  update(born_later, {}, version_at({kX.node, kX.incarnation, Hlc{4}}, 5));
  EXPECT_TRUE(marks.apply(0, born_later));
}

// ---- merging

FlushMark draw_mark() {
  const auto entries = *rc::gen::container<std::vector<std::pair<uint8_t, uint8_t>>>(
      rc::gen::pair(rc::gen::inRange<uint8_t>(1, 60), rc::gen::inRange<uint8_t>(1, 50)));
  FlushMark mark;
  for (const auto& [author, hlc] : entries) {
    mark.push_back({author % 8u + 1, author / 8u, Hlc{hlc}});
  }
  return mark;
}

RC_GTEST_PROP(FlushMarksProperty, MergesCommuteAndTakeTheMaximum, ()) {
  const FlushMark a = draw_mark();
  const FlushMark b = draw_mark();
  FlushMarks ab;
  ab.merge(3, a);
  ab.merge(3, b);
  FlushMarks ba;
  ba.merge(3, b);
  ba.merge(3, a);
  RC_ASSERT(ab.mark(3) == ba.mark(3));
  RC_ASSERT(!ab.merge(3, a));
  RC_ASSERT(!ab.merge(3, b));
  for (const FlushMarkEntry& entry : ab.mark(3)) {
    Hlc highest;
    for (const FlushMark* mark : {&a, &b}) {
      for (const FlushMarkEntry& other : *mark) {
        if (other.node != entry.node || other.incarnation != entry.incarnation) continue;
        highest = std::max(highest, other.hlc);
      }
    }
    RC_ASSERT(entry.hlc == highest);
  }
}

fixtures::Dots values_of(const Object& object) {
  fixtures::Dots dots;
  for (const Version& version : object.versions) {
    if (version.type != TypeTag::kTombstone) dots.insert(version.dot);
  }
  return dots;
}

// Replicas that learn of a mark before or after a merge show the same values: what a mark removed
// never returns. (A tombstone may outlive its vector's mark at one of them, seen by nobody.)
RC_GTEST_PROP(FlushMarksProperty, ApplyingBeforeOrAfterAMergeIsTheSame, ()) {
  fixtures::History history({});
  history.run(fixtures::draw_steps());
  FlushMarks marks;
  FlushMark mark;
  for (uint64_t node = 1; node <= fixtures::History::kReplicas; ++node) {
    const uint64_t hlc = *rc::gen::inRange<uint64_t>(0, 80);
    for (uint64_t incarnation = 1; incarnation < 20; ++incarnation) {
      mark.push_back({node, incarnation, Hlc::from_ms(hlc)});
    }
  }
  marks.merge(0, mark);
  const auto applied = [&marks](Object object) {
    marks.apply(0, object);
    return object;
  };
  bool same_versions = true;
  const std::vector<Object> states = fixtures::sample_states(history);
  for (const Object& a : states) {
    for (const Object& b : states) {
      const Object after = applied(merge(a, b));
      const Object before = applied(merge(applied(a), applied(b)));
      const Object half = applied(merge(applied(a), b));
      same_versions &= values_of(after) == values_of(before);
      same_versions &= values_of(after) == values_of(half);
    }
  }
  RC_ASSERT(same_versions);
}

TEST(FlushMarks, TheGenerationCountsRaisesOnly) {
  FlushMarks marks;
  EXPECT_EQ(marks.generation(), 0U);
  EXPECT_FALSE(marks.merge(0, {}));
  EXPECT_TRUE(marks.merge(0, {entry_of(kX, 5)}));
  EXPECT_FALSE(marks.merge(0, {entry_of(kX, 4)}));
  EXPECT_EQ(marks.generation(), 1U);
  EXPECT_EQ(marks.stored(), 0U);
  marks.set_stored(1);
  marks.set_stored(0);
  EXPECT_EQ(marks.stored(), 1U);
}

TEST(FlushMarks, EachRaiseIsSweptOnce) {
  FlushMarks marks;
  EXPECT_TRUE(marks.swept(0));
  EXPECT_FALSE(marks.claim_sweep(0));
  marks.merge(0, {entry_of(kX, 5)});
  EXPECT_FALSE(marks.swept(0));
  EXPECT_TRUE(marks.swept(1));
  const auto first = marks.claim_sweep(0);
  ASSERT_TRUE(first);
  EXPECT_FALSE(marks.claim_sweep(0));
  marks.merge(0, {entry_of(kX, 6)});
  const auto second = marks.claim_sweep(0);
  ASSERT_TRUE(second);
  marks.finish_sweep(0, *first);
  EXPECT_FALSE(marks.swept(0));
  marks.finish_sweep(0, *second);
  EXPECT_TRUE(marks.swept(0));
}

// ---- forgotten below the frontier

FlushMarks& swept(FlushMarks& marks) {
  while (const auto claimed = marks.claim_sweep(0)) {
    marks.finish_sweep(0, *claimed);
    marks.settle_sweep(0, *claimed);
  }
  return marks;
}

TEST(FlushMarksForgotten, OnlyWhereAllOfItLiesBelow) {
  FlushMarks marks;
  marks.merge(0, {entry_of(kX, 5), entry_of(kY, 9)});
  swept(marks).forget_below(Hlc{9});
  EXPECT_EQ(marks.mark(0).size(), 2U);
  EXPECT_TRUE(marks.any(0));
  const uint64_t generation = marks.generation();
  marks.forget_below(Hlc{10});
  EXPECT_TRUE(marks.mark(0).empty());
  EXPECT_FALSE(marks.any(0));
  EXPECT_EQ(marks.digest(), FlushMarks().digest());
  EXPECT_GT(marks.generation(), generation) << "the store forgets it too";
}

TEST(FlushMarksForgotten, WhoStillTellsOfItIsNotListenedTo) {
  FlushMarks marks;
  marks.forget_below(Hlc{10});
  EXPECT_FALSE(marks.merge(0, {entry_of(kX, 5), entry_of(kY, 9)}));
  EXPECT_FALSE(marks.any(0));
  EXPECT_TRUE(marks.merge(0, {entry_of(kX, 5), entry_of(kY, 10)})) << "a new one, of old authors";
  EXPECT_EQ(marks.mark(0).size(), 2U);
}

// Others need not know any more; objects here still do.
TEST(FlushMarksForgotten, ItCoversHereUntilAllObjectsWereSwept) {
  FlushMarks marks;
  marks.merge(0, {entry_of(kX, 5)});
  marks.forget_below(Hlc{10});
  EXPECT_TRUE(marks.mark(0).empty());
  Object object;
  update(object, {}, version_at(kX, 5));
  EXPECT_TRUE(marks.apply(0, object));
  std::string others, stored;
  marks.encode(others);
  marks.encode_all(stored);
  EXPECT_TRUE(others.empty());
  FlushMarks again;
  ASSERT_TRUE(again.merge_encoded(stored));
  EXPECT_EQ(again.mark(0), (FlushMark{entry_of(kX, 5)}));
  swept(marks).forget_below(Hlc{10});
  EXPECT_FALSE(marks.any(0));
}

TEST(FlushMarksForgotten, TheNextMarkBeginsAnew) {
  FlushMarks marks;
  marks.merge(0, {entry_of(kX, 5), entry_of(kY, 6)});
  swept(marks).forget_below(Hlc{7});
  EXPECT_TRUE(marks.merge(0, {entry_of(kX, 4), entry_of(kY, 20)}));
  EXPECT_EQ(marks.mark(0).size(), 2U);
  EXPECT_FALSE(marks.merge(0, {entry_of(kX, 4)}));
  FlushMarks other;
  other.merge(0, {entry_of(kY, 30)});
  EXPECT_EQ(other.mark(0), (FlushMark{entry_of(kY, 30)}));
  marks.merge(0, {entry_of(kY, 30)});
  swept(marks).forget_below(Hlc{31});
  marks.merge(0, {entry_of(kY, 40)});
  other.merge(0, {entry_of(kY, 40)});
  EXPECT_EQ(marks.mark(0), other.mark(0)) << "nothing of before";
  EXPECT_EQ(marks.digest(), other.digest());
}

TEST(FlushMarksForgotten, AFlushCompletesItsMarkWithAReadingOfItsOwn) {
  FlushMarks marks;
  FlushMark mark{entry_of(kX, 5)};
  marks.flush(0b11, mark, [] { return entry_of(kY, 8); });
  EXPECT_EQ(mark, (FlushMark{entry_of(kX, 5), entry_of(kY, 8)}));
  EXPECT_EQ(marks.mark(0), mark);
  EXPECT_EQ(marks.mark(1), mark);
  EXPECT_FALSE(marks.any(2));
  EXPECT_EQ(marks.generation(), 1U);
}

// ---- bytes

RC_GTEST_PROP(FlushMarksProperty, EncodedMarksComeBack, ()) {
  FlushMarks marks;
  const FlushMark shared = draw_mark();
  marks.merge(0, shared);
  marks.merge(5, shared);
  marks.merge(15, draw_mark());
  std::string bytes;
  marks.encode(bytes);
  FlushMarks other;
  RC_ASSERT(other.merge_encoded(bytes));
  for (uint8_t keyspace = 0; keyspace < kKeyspacesMax; ++keyspace) {
    RC_ASSERT(other.mark(keyspace) == marks.mark(keyspace));
  }
}

TEST(FlushMarksBytes, FlushallIsWrittenOnce) {
  FlushMarks marks;
  for (uint8_t keyspace = 0; keyspace < kKeyspacesMax; ++keyspace) {
    marks.merge(keyspace, {entry_of(kX, 5), entry_of(kY, 6)});
  }
  std::string bytes;
  marks.encode(bytes);
  EXPECT_EQ(bytes.size(), 2U + 1 + 2 * 24);
}

TEST(FlushMarksBytes, MergingTellsTheEntryOfAnAuthorAskedFor) {
  std::string bytes;
  encode_mark(0b101, {entry_of(kX, 5), entry_of(kY, 6)}, bytes);
  encode_mark(0b010, {entry_of(kX, 7)}, bytes);
  FlushMarks marks;
  FlushMarkEntry own = entry_of(kX, 0);
  ASSERT_TRUE(marks.merge_encoded(bytes, &own));
  EXPECT_EQ(own.hlc, Hlc{7});
  EXPECT_EQ(marks.mark(2), (FlushMark{entry_of(kX, 5), entry_of(kY, 6)}));
  EXPECT_EQ(marks.mark(1), (FlushMark{entry_of(kX, 7)}));
  EXPECT_FALSE(marks.any(3));
}

TEST(FlushMarksBytes, DamagedBytesMergeNothing) {
  std::string bytes;
  encode_mark(1, {entry_of(kX, 5), entry_of(kY, 6)}, bytes);
  encode_mark(2, {entry_of(kX, 7)}, bytes);
  const size_t first = 2 + 1 + 2 * 24;
  for (size_t size = 1; size < bytes.size(); ++size) {
    FlushMarks marks;
    EXPECT_EQ(marks.merge_encoded(bytes.substr(0, size)), size == first) << size;
    EXPECT_EQ(marks.any(0), size == first);
  }
  std::string nowhere;
  encode_mark(0, {entry_of(kX, 5)}, nowhere);
  std::string nobody;
  encode_mark(1, {{0, 1, Hlc{5}}}, nobody);
  std::string never;
  encode_mark(1, {{1, 1, Hlc{0}}}, never);
  for (const std::string& damaged : {nowhere, nobody, never}) {
    FlushMarks marks;
    EXPECT_FALSE(marks.merge_encoded(damaged));
    EXPECT_EQ(marks.generation(), 0U);
  }
}

TEST(FlushMarksBytes, RandomBytesNeverCrash) {
  Rng rng(5);
  for (int round = 0; round < 20000; ++round) {
    std::string bytes(rng.below(90), '\0');
    for (char& byte : bytes) byte = static_cast<char>(rng.below(rng.chance(0.7) ? 3 : 256));
    FlushMarks marks;
    const bool whole = marks.merge_encoded(bytes);
    EXPECT_TRUE(whole || marks.generation() == 0);
  }
}

// ---- threads

TEST(FlushMarksThreads, ReadersSeeOnlyWhatWasMergedWhileTablesGrow) {
  constexpr uint64_t kAuthors = 3000;
  FlushMarks marks;
  std::atomic<uint64_t> merged{0};
  std::thread writer([&] {
    for (uint64_t author = 1; author <= kAuthors; ++author) {
      marks.merge(0, {{author, author * 7, Hlc{author}}});
      marks.merge(0, {{1, 7, Hlc{author + 1}}});
      merged.store(author, std::memory_order_release);
    }
  });
  std::vector<std::thread> readers;
  for (uint64_t reader = 0; reader < 2; ++reader) {
    readers.emplace_back([&, reader] {
      Rng rng(reader);
      for (;;) {
        const uint64_t known = merged.load(std::memory_order_acquire);
        const uint64_t author = rng.between(1, kAuthors);
        Object covered;
        update(covered, {}, version_at({author, author * 7, Hlc{1}}, author));
        Object above;
        update(above, {}, version_at({author + 1, author * 7, Hlc{1}}, 1));
        EXPECT_TRUE(marks.apply(0, covered) || author > known);
        EXPECT_FALSE(marks.apply(0, above));
        if (known == kAuthors) break;
      }
    });
  }
  writer.join();
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(marks.mark(0).size(), kAuthors);
}

TEST(FlushMarksThreads, ASweepIsClaimedByOneOfThem) {
  FlushMarks marks;
  std::atomic<int> claims{0};
  for (uint64_t round = 1; round <= 200; ++round) {
    marks.merge(0, {entry_of(kX, round)});
    std::thread other([&] { claims += marks.claim_sweep(0).has_value(); });
    claims += marks.claim_sweep(0).has_value();
    other.join();
    EXPECT_EQ(claims.load(), static_cast<int>(round));
  }
}

}  // namespace
}  // namespace kvorum::cluster

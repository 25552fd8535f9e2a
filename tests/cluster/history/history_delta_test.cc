// SPDX-License-Identifier: Apache-2.0
#include "cluster/history/history_delta.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "tests/cluster/random_history.h"

namespace kvorum::cluster {
namespace {

using fixtures::encoded;
using fixtures::founder;
using fixtures::HistoryDraw;
using fixtures::make_change;
using fixtures::make_founding;
using fixtures::make_join;

std::string buckets_of(const History& history) {
  std::string out;
  encode_buckets(history, out);
  return out;
}

std::string difference(const History& history, const std::string& other_buckets) {
  std::string out;
  EXPECT_TRUE(encode_difference(history, other_buckets, out));
  return out;
}

// One round trip, begun by a.
void exchange(History& a, History& b) {
  const std::string asked = buckets_of(a);
  const std::string to_a = difference(b, asked);
  const std::string answer_to = buckets_of(b);
  if (to_a.empty()) return;
  EXPECT_TRUE(merge_difference(a, to_a));
  EXPECT_TRUE(merge_difference(b, difference(a, answer_to)));
}

TEST(HistoryDelta, EqualHistoriesSendNothing) {
  History history(make_founding(3));
  HistoryDraw(1, 1).grow(history, 40);
  EXPECT_EQ(difference(history, buckets_of(history)), "");
  EXPECT_EQ(merge_difference(history, ""), false);
  EXPECT_EQ(buckets_of(history).size(), 520U);
}

TEST(HistoryDelta, OneFactMoreIsSentWithItsBucketAlone) {
  History more(make_founding(3, 256));
  more.add(make_join(5, 100, "m0"));
  for (uint32_t partition = 0; partition < 256; ++partition) {
    more.add(Fact::vote(partition, founder(more, 0), more.newest()));
  }
  History less = more;
  more.add(Fact::vote(7, founder(more, 1), more.newest()));
  const std::string sent = difference(more, buckets_of(less));
  EXPECT_LT(sent.size(), encoded(more).size() / 10);
  EXPECT_EQ(merge_difference(less, sent), true);
  EXPECT_EQ(encoded(less), encoded(more));
  EXPECT_EQ(merge_difference(less, sent), false);
}

TEST(HistoryDelta, WhoHasNothingAnswersStill) {
  History a(make_founding(3)), b(make_founding(3));
  a.add(make_join(5, 100, "m0"));
  const std::string sent = difference(b, buckets_of(a));
  EXPECT_FALSE(sent.empty());
  EXPECT_EQ(merge_difference(a, sent), false);
  exchange(a, b);
  EXPECT_EQ(encoded(a), encoded(b));
}

TEST(HistoryDelta, FactsComeWithTheSetsThatTheyName) {
  // Before the answer arrives, the asking node forgets a set which the answer names.
  History a(make_founding(3));
  a.add(make_join(5, 100, "m0"));
  const SetId first = a.newest();
  a.add(Fact::vote(1, founder(a, 0), first));
  History b = a;
  b.add(Fact::vote(2, founder(a, 0), first));
  b.add(make_join(7, 102, "m2"));
  const std::string asked = buckets_of(a);
  a.add(make_join(6, 101, "m1"));
  a.add(Fact::settled(1, a.newest()));
  ASSERT_FALSE(a.knows(first));
  EXPECT_EQ(merge_difference(a, difference(b, asked)), true);
  EXPECT_TRUE(a.knows(first));
  EXPECT_TRUE(a.facts_of(2).contains(Fact::vote(2, founder(a, 0), first)));
}

TEST(HistoryDelta, FactsWithoutTheirSetsAreRefused) {
  History known(make_founding(3)), history(make_founding(3));
  known.add(make_join(5, 100, "m0"));
  std::string bytes;
  put_u64(bytes, history.cluster_id());
  encode_element(Fact::vote(1, 7, known.newest()), bytes);
  EXPECT_EQ(merge_difference(history, bytes), std::nullopt);
  encode_element(*known.find_set(known.newest()), bytes);
  EXPECT_EQ(merge_difference(history, bytes), std::nullopt);  // the set's change is not there
  encode_element(make_join(5, 100, "m0"), bytes);
  EXPECT_EQ(merge_difference(history, bytes), std::nullopt);  // nor the first change's founding
  EXPECT_EQ(history.digest(), 0U);
  encode_element(make_founding(3), bytes);
  EXPECT_EQ(merge_difference(history, bytes), true);
  EXPECT_EQ(history.newest(), known.newest());
}

TEST(HistoryDelta, OfAnotherClusterIsRefused) {
  History history(make_founding(3)), other(make_founding(4));
  other.add(make_join(5, 100, "m0"));
  std::string out;
  EXPECT_FALSE(encode_difference(history, buckets_of(other), out));
  EXPECT_EQ(merge_difference(history, difference(other, buckets_of(History(make_founding(4))))),
            std::nullopt);
  std::string smuggled;
  put_u64(smuggled, history.cluster_id());
  encode_element(make_founding(4), smuggled);
  EXPECT_EQ(merge_difference(history, smuggled), std::nullopt);
}

TEST(HistoryDelta, MalformedBucketsAreRefused) {
  const History history(make_founding(3));
  const std::string buckets = buckets_of(history);
  std::string out;
  for (size_t size = 0; size < buckets.size(); ++size) {
    EXPECT_FALSE(encode_difference(history, std::string_view(buckets).substr(0, size), out));
  }
  EXPECT_FALSE(encode_difference(history, buckets + '\0', out));
  EXPECT_EQ(out, "");
}

TEST(HistoryDelta, ChangedBytesNeverCrash) {
  History history(make_founding(3));
  HistoryDraw(1, 1).grow(history, 30);
  const History empty(make_founding(3));
  const std::string bytes = difference(history, buckets_of(empty));
  Rng rng(5);
  for (int round = 0; round < 20'000; ++round) {
    std::string changed = bytes;
    for (uint64_t flips = rng.below(4); flips > 0; --flips) {
      changed[rng.below(changed.size())] = static_cast<char>(rng.below(256));
    }
    if (rng.chance(0.2)) changed.resize(rng.below(changed.size()));
    History taken = empty;
    if (!merge_difference(taken, changed)) {
      ASSERT_EQ(taken.digest(), 0U);
      continue;
    }
    const auto decoded = History::decode(encoded(taken));
    ASSERT_TRUE(decoded);
    ASSERT_EQ(decoded->digest(), taken.digest());
  }
}

RC_GTEST_PROP(HistoryDeltaProperty, OneRoundTripMakesTwoHistoriesEqual, ()) {
  const auto seed = *rc::gen::arbitrary<uint64_t>();
  History a(make_founding(3));
  HistoryDraw(seed, 1).grow(a, *rc::gen::inRange<size_t>(0, 30));
  History b = a;
  HistoryDraw(seed + 1, 2).grow(a, *rc::gen::inRange<size_t>(0, 20));
  HistoryDraw(seed + 2, 3).grow(b, *rc::gen::inRange<size_t>(0, 20));
  History both = a;
  both.merge(b);
  exchange(a, b);
  RC_ASSERT(encoded(a) == encoded(b));
  RC_ASSERT(encoded(a) == encoded(both));
}

// What comes while the answer is under way does no harm: the answer is whole all the same.
RC_GTEST_PROP(HistoryDeltaProperty, AnAnswerToAnOlderQuestionIsWhole, ()) {
  const auto seed = *rc::gen::arbitrary<uint64_t>();
  History a(make_founding(3));
  HistoryDraw(seed, 1).grow(a, *rc::gen::inRange<size_t>(0, 30));
  History b = a;
  HistoryDraw(seed + 1, 2).grow(b, *rc::gen::inRange<size_t>(0, 20));
  const std::string asked = buckets_of(a);
  HistoryDraw(seed + 2, 3).grow(a, *rc::gen::inRange<size_t>(0, 20));
  History both = a;
  both.merge(b);
  const std::string answer = difference(b, asked);
  if (!answer.empty()) RC_ASSERT(merge_difference(a, answer).has_value());
  RC_ASSERT(encoded(a) == encoded(both));
}

// Whoever had the earlier one has the later one then.
RC_GTEST_PROP(HistoryDeltaProperty, AdditionsMakeTheLaterOne, ()) {
  const auto seed = *rc::gen::arbitrary<uint64_t>();
  History history(make_founding(4, 4));
  HistoryDraw(seed, 1).grow(history, *rc::gen::inRange<size_t>(0, 15));
  History earlier = history;
  HistoryDraw(seed + 1, 2).grow(history, *rc::gen::inRange<size_t>(0, 15));
  std::string added;
  encode_additions(earlier, history, added);
  const std::optional<bool> merged = merge_difference(earlier, added);
  RC_ASSERT(merged.has_value());
  RC_ASSERT(earlier.digest() == history.digest());
  RC_ASSERT(merge_difference(earlier, added) == std::optional<bool>(false));
}

TEST(HistoryFacts, AreSharedByCopies) {
  History history(make_founding(4));
  history.add(make_change(5, ChangeKind::kLeave, founder(history, 1)));
  const SetId newest = history.newest();
  history.add(Fact::vote(2, founder(history, 0), newest));
  history.add(Fact::vote(3, founder(history, 0), newest));
  History later = history;
  EXPECT_THAT(later.other_facts(history), testing::IsEmpty());
  later.add(Fact::vote(3, founder(history, 2), newest));
  later.add(Fact::vote(7, founder(history, 2), newest));
  EXPECT_THAT(later.other_facts(history), testing::ElementsAre(3, 7));
  EXPECT_THAT(history.other_facts(later), testing::ElementsAre(3, 7));
  EXPECT_EQ(history.facts_of(3).size(), 1u);
}

}  // namespace
}  // namespace kvorum::cluster

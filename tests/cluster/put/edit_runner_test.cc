// SPDX-License-Identifier: Apache-2.0
// An edit in its key's critical section: what it sees, and the record that it leaves.
#include "cluster/put/edit_runner.h"

#include <gmock/gmock.h>

#include "tests/cluster/lone_requests.h"

namespace kvorum::cluster::fixtures {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;
using Applied = EditRunner::Applied;

// Does what its argument says.
EditOutput told(const EditInput& input, std::string& scratch) {
  EditOutput output;
  const std::string_view what = input.argument;
  if (what == "keep") return output;
  output.verdict = EditOutput::Verdict::kStore;
  output.bytes = input.value;
  output.reply_number = static_cast<int64_t>(input.visible.size());
  if (what == "reject") {
    output.verdict = EditOutput::Verdict::kReject;
    scratch = "ERR told so";
    output.reply_bytes = scratch;
  } else if (what == "reply") {
    scratch = "the reply";
    output.has_reply_bytes = true;
    output.reply_code = 7;
    output.reply_bytes = scratch;
  } else if (what == "deadline") {
    output.flags = 9;
    output.deadline_ms = input.now_ms + 1000;
  } else if (what == "too late") {
    output.deadline_ms = input.now_ms;
  } else if (what == "keep origin") {
    output.keep_origin = true;
    if (!input.visible.empty()) output.bytes = input.visible[0].bytes;
  } else if (what == "named") {
    output.marks = kMarkNamed | kMarkStale;
    output.origin = 1234;
  } else if (what == "large") {
    scratch.assign(kSharedBytesMin, 'x');
    output.bytes = scratch;
  }
  return output;
}
constexpr EditRow kTold[] = {{"told", told, false, true}};

class Edits : public ::testing::Test {
 protected:
  explicit Edits(LoneShape shape = {}) : lone(with_told(std::move(shape))) { begin("store"); }

  static LoneShape with_told(LoneShape shape) {
    shape.adjust_parts = [](NodeParts& parts) { parts.edits = kTold; };
    return shape;
  }
  void begin(std::string_view what) {
    Request request = lone.edit(0);
    request.argument = what;
    id = lone.acquire(Operation::Kind::kPut, request);
  }
  void bring(const Context& context) {
    known = context;
    operation().forwarded.request.has_context = true;
    operation().forwarded.request.context = &known;
  }
  Applied apply() { return runner.apply(operation(), record, lone.now); }
  Operation& operation() { return lone.of(id); }
  const Writing& writing() { return operation().writing; }
  std::vector<std::string> values() const { return LoneRequests::values_of(record.object); }
  const Version& version() const { return record.object.versions[0]; }

  LoneRequests lone;
  EditRunner runner{lone.core};
  Record record;
  Context known;
  SlotId id = 0;
};

TEST_F(Edits, ANewVersionIsThisNodesAndReplacesWhatWasThere) {
  record.object = lone.object_of(1, 1, "old");
  EXPECT_EQ(apply(), Applied::kStored);
  EXPECT_THAT(values(), ElementsAre("new"));
  EXPECT_EQ(version().dot.actor.node, lone.id_of(0));
  EXPECT_EQ(version().dot.actor.incarnation, LoneCore::kIncarnation);
  EXPECT_EQ(version().origin, LoneRequests::kOrigin);
  EXPECT_FALSE(version().retried);
  EXPECT_EQ(record.own_birth, version().dot.actor.birth);
  EXPECT_TRUE(writing().was_stored);
  EXPECT_EQ(writing().edit.reply_number, 1);
  EXPECT_FALSE(writing().saw_siblings);
}

TEST_F(Edits, WhatWasReadIsMergedBeforeTheEdit) {
  record.object = lone.object_of(1, 1, "here");
  operation().reading.held.hold(lone.object_of(2, 2, "read"));
  EXPECT_EQ(apply(), Applied::kStored);
  EXPECT_EQ(writing().edit.reply_number, 2);
  EXPECT_TRUE(writing().saw_siblings);
  EXPECT_THAT(values(), ElementsAre("new"));
}

TEST_F(Edits, OneThatKeepsStoresNothing) {
  record.object = lone.object_of(1, 1, "old");
  begin("keep");
  operation().reading.held.hold(record.object);
  EXPECT_EQ(apply(), Applied::kNothingToStore);
  EXPECT_FALSE(writing().was_stored);
  EXPECT_THAT(values(), ElementsAre("old"));
}

TEST_F(Edits, OneThatKeepsStoresWhatWasReadAndIsNew) {
  record.object = lone.object_of(1, 1, "old");
  begin("keep");
  operation().reading.held.hold(lone.object_of(1, 2, "read"));
  EXPECT_EQ(apply(), Applied::kStored);
  EXPECT_FALSE(writing().was_stored) << "no version of its own";
  EXPECT_THAT(values(), ElementsAre("read"));
}

TEST_F(Edits, TheTextOfARejectionIsKept) {
  begin("reject");
  EXPECT_EQ(apply(), Applied::kNothingToStore);
  lone.core.edit_scratch = "another one ran";
  const Completion completion = edit_completion(operation());
  EXPECT_EQ(completion.outcome, Outcome::kRejected);
  EXPECT_EQ(completion.text, "ERR told so");
  EXPECT_FALSE(completion.stored);
}

TEST_F(Edits, ItsReplyIsKept) {
  begin("reply");
  apply();
  lone.core.edit_scratch = "another one ran";
  const Completion completion = edit_completion(operation());
  EXPECT_EQ(completion.outcome, Outcome::kOk);
  EXPECT_TRUE(completion.stored);
  EXPECT_TRUE(completion.has_reply_bytes);
  EXPECT_EQ(completion.reply_bytes, "the reply");
  EXPECT_EQ(completion.reply_code, 7);
  EXPECT_TRUE(completion.text.empty());
}

// memcached's E flag and its stale items.
TEST_F(Edits, AClientMayNameTheVersionAndMarksStayWithItsOrigin) {
  begin("named");
  apply();
  EXPECT_EQ(version().origin, 1234u);
  EXPECT_EQ(version().marks, kMarkNamed | kMarkStale);
  begin("keep origin");
  apply();
  EXPECT_EQ(version().origin, 1234u);
  EXPECT_EQ(version().marks, kMarkNamed | kMarkStale);
  begin("store");
  apply();
  EXPECT_EQ(version().origin, LoneRequests::kOrigin);
  EXPECT_EQ(version().marks, 0);
}

TEST_F(Edits, ANameIsNotTakenWhereTwinsOfItMayBe) {
  record.object.spent.push_back({1234, {}, Hlc{1}});
  begin("named");
  apply();
  EXPECT_EQ(version().origin, LoneRequests::kOrigin);
  EXPECT_EQ(version().marks, kMarkStale);
}

TEST_F(Edits, FlagsAndDeadlineAreTheEdits) {
  begin("deadline");
  apply();
  EXPECT_EQ(version().flags, 9u);
  EXPECT_EQ(version().deadline_ms, lone.core.clock_ms(lone.now) + 1000);
  EXPECT_EQ(version().type, TypeTag::kString);
}

TEST_F(Edits, WhatIsOverAtOnceIsATombstone) {
  begin("too late");
  EXPECT_EQ(apply(), Applied::kStored);
  EXPECT_EQ(version().type, TypeTag::kTombstone);
  EXPECT_EQ(version().deadline_ms, 0u);
  EXPECT_TRUE(version().bytes.empty());
}

// ---- origins

TEST_F(Edits, OnesThatKeepTheBytesKeepTheirOrigin) {
  Version old = lone.version_of(1, 1, "old");
  old.origin = 555;
  update(record.object, {}, old);
  begin("keep origin");
  apply();
  EXPECT_THAT(values(), ElementsAre("old"));
  EXPECT_EQ(version().origin, 555u);
}

TEST_F(Edits, ButNotTheOneOfAVersionThatMayHaveTwins) {
  Version old = lone.version_of(1, 1, "old");
  old.origin = 555;
  old.retried = true;
  update(record.object, {}, old);
  begin("keep origin");
  apply();
  EXPECT_EQ(version().origin, LoneRequests::kOrigin);
}

TEST_F(Edits, ARetryMarksItsVersion) {
  operation().route.retried = true;
  apply();
  EXPECT_TRUE(version().retried);
}

TEST_F(Edits, ATwinThatWasReplacedDoesNotComeOnTop) {
  Version twin = lone.version_of(1, 1, "twin");
  twin.origin = LoneRequests::kOrigin;
  twin.retried = true;
  update(record.object, {}, twin);
  Context seen;
  seen.vector = record.object.vector;
  update(record.object, seen, lone.version_of(2, 2, "later"));
  ASSERT_NE(record.object.find_spent(LoneRequests::kOrigin), nullptr);
  operation().forwarded.request.wants_context = true;
  EXPECT_EQ(apply(), Applied::kStored);
  EXPECT_THAT(values(), ElementsAre("later"));
  EXPECT_TRUE(writing().was_stored) << "once";
  EXPECT_TRUE(writing().new_context.covers(twin.dot));
}

// ---- contexts

TEST_F(Edits, WhatTheContextDoesNotCoverBecomesASibling) {
  record.object = merge(lone.object_of(1, 1, "seen"), lone.object_of(2, 2, "unseen"));
  Context context;
  context.vector = lone.object_of(1, 1, "seen").vector;
  bring(context);
  EXPECT_EQ(apply(), Applied::kStored);
  EXPECT_THAT(values(), UnorderedElementsAre("unseen", "new"));
}

TEST_F(Edits, ASecondWriteCoversWhatTheFirstLeftUncovered) {
  const Object kept = lone.object_of(2, 1, "kept");
  operation().writing.uncovered = kept.vector;
  apply();
  EXPECT_TRUE(record.object.vector.covers_all(kept.vector));
}

TEST_F(Edits, TheNewContextCoversTheNewDotAlone) {
  record.object = lone.object_of(2, 2, "unseen");
  operation().forwarded.request.wants_context = true;
  bring({});
  apply();
  const Context& given = writing().new_context;
  EXPECT_FALSE(given.covers(lone.version_of(2, 2, "unseen").dot));
  ASSERT_EQ(given.detached.size(), 1u);
  EXPECT_NE(record.object.find(given.detached[0]), nullptr);
}

TEST_F(Edits, WithoutAWishThereIsNoNewContext) {
  apply();
  EXPECT_TRUE(writing().new_context.empty());
}

// ---- bounds

struct FewVersions : Edits {
  FewVersions() : Edits({.options = {.siblings_max = 2, .clock_entries_max = 2}}) {}
};

TEST_F(FewVersions, OneSiblingTooManyIsRefused) {
  record.object = merge(lone.object_of(1, 1, "a"), lone.object_of(2, 2, "b"));
  bring({});
  EXPECT_EQ(apply(), Applied::kTooManySiblings);
}

TEST_F(FewVersions, AVectorThatGrowsTooLongLosesItsOldestEntry) {
  for (const MemberIndex author : {MemberIndex{1}, MemberIndex{2}}) {
    Context all;
    all.vector = record.object.vector;
    update(record.object, all, lone.version_of(author, author, "old"));
  }
  ASSERT_EQ(record.object.vector.size(), 2u);
  apply();
  EXPECT_EQ(lone.core.counters.clock_truncations, 1u);
  EXPECT_EQ(record.object.vector.size(), 2u);
  EXPECT_FALSE(record.object.vector.covers(lone.version_of(1, 1, "").dot));
  EXPECT_TRUE(record.object.vector.covers(lone.version_of(2, 2, "").dot));
}

// ---- last write wins

struct LwwEdits : Edits {
  LwwEdits() : Edits({.conflicts = ConflictPolicy::kLww}) {}
};

TEST_F(LwwEdits, TheNewVersionIsNewerThanWhatItReplaces) {
  record.object = lone.object_of(1, 60'000, "by a clock that is fast");
  EXPECT_EQ(apply(), Applied::kStored);
  EXPECT_THAT(values(), ElementsAre("new"));
  EXPECT_GT(version().dot.hlc, Hlc::from_ms(LoneCore::kWallMs + 60'000));
}

TEST_F(LwwEdits, SiblingsThatWereReadAreDroppedBeforeTheEditSeesThem) {
  record.object = lone.object_of(1, 1, "a");
  operation().reading.held.hold(lone.object_of(2, 2, "b"));
  apply();
  EXPECT_EQ(writing().edit.reply_number, 1);
  EXPECT_EQ(lone.core.counters.concurrent_dropped, 1u);
}

// ---- large values

TEST_F(Edits, LargeBytesThatTheEditMadeGetAnOwner) {
  begin("large");
  apply();
  ASSERT_NE(version().owner, nullptr);
  EXPECT_EQ(*version().owner, writing().made);
  EXPECT_EQ(version().bytes, std::string(kSharedBytesMin, 'x'));
  EXPECT_TRUE(lone.core.edit_scratch.empty()) << "which are its memory";
}

TEST_F(Edits, LargeBytesOfTheRequestKeepTheirOwner) {
  const SharedBytes bytes = share(std::string(kSharedBytesMin, 'y'));
  operation().forwarded.request.value = *bytes;
  operation().forwarded.request.value_owner = &bytes;
  apply();
  EXPECT_EQ(version().owner, &bytes);
  EXPECT_EQ(writing().made, nullptr);
}

TEST_F(Edits, SmallBytesHaveNone) {
  apply();
  EXPECT_EQ(version().owner, nullptr);
}

}  // namespace
}  // namespace kvorum::cluster::fixtures

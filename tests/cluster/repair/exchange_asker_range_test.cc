// SPDX-License-Identifier: Apache-2.0
// The bottom of an exchange, one frame at a time: which objects are compared, and which keys
// repaired.
#include <gmock/gmock.h>

#include "tests/cluster/repair/lone_asker.h"
#include "tests/engine/map_store.h"

namespace kvorum::cluster::fixtures {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr MemberIndex kPeer = LoneAsker::kPeer;
constexpr uint32_t kPartition = LoneAsker::kPartition;
constexpr uint64_t kAnswerUs = ExchangeAsker::kAnswerUs;

struct ExchangeAskerRange : ::testing::Test {
  static RangeDigests range_of(const Frame& frame) { return parsed(frame, parse_range_digests); }
  RangeDifferences lacked(std::vector<uint32_t> places) {
    return {.lacked = std::move(places), .items = {}};
  }
  // What the node does about a key that it holds and the peer holds so.
  std::vector<MessageType> repair_of(const Object& own, const Object& theirs) {
    const std::string key = lone.key_in(kPartition);
    if (!own.empty()) lone.put(key, own);
    const Frame question = lone.begin_range();
    const std::string items = theirs.empty() ? std::string() : lone.item_of(key, theirs);
    RangeDifferences answer{.lacked = {}, .items = items};
    if (!own.empty()) answer.lacked = {0};
    EXPECT_TRUE(lone.differ(question, answer));
    return types_of(lone.sent(kPeer));
  }
  void expect_failed() {
    EXPECT_EQ(lone.counters().exchanges_failed, 1u);
    EXPECT_FALSE(lone.machine.progress().active);
    EXPECT_TRUE(lone.sent_nothing());
  }

  LoneAsker lone;
};

const std::vector<MessageType> kPull{MessageType::kReplicaRead};
const std::vector<MessageType> kPush{MessageType::kReplicaWrite};
const std::vector<MessageType> kNothing{MessageType::kExchangeDone};

// ---- what is compared

TEST_F(ExchangeAskerRange, DigestsOfAllObjectsInTheirOrder) {
  std::vector<uint64_t> digests;
  for (const std::string& key : lone.put_many(5)) {
    digests.push_back(leaf_digest(lone.ref(key), lone.object_of(0, 1, "v"), LoneCore::kDigestSeed));
  }
  Object bare = lone.object_of(0, 1, "v");
  bare.versions.clear();
  lone.put(lone.key_in(kPartition, 7), bare);
  lone.put(lone.key_in(kPartition + 1), lone.object_of(0, 1, "elsewhere"));
  std::sort(digests.begin(), digests.end());
  EXPECT_EQ(range_of(lone.begin_range()).digests, digests) << "a bare vector has none";
  EXPECT_EQ(lone.counters().keys_compared, 6u);
}

TEST_F(ExchangeAskerRange, ALongStretchIsComparedInParts) {
  const std::vector<std::string> names = lone.put_many(1500);
  lone.begin_exchanges({{kPartition, 0}});
  const std::vector<Frame> questions = lone.sent(kPeer);
  ASSERT_THAT(questions, SizeIs(2));
  const RangeDigests part = range_of(questions[0]), rest = range_of(questions[1]);
  EXPECT_GE(part.digests.size(), 1024u);
  ASSERT_LT(part.digests.size(), 1500u);
  EXPECT_GT(part.end, position_of(names[part.digests.size() - 1]).high);
  EXPECT_LE(part.end, position_of(names[part.digests.size()]).high);
  EXPECT_EQ(rest.from, part.end);
  EXPECT_EQ(rest.end, 0u);
  EXPECT_EQ(rest.digests.size(), 1500 - part.digests.size());
  EXPECT_TRUE(lone.differ(questions[1], {}));
  EXPECT_TRUE(lone.sent_nothing()) << "both are waited for";
  EXPECT_TRUE(lone.differ(questions[0], {}));
  EXPECT_EQ(lone.only(kPeer).head.type, MessageType::kExchangeDone);
}

// ---- which keys are repaired, and how

TEST_F(ExchangeAskerRange, WhatThePeerLacksIsPushed) {
  EXPECT_EQ(repair_of(lone.object_of(0, 1, "v"), {}), kPush);
}

TEST_F(ExchangeAskerRange, WhatThisNodeLacksIsPulled) {
  EXPECT_EQ(repair_of({}, lone.object_of(2, 1, "v")), kPull);
}

TEST_F(ExchangeAskerRange, TheNewerOneGoesToTheOlder) {
  EXPECT_EQ(repair_of(lone.object_of(2, 9, "newer"), lone.object_of(2, 1, "older")), kPush);
}

TEST_F(ExchangeAskerRange, TheNewerOneComesFromThePeer) {
  EXPECT_EQ(repair_of(lone.object_of(2, 1, "older"), lone.object_of(2, 9, "newer")), kPull);
}

TEST_F(ExchangeAskerRange, SiblingsArePulledAndWrittenBack) {
  EXPECT_EQ(repair_of(lone.object_of(0, 1, "a"), lone.object_of(2, 9, "b")), kPull) << "once";
}

TEST_F(ExchangeAskerRange, WhatBecameEqualMeanwhileIsLeftAlone) {
  EXPECT_EQ(repair_of(lone.object_of(0, 1, "v"), lone.object_of(0, 1, "v")), kNothing);
}

TEST(ExchangeAskerLastWrite, TheNewestOfBothIsWhatThePeerNeeds) {
  for (const uint64_t theirs_ms : {uint64_t{1}, uint64_t{9}}) {
    LoneAsker lone({.conflicts = ConflictPolicy::kLww});
    const std::string key = lone.key_in(kPartition);
    lone.put(key, lone.object_of(0, 5, "own"));
    const Frame question = lone.begin_range();
    const std::string items = lone.item_of(key, lone.object_of(2, theirs_ms, "theirs"));
    EXPECT_TRUE(lone.differ(question, {.lacked = {0}, .items = items}));
    EXPECT_EQ(types_of(lone.sent(kPeer)), theirs_ms < 5 ? kPush : kPull);
  }
}

TEST_F(ExchangeAskerRange, PlacesAreThoseOfTheDigestsNotOfTheObjects) {
  lone.put_many(20);
  const Frame question = lone.begin_range();
  const RangeDigests range = range_of(question);
  EXPECT_TRUE(lone.differ(question, lacked({4, 17})));
  std::vector<uint64_t> pushed;
  for (const Frame& frame : lone.sent(kPeer)) {
    const ReplicaWrite write = parsed(frame, parse_replica_write);
    EXPECT_TRUE(write.repair);
    Object object;
    EXPECT_TRUE(decode_object(write.object, object));
    pushed.push_back(leaf_digest(write.key, object, LoneCore::kDigestSeed));
  }
  EXPECT_THAT(pushed, ElementsAre(range.digests[4], range.digests[17]));
}

TEST_F(ExchangeAskerRange, AYoungDifferenceIsGivenAMoment) {
  lone.pass_ms(10'000);
  const std::string key = lone.key_in(kPartition);
  const uint64_t now_ms = lone.now.wall_ms - LoneCore::kWallMs + 5000;  // when it is compared
  lone.put(key, lone.object_of(2, now_ms - ExchangeAsker::kYoungMs + 500, "v"));
  const Frame question = lone.begin_range();
  EXPECT_TRUE(lone.differ(question, lacked({0})));
  EXPECT_TRUE(lone.sent_nothing());
  EXPECT_EQ(lone.core.open.timers.next_due_us(), lone.now.steady_us + KeyRepair::kRecheckUs);
}

TEST_F(ExchangeAskerRange, TheEndIsToldOnceAllKeysAreRepaired) {
  lone.put_many(3);
  EXPECT_TRUE(lone.differ(lone.begin_range(), lacked({0, 1, 2})));
  const std::vector<Frame> pushes = lone.sent(kPeer);
  ASSERT_THAT(pushes, SizeIs(3));
  lone.end_key(pushes[1], true);
  lone.end_key(pushes[0], true);
  EXPECT_TRUE(lone.sent_nothing());
  lone.end_key(pushes[2], true);
  EXPECT_EQ(lone.only(kPeer).head.type, MessageType::kExchangeDone);
}

TEST_F(ExchangeAskerRange, AKeyThatCannotBeRepairedIsAFailureOnceTheOthersEnded) {
  lone.put_many(3);
  EXPECT_TRUE(lone.differ(lone.begin_range(), lacked({0, 1, 2})));
  const std::vector<Frame> pushes = lone.sent(kPeer);
  lone.end_key(pushes[0], false);
  lone.end_key(pushes[1], true);
  EXPECT_EQ(lone.counters().exchanges_failed, 0u) << "one is still on its way";
  lone.end_key(pushes[2], true);
  expect_failed();
}

// ---- answers

TEST_F(ExchangeAskerRange, AnAnswerThatEndsEarlyIsContinued) {
  const std::vector<std::string> names = lone.put_many(10);
  const Frame first = lone.begin_range();
  RangeDifferences answer = lacked(LoneAsker::all_of(range_of(first)));
  answer.end = position_of(names[4]).high;
  EXPECT_TRUE(lone.differ(first, answer));
  std::vector<std::string> pushed;
  std::optional<Frame> second;
  for (const Frame& frame : lone.sent(kPeer)) {
    if (frame.head.type == MessageType::kRangeDigests) {
      second = frame;
    } else {
      pushed.emplace_back(parsed(frame, parse_replica_write).key.key);
    }
  }
  EXPECT_THAT(pushed, SizeIs(4)) << "behind its end the peer has not looked";
  ASSERT_TRUE(second);
  EXPECT_EQ(range_of(*second).from, answer.end);
  EXPECT_EQ(range_of(*second).digests.size(), 6u);
}

TEST_F(ExchangeAskerRange, ARefusalIsAFailure) {
  EXPECT_TRUE(lone.differ(lone.begin_range(), {.refused = true, .lacked = {}, .items = {}}));
  expect_failed();
}

TEST_F(ExchangeAskerRange, AnEndThatDoesNotGoForwardIsAFailure) {
  const Frame question = lone.begin_range();
  EXPECT_TRUE(lone.differ(question, {.end = range_of(question).from, .lacked = {}, .items = {}}));
  expect_failed();
}

TEST_F(ExchangeAskerRange, APlaceThatWasNotAskedAboutIsAFailure) {
  lone.put_many(3);
  EXPECT_TRUE(lone.differ(lone.begin_range(), lacked({3})));
  expect_failed();
}

TEST_F(ExchangeAskerRange, ItemsThatMakeNoSenseAreAFailure) {
  EXPECT_TRUE(lone.differ(lone.begin_range(), {.lacked = {}, .items = "nonsense"}));
  expect_failed();
}

TEST_F(ExchangeAskerRange, MalformedAnswersLeaveItAsItWas) {
  lone.put_many(2);
  const Frame question = lone.begin_range();
  const Frame whole = lone.made([&](std::string& batch) {
    put_range_differences(batch, question.head.operation, lacked({0, 1}));
  });
  for (size_t bytes = 0; bytes < whole.payload.size(); ++bytes) {
    EXPECT_FALSE(lone.machine.on_message(kPeer, cut_to(whole, bytes), lone.now)) << bytes;
  }
  EXPECT_TRUE(lone.sent_nothing());
  EXPECT_TRUE(lone.differ(question, lacked({0, 1})));
  EXPECT_THAT(lone.sent(kPeer), SizeIs(2));
}

TEST_F(ExchangeAskerRange, ADuplicateIsNotTaken) {
  lone.put_many(2);
  const Frame question = lone.begin_range();
  EXPECT_TRUE(lone.differ(question, lacked({0, 1})));
  EXPECT_THAT(lone.sent(kPeer), SizeIs(2));
  EXPECT_TRUE(lone.differ(question, lacked({0, 1})));
  EXPECT_TRUE(lone.sent_nothing());
}

TEST_F(ExchangeAskerRange, SilenceIsAFailure) {
  lone.put_many(2);
  const Frame question = lone.begin_range();
  lone.live(kAnswerUs - LoneAsker::kTickUs);
  EXPECT_EQ(lone.counters().exchanges_failed, 0u);
  lone.live(2 * LoneAsker::kTickUs);
  expect_failed();
  EXPECT_TRUE(lone.differ(question, lacked({0, 1})));
  EXPECT_TRUE(lone.sent_nothing()) << "too late";
}

TEST_F(ExchangeAskerRange, ABrokenLinkBeginsNothingMore) {
  lone.put_many(2);
  const Frame question = lone.begin_range();
  lone.link_down();
  EXPECT_TRUE(lone.differ(question, lacked({0, 1})));
  EXPECT_EQ(lone.counters().keys_pushed + lone.core.open.requests.used(), 0u);
  expect_failed();
}

TEST_F(ExchangeAskerRange, ABrokenLinkDropsKeysThatWait) {
  lone.put_many(3);
  EXPECT_TRUE(lone.differ(lone.begin_range(), lacked({0, 1, 2})));
  const std::vector<Frame> pushes = lone.sent(kPeer);
  lone.link_down();
  EXPECT_EQ(lone.counters().exchanges_failed, 0u) << "their repairs end first";
  for (const Frame& frame : pushes) lone.end_key(frame, false);
  expect_failed();
}

// ---- from the store

class ExchangeAskerOverStore : public ::testing::Test {
 protected:
  ExchangeAskerOverStore() {
    LoneAsker before({.store = &store});
    before.put_many(3);
    before.put(before.key_in(0), before.object_of(0, 1, "fills the memory"));
    KVORUM_CHECK(before.table.commits().commit(true).ok());
    lone = std::make_unique<LoneAsker>(LoneShape{.store = &store, .memory_bytes_max = 1});
    lone->begin_exchanges({{kPartition, 0}});
  }
  RangeLoad take_load() {
    EXPECT_THAT(lone->core.outbox.range_loads, SizeIs(1));
    const RangeLoad load = lone->core.outbox.range_loads.at(0);
    lone->core.outbox.range_loads.clear();
    return load;
  }

  engine::testing::MapStore store;
  std::unique_ptr<LoneAsker> lone;
};

TEST_F(ExchangeAskerOverStore, WhatIsNotInMemoryIsReadFirst) {
  EXPECT_THAT(lone->sent(kPeer), IsEmpty());
  const RangeLoad load = take_load();
  EXPECT_EQ(load.reader, RangeLoad::Reader::kExchangeAsker);
  EXPECT_EQ(load.partition, kPartition);
  lone->live(2 * kAnswerUs);
  EXPECT_EQ(lone->counters().exchanges_failed, 0u) << "a slow disk is no silent peer";
  lone->machine.on_scanned(load.operation, read_stored_page(lone->core.parts, load), lone->now);
  const Frame question = lone->only(kPeer);
  EXPECT_EQ(parsed(question, parse_range_digests).digests.size(), 3u);
  lone->machine.on_scanned(load.operation + (uint64_t{1} << 32), {}, lone->now);
  EXPECT_TRUE(lone->sent_nothing()) << "a page that nobody waits for";
}

TEST_F(ExchangeAskerOverStore, AnAnswerThatComesBeforeThatIsNotTaken) {
  const RangeLoad load = take_load();
  Frame question;
  question.head.operation = load.operation;
  EXPECT_TRUE(lone->differ(question, {.refused = true, .lacked = {}, .items = {}}));
  EXPECT_EQ(lone->counters().exchanges_failed, 0u);
}

TEST_F(ExchangeAskerOverStore, WhatCannotBeReadIsAFailure) {
  ScanPage page;
  page.access = engine::Access::kRefused;
  lone->machine.on_scanned(take_load().operation, page, lone->now);
  EXPECT_EQ(lone->counters().exchanges_failed, 1u);
  EXPECT_TRUE(lone->sent_nothing());
}

TEST_F(ExchangeAskerOverStore, ABrokenLinkWaitsForThePage) {
  const RangeLoad load = take_load();
  lone->link_down();
  EXPECT_EQ(lone->counters().exchanges_failed, 0u);
  lone->machine.on_scanned(load.operation, read_stored_page(lone->core.parts, load), lone->now);
  EXPECT_EQ(lone->counters().exchanges_failed, 1u);
  EXPECT_TRUE(lone->sent_nothing());
}

}  // namespace
}  // namespace kvorum::cluster::fixtures

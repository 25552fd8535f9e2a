// SPDX-License-Identifier: Apache-2.0
// Puts while the sets in play of their partition change: what they write anew and to whom, which
// acknowledgements count, and when this node is a vote itself.
#include "tests/cluster/coordinator/anew_requests.h"
#include "tests/engine/map_store.h"

namespace kvorum::cluster::fixtures {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// ---- puts that wrote

using PutsAnew = BegunAnew;

TEST_F(PutsAnew, WhatWasApartKeepsItsClaimUntilItArrives) {
  increment();
  forget_frames();
  for (const size_t place : {1, 2}) absent(place);
  ASSERT_EQ(operation().phase, Phase::kWriting);
  EXPECT_EQ(wrote(1).releases, lone->core.self_id());
  forget_frames();
  write_reply(1, Verdict::kApart);
  live_us(100'000);
  EXPECT_EQ(wrote(1).releases, lone->core.self_id()) << "it was not looked at before";
}

TEST_F(PutsAnew, OneThatWasForwardedGoesBackToWhoAsked) {
  const Request request = lone->edit(test_edits::kIncrement);
  id = lone->acquire(Operation::Kind::kPut, request, 5);
  operation().remote = true;
  operation().reply_to = members[5];
  runner.run_at(lone->core.self(), id, operation(), lone->now);
  ASSERT_EQ(operation().phase, Phase::kReading);
  forget_frames();
  move({1, 2, 3}, {2, 3, 4});
  EXPECT_EQ(only_id(), 0u) << "others own the key, and this node made nothing";
  const Frame frame = lone->only(members[5]);
  EXPECT_EQ(frame.head.type, MessageType::kForwardReply);
  CompletionStorage storage;
  Completion completion;
  ASSERT_TRUE(parse_forward_reply(frame, &storage, &completion));
  EXPECT_EQ(completion.outcome, Outcome::kClusterDown) << "the asking node finds another";
}

TEST_F(PutsAnew, AnOwnOneIsHandedToAnOwner) {
  increment();
  ASSERT_EQ(operation().phase, Phase::kReading);
  forget_frames();
  move({1, 2, 3}, {2, 3, 4});
  const std::vector<Frame> frames = lone->sent(members[1]);
  ASSERT_EQ(frames.size(), 2u);
  EXPECT_EQ(frames[0].head.type, MessageType::kUnclaim);
  EXPECT_EQ(frames[1].head.type, MessageType::kForward);
  EXPECT_THAT(lone->answers, IsEmpty());
}

TEST_F(PutsAnew, TheSameVersionGoesToAllWhoOwnItNow) {
  set();
  Object first;
  ASSERT_TRUE(decode_object(wrote(1).object, first));
  forget_frames();
  move({0, 1, 2}, {0, 3, 4});
  expect_renewed();
  for (const size_t place : {1, 2, 3, 4}) {
    Object again;
    ASSERT_TRUE(decode_object(wrote(place).object, again));
    ASSERT_EQ(again.versions.size(), 1u);
    EXPECT_EQ(again.versions[0].dot, first.versions[0].dot) << "no version more";
  }
  EXPECT_THAT(lone->own(lone->key), ElementsAre("new"));
}

TEST_F(PutsAnew, AreAcknowledgedWithWOfEachSet) {
  set();
  move({0, 1, 2}, {0, 3, 4});
  id = only_id();
  write_reply(1);
  write_reply(2);
  EXPECT_THAT(lone->answers, IsEmpty());
  write_reply(4);
  EXPECT_EQ(lone->answer().outcome, Outcome::kOk);
  EXPECT_TRUE(lone->answer().stored);
  ASSERT_FALSE(lone->ended(id));
  write_reply(3);
  EXPECT_TRUE(lone->ended(id));
}

TEST_F(PutsAnew, TheNewestIsWrittenThoughItIsNotRead) {
  set();
  move({{0, 1, 2}, {0, 3, 4}}, 1);
  id = only_id();
  write_reply(1);
  EXPECT_THAT(lone->answers, IsEmpty());
  write_reply(3);
  EXPECT_EQ(lone->answer().outcome, Outcome::kOk);
}

TEST_F(PutsAnew, WhatWasAcknowledgedBeforeDoesNotCount) {
  lone->core.options.request_timeout_ms = 1000;
  Request request = lone->edit(test_edits::kSet);
  request.w = 3;
  start(request);
  write_reply(1);
  move({0, 1, 2}, {0, 1, 3});
  write_reply(2);
  EXPECT_THAT(lone->answers, IsEmpty()) << "by the older id";
  expect_renewed();
  write_reply(2);
  write_reply(3);
  EXPECT_THAT(lone->answers, IsEmpty()) << "it was before that the second place had it";
  write_reply(1);
  EXPECT_EQ(lone->answer().outcome, Outcome::kOk);
}

TEST_F(PutsAnew, ItsSetsMayBeOver) {
  move({0, 1, 2}, {0, 3, 4});
  set();
  write_reply(1);
  settle();
  expect_renewed();
  forget_frames();
  write_reply(2);
  EXPECT_EQ(lone->answer().outcome, Outcome::kOk) << "the ring's first three alone";
}

TEST_F(PutsAnew, WhoOwnsItNoMoreIsNoVote) {
  set();
  move({1, 2, 3}, {2, 3, 4});
  expect_renewed();
  write_reply(2);
  EXPECT_THAT(lone->answers, IsEmpty()) << "one of three";
  write_reply(3);
  EXPECT_EQ(lone->answer().outcome, Outcome::kOk);
  EXPECT_EQ(lone->answer().acknowledged, 2);
  EXPECT_THAT(lone->own(lone->key), ElementsAre("new")) << "it is handed over later";
}

TEST_F(PutsAnew, WhoOwnsItNoMoreMayStandIn) {
  set();
  lone->link(members[3], false);
  move({1, 2, 3}, {2, 3, 4});
  expect_renewed();
  bool hinted = false;
  lone->hints.read({lone->id_of(members[3]), lone->ref(lone->key)},
                   [&](const Record& record) { hinted = !record.object.versions.empty(); });
  EXPECT_TRUE(hinted);
  write_reply(2);
  EXPECT_EQ(lone->answer().outcome, Outcome::kOk) << "its hint is the vote of the third place";
}

TEST_F(PutsAnew, WhoStoodInMayOwnItNow) {
  move({1, 2, 3}, {2, 3, 4});
  lone->link(members[3], false);
  const Request request = lone->edit(test_edits::kSet);
  id = lone->acquire(Operation::Kind::kPut, request, 5);
  runner.run_at(lone->core.self(), id, operation(), lone->now);
  forget_frames();
  while (!lone->ended(id) && operation().phase == Phase::kReading) {
    for (const size_t place : {1, 2, 4}) absent(place);
    live_us(300'000);
  }
  ASSERT_EQ(operation().phase, Phase::kWriting);
  EXPECT_THAT(lone->own(lone->key), IsEmpty()) << "a hint alone";
  move({0, 1, 2}, {0, 2, 4});
  expect_renewed();
  EXPECT_THAT(lone->own(lone->key), ElementsAre("new"));
  write_reply(2);
  EXPECT_EQ(lone->answer().outcome, Outcome::kOk);
}

TEST_F(PutsAnew, WhoKnowsAnotherHistoryIsWrittenAgainInAMoment) {
  move({0, 1, 2}, {0, 3, 4});
  set();
  forget_frames();
  write_reply(1);
  write_reply(3, Verdict::kApart);
  live_us(499);
  EXPECT_TRUE(lone->sent_nothing()) << "and nobody takes its place";
  live_us(1);
  const Frame again = lone->only(members[3]);
  EXPECT_EQ(again.head.operation, id);
  EXPECT_THAT(LoneRequests::values_of(fenced(parsed(again, parse_replica_write))),
              ElementsAre("new"));
  EXPECT_THAT(lone->answers, IsEmpty());
  write_reply(3);
  EXPECT_EQ(lone->answer().outcome, Outcome::kOk);
}

TEST_F(PutsAnew, OneThatIsAnsweredIsLeftAlone) {
  set();
  write_reply(1);
  ASSERT_EQ(operation().phase, Phase::kSettling);
  forget_frames();
  move({0, 1, 2}, {0, 3, 4});
  EXPECT_FALSE(lone->ended(id));
  EXPECT_TRUE(lone->sent_nothing());
  write_reply(2);
  EXPECT_TRUE(lone->ended(id));
}

TEST_F(PutsAnew, ASetOfWhichNobodyIsLeftAsksNothing) {
  set();
  move({}, {0, 1, 2});
  expect_renewed();
  write_reply(2);
  EXPECT_EQ(lone->answer().outcome, Outcome::kOk);
}

TEST_F(PutsAnew, ItsTimeGoesOn) {
  set();
  live_us(990'000);
  move({0, 1, 2}, {0, 3, 4});
  live_us(9'999);
  EXPECT_THAT(lone->answers, IsEmpty());
  live_us(1);
  EXPECT_EQ(lone->answer().outcome, Outcome::kUncertain);
}

TEST_F(PutsAnew, WhereOneOtherAloneIsLeftItIsNotAwaitedForEver) {
  set();
  move({{5}}, 1);
  live_us(1'000'000);
  EXPECT_EQ(lone->answer().outcome, Outcome::kUncertain);
  EXPECT_EQ(only_id(), 0u);
}

// ---- puts that read

TEST_F(PutsAnew, AReadingBeginsAnewWithItsClaim) {
  lone->put(lone->key, lone->object_of(1, 1, "5"));
  increment();
  ASSERT_EQ(operation().phase, Phase::kReading);
  const uint8_t before = attempt();
  forget_frames();
  move({0, 1, 2}, {0, 3, 4});
  expect_renewed();
  ASSERT_EQ(operation().phase, Phase::kReading);
  for (const size_t place : {1, 2}) {
    const std::vector<Frame> frames = lone->sent(members[place]);
    ASSERT_THAT(types_of(frames), ElementsAre(MessageType::kUnclaim, MessageType::kReplicaRead));
    EXPECT_EQ(fenced(parsed(frames[1], parse_replica_read)).claimant, lone->id_of(0));
  }
  for (const size_t place : {3, 4}) {
    EXPECT_EQ(asked(place).claimant, 0u) << "claims are of the oldest set";
  }
  const Object five = lone->object_of(1, 1, "5");
  read_reply(1, LoneRequests::digest(five, before));
  read_reply(3, LoneRequests::digest(five, before));
  EXPECT_EQ(operation().phase, Phase::kReading);
  read_reply(1, LoneRequests::digest(five, attempt()));
  EXPECT_EQ(operation().phase, Phase::kReading);
  read_reply(3, LoneRequests::digest(five, attempt()));
  EXPECT_EQ(operation().phase, Phase::kWriting);
  EXPECT_THAT(lone->own(lone->key), ElementsAre("6")) << "once";
  EXPECT_EQ(lone->claims.holder(lone->ref(lone->key).position, lone->now.steady_us / 1000),
            kNoMember);
}

TEST_F(PutsAnew, AReaderThatIsApartClaimsAgain) {
  increment();
  forget_frames();
  read_reply(1, LoneRequests::verdict(Verdict::kApart, attempt()));
  live_us(500);
  EXPECT_EQ(asked(1).claimant, lone->id_of(0)) << "it granted nothing";
  absent(1);
  EXPECT_EQ(operation().phase, Phase::kWriting);
  EXPECT_EQ(wrote(1).releases, lone->id_of(0));
}

// ---- edits whose claims do not pass over to other owners

class EditsAnew : public BegunAnew {
 protected:
  void wrote_five_and_moved(const Request& request) {
    start(request);
    for (const size_t place : {1, 2}) absent(place);
    ASSERT_EQ(operation().phase, Phase::kWriting);
    forget_frames();
    move({0, 1, 2}, {0, 3, 4});
    expect_renewed();
  }
  Request increment_of_five() const {
    lone->put(lone->key, lone->object_of(1, 1, "5"));
    return lone->edit(test_edits::kIncrement);
  }
  bool asks_who_is_beside(size_t place) { return wrote(place).late; }
};

TEST_F(EditsAnew, AskWhoWroteBesideThem) {
  wrote_five_and_moved(increment_of_five());
  for (const size_t place : {1, 2, 3, 4}) EXPECT_TRUE(asks_who_is_beside(place));
  for (const size_t place : {1, 3}) write_reply(place);
  EXPECT_EQ(lone->answer().outcome, Outcome::kOk) << "nobody";
}

TEST_F(EditsAnew, AreUncertainBesideAnother) {
  wrote_five_and_moved(increment_of_five());
  write_reply(1);
  write_reply(3, Verdict::kUncovered);
  EXPECT_EQ(lone->answer().outcome, Outcome::kUncertain);
  EXPECT_THAT(lone->answer().text, ::testing::HasSubstr("another edit of the key"));
}

TEST_F(EditsAnew, AreUncertainBesideAnotherInTheOwnCopy) {
  start(increment_of_five());
  for (const size_t place : {1, 2}) absent(place);
  lone->core.own.update(lone->ref(lone->key), [&](Record& record) {
    record.object = merge(record.object, lone->object_of(2, 1, "other"));
    return true;
  });
  forget_frames();
  move({0, 1, 2}, {0, 3, 4});
  id = only_id();
  for (const size_t place : {1, 3}) write_reply(place);
  EXPECT_EQ(lone->answer().outcome, Outcome::kUncertain);
}

TEST_F(EditsAnew, WhoBringsAContextWantsASibling) {
  Context context;
  context.vector = lone->object_of(1, 1, "5").vector;
  Request request = increment_of_five();
  request.has_context = true;
  request.context = &context;
  wrote_five_and_moved(request);
  EXPECT_FALSE(asks_who_is_beside(3));
}

// ---- those who cannot go on

struct StrictAnew : BegunAnew {
  StrictAnew()
      : BegunAnew({.members = 6, .adjust_founding = [](Founding& founding) {
                     for (KeyspacePolicy& policy : founding.keyspaces) policy.sloppy = false;
                   }}) {}
};

TEST_F(StrictAnew, WhereNobodyIsLeftToWriteToItIsUncertain) {
  set();
  for (const size_t place : {1, 2, 3}) lone->link(members[place], false);
  move({{1, 2, 3}}, 1);
  EXPECT_EQ(lone->answer().outcome, Outcome::kUncertain);
  EXPECT_EQ(only_id(), 0u);
}

TEST_F(StrictAnew, WhereWIsOutOfReachItIsUncertain) {
  set();
  for (const size_t place : {3, 4}) lone->link(members[place], false);
  move({0, 1, 2}, {0, 3, 4});
  id = only_id();
  write_reply(1);
  write_reply(2);
  EXPECT_EQ(lone->answer().outcome, Outcome::kUncertain);
}

// ---- the own vote

struct AnewStore {
  engine::testing::MapStore store;
};

class StoredAnew : public AnewStore, public BegunAnew {
 protected:
  explicit StoredAnew(uint32_t nodes = 6) : BegunAnew({.members = nodes, .store = &store}) {}

  void commit() {
    ASSERT_TRUE(lone->table.commits().commit(true).ok());
    runner.table().on_own_commit(id, {.hinted = false, .ok = true}, lone->now);
  }
};

TEST_F(StoredAnew, IsAwaitedByTheNewId) {
  set();
  move({0, 1, 2}, {0, 3, 4});
  expect_renewed();
  ASSERT_EQ(lone->core.open.awaited_commits.size(), 2u);
  EXPECT_EQ(lone->core.open.awaited_commits[1].operation, id);
  write_reply(1);
  write_reply(3);
  EXPECT_THAT(lone->answers, IsEmpty());
  commit();
  EXPECT_EQ(lone->answer().outcome, Outcome::kOk);
}

TEST_F(StoredAnew, IsAwaitedStillWhereThisNodeOwnedNothingForAMoment) {
  set();
  move({1, 2, 3}, {2, 3, 4});
  move({0, 1, 2}, {0, 3, 4});
  id = only_id();
  write_reply(1);
  write_reply(3);
  EXPECT_THAT(lone->answers, IsEmpty()) << "its own copy is not on the disk";
  commit();
  EXPECT_EQ(lone->answer().outcome, Outcome::kOk);
}

struct LoneAnew : StoredAnew {
  LoneAnew() : StoredAnew(1) {}
};

// The version is in the table before another node can have a set with it.
TEST_F(LoneAnew, APutOfALoneNodeAwaitsItsCommit) {
  Request request = lone->edit(test_edits::kSet);
  request.wants_context = true;
  start(request);
  ASSERT_NE(id, 0u);
  publish([](ClusterView& view) { ++view.newest_set; });
  ASSERT_FALSE(lone->ended(id));
  EXPECT_THAT(lone->answers, IsEmpty());
  commit();
  EXPECT_EQ(lone->answer().outcome, Outcome::kOk);
  EXPECT_TRUE(lone->answer().has_context);
}

// ---- the owners of now are newcomers

struct ToANewcomer : BegunAnew {
  // It alone is to own the key, and has no link yet.
  void move_to_newcomer() {
    publish([&](ClusterView& view) {
      members.push_back(static_cast<MemberIndex>(view.members.size()));
      view.members.push_back(view.members.back());
      view.members.back().id += 1;
      move_partition(view, view.ring.partition_of(lone->ref(lone->key).position),
                     {owner_set(12, {members[0], members[1]}), owner_set(13, {members.back()})}, 2);
    });
  }
};

TEST_F(ToANewcomer, AVersionThatIsMadeWaitsForItsLinkAndGoesThere) {
  set();
  ASSERT_EQ(operation().phase, Phase::kWriting);
  forget_frames();
  move_to_newcomer();
  expect_renewed();
  EXPECT_EQ(operation().phase, Phase::kLinking);
  live_us(10'000);
  EXPECT_TRUE(lone->sent_nothing()) << "no stand-in gets it";
  lone->link(members.back());
  live_us(10'000);
  EXPECT_EQ(operation().phase, Phase::kWriting);
  EXPECT_EQ(wrote(6).hint_for, 0u);
  EXPECT_EQ(wrote(1).hint_for, 0u);
  EXPECT_THAT(lone->answers, IsEmpty());
  write_reply(1);
  write_reply(6);
  EXPECT_EQ(lone->answers.size(), 1u);
}

TEST_F(ToANewcomer, AVersionThatIsMadeWaitsForHalfOfItsTimeAtMost) {
  set();
  forget_frames();
  move_to_newcomer();
  id = only_id();
  live_us(600'000);
  EXPECT_TRUE(operation().phase == Phase::kWriting || operation().phase == Phase::kSettling);
  EXPECT_FALSE(lone->sent_nothing()) << "somebody stands in";
}

}  // namespace
}  // namespace kvorum::cluster::fixtures

// SPDX-License-Identifier: Apache-2.0
// Retries of edits run with a permit only: both sides of the question, with frames that the test
// makes itself. The whole way stands in tests/sim/stories/twin_*.txt.
#include "cluster/request/retry_permit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cluster/request/forwarding.h"
#include "tests/cluster/frame_of.h"
#include "tests/cluster/test_cluster.h"

namespace kvorum::cluster {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr uint64_t kMs = 1000;
constexpr uint64_t kTag = 77;
constexpr SlotId kSlot = 9;  // of the coordinator that asks

// One node of five under test; the others are what the test says in their name. Peers are named by
// their place in the preference list.
class OneNode : public testing::Test {
 protected:
  explicit OneNode(size_t place, const std::function<void(Founding&)>& adjust = {})
      : cluster_(5, adjust), self_(cluster_.node_for("k", place)) {
    (void)take();
  }

  struct Sent {
    size_t to;
    FrameHead head;
    std::string payload;
    Frame frame() const { return {head, payload}; }
  };
  std::vector<Sent> take() {
    std::vector<Sent> all;
    Outbox& outbox = node().coordinator->outbox();
    const std::vector<LinkIndex> addressed = outbox.addressed();
    outbox.clear_addressed();
    for (const LinkIndex link : addressed) {
      const MemberIndex to = link.member();
      std::string batch;
      batch.swap(outbox.batch(to));
      std::string_view rest = batch;
      Frame frame;
      size_t size = 0;
      while (parse_frame(rest, &frame, &size) == FrameStatus::kFrame) {
        all.push_back({to, frame.head, std::string(frame.payload)});
        rest.remove_prefix(size);
      }
    }
    return all;
  }
  // The frames of one type that were sent since the last look.
  std::vector<Sent> take(MessageType type) {
    std::vector<Sent> all = take();
    std::erase_if(all, [&](const Sent& sent) { return sent.head.type != type; });
    return all;
  }
  void hear(size_t place, const std::string& batch) {
    const auto from = static_cast<MemberIndex>(cluster_.node_for("k", place));
    ASSERT_TRUE(node().coordinator->on_message(from, frame_of(batch), now()));
  }
  void pass_ms(uint64_t ms) {
    cluster_.steady_us += ms * kMs;
    cluster_.wall_ms += ms;
    node().coordinator->on_time(now());
  }
  TestNode& node() { return *cluster_.nodes[self_]; }
  Now now() const { return cluster_.now_of(self_); }

  const std::string key_ = "k";  // requests borrow its bytes
  TestCluster cluster_;
  const size_t self_;
};

// The fallback whose client sets `k`. The first primary was asked.
class AskingNode : public OneNode {
 protected:
  AskingNode() : OneNode(3) {
    Request request = test_edits::request(test_edits::kSet, "v");
    request.key = cluster_.ref(key_);
    node().coordinator->submit(request, kTag, now());
    operation_ = expect_forward(0, false);
  }
  SlotId expect_forward(size_t place, bool retried) {
    const std::vector<Sent> forwards = take(MessageType::kForward);
    EXPECT_EQ(forwards.size(), 1u);
    if (forwards.size() != 1) return 0;
    EXPECT_EQ(forwards[0].to, cluster_.node_for("k", place));
    ForwardEnvelope envelope;
    std::string_view payload;
    EXPECT_TRUE(parse_forward_envelope(forwards[0].frame(), &envelope, &payload));
    EXPECT_EQ(envelope.retried, retried);
    return forwards[0].head.operation;
  }
  // Nobody answers for a quarter of the deadline.
  void retry_at(size_t place) {
    pass_ms(250);
    expect_forward(place, true);
  }
  // What it answers to the question of that one.
  uint64_t ask(size_t place) {
    std::string batch;
    put_forward_ask(batch, operation_, kSlot);
    hear(place, batch);
    const std::vector<Sent> leaves = take(MessageType::kForwardPermit);
    EXPECT_EQ(leaves.size(), 1u);
    if (leaves.size() != 1) return 0;
    EXPECT_EQ(leaves[0].to, cluster_.node_for("k", place));
    EXPECT_EQ(leaves[0].head.operation, kSlot);
    uint64_t remaining_us = 0;
    EXPECT_TRUE(parse_forward_permit(leaves[0].frame(), &remaining_us));
    return remaining_us;
  }
  void retry_with_permit(size_t place) {
    retry_at(place);
    ASSERT_NE(ask(place), 0u);
  }
  void answer(size_t place, Outcome outcome, bool stored = false, int64_t number = 0) {
    Completion completion;
    completion.outcome = outcome;
    completion.stored = stored;
    completion.reply_number = number;
    std::string batch;
    put_forward_reply(batch, operation_, completion);
    hear(place, batch);
  }
  void stored(size_t place, int64_t number) { answer(place, Outcome::kOk, true, number); }
  void unlink(size_t place) {
    node().coordinator->on_link(static_cast<MemberIndex>(cluster_.node_for("k", place)), false,
                                now());
  }
  bool waits() { return node().answers.empty(); }
  // Whose answer the client got, by its number.
  int64_t got() {
    if (waits() || node().answers.at(kTag).outcome != Outcome::kOk) return -1;
    return node().answers.at(kTag).number;
  }
  bool uncertain() { return !waits() && node().answers.at(kTag).outcome == Outcome::kUncertain; }

  SlotId operation_ = 0;
};

// What is left for its coordinator, if so much is left for a request.
uint64_t but_for_the_answer(uint64_t left_us) { return left_us - left_us / 32; }

TEST_F(AskingNode, GivesLeaveToTheOneItWaitsForUntilItsDeadline) {
  retry_at(1);
  pass_ms(100);
  EXPECT_EQ(ask(1), but_for_the_answer(650 * kMs));
  pass_ms(1);
  EXPECT_EQ(ask(1), but_for_the_answer(649 * kMs)) << "a frame that comes twice";
  stored(1, 1);
  EXPECT_EQ(got(), 1);
}

TEST_F(AskingNode, RefusesWhoeverItDoesNotWaitFor) {
  EXPECT_EQ(ask(1), 0u) << "not asked yet";
  retry_at(1);
  EXPECT_EQ(ask(0), 0u);
  EXPECT_EQ(ask(2), 0u);
  retry_at(2);
  EXPECT_EQ(ask(1), 0u) << "not waited for any more";
  EXPECT_EQ(ask(2), but_for_the_answer(500 * kMs));
}

TEST_F(AskingNode, TakesTheFirstAnswerAtOnceAsLongAsNobodyHasLeave) {
  retry_at(1);
  stored(0, 5);
  EXPECT_EQ(got(), 5);
  EXPECT_EQ(ask(1), 0u) << "the client has its answer";
}

TEST_F(AskingNode, RefusesAfterTheDeadline) {
  retry_at(1);
  cluster_.steady_us += 750 * kMs;
  EXPECT_EQ(ask(1), 0u) << "no timer came up yet";
  node().coordinator->on_time(now());
  EXPECT_TRUE(uncertain());
  EXPECT_EQ(ask(1), 0u);
}

TEST_F(AskingNode, HoldsTheFirstAnswerUntilWhoHasLeaveSaysThatItStoredNothing) {
  retry_with_permit(1);
  stored(0, 5);
  EXPECT_TRUE(waits());
  EXPECT_EQ(ask(1), 0u) << "not once more";
  answer(1, Outcome::kNoQuorum);
  EXPECT_EQ(got(), 5);
}

TEST_F(AskingNode, AnAnswerWithoutAVersionLeavesTheFirstOneToCount) {
  retry_with_permit(1);
  stored(0, 5);
  answer(1, Outcome::kOk, false, 6);
  EXPECT_EQ(got(), 5);
}

TEST_F(AskingNode, TakesTheAnswerOfTheOneThatHasLeave) {
  retry_with_permit(1);
  stored(0, 5);
  stored(1, 6);
  EXPECT_EQ(got(), 6);
}

TEST_F(AskingNode, IsUncertainWhereTheOneThatHasLeaveIs) {
  retry_with_permit(1);
  stored(0, 5);
  answer(1, Outcome::kUncertain);
  EXPECT_TRUE(uncertain());
}

TEST_F(AskingNode, IsUncertainWhereTheOneThatHasLeaveIsSilent) {
  retry_with_permit(1);
  stored(0, 5);
  pass_ms(749);
  EXPECT_TRUE(waits());
  pass_ms(1);
  EXPECT_TRUE(uncertain());
}

TEST_F(AskingNode, IsUncertainWhereTheLinkToTheOneThatHasLeaveBreaks) {
  retry_with_permit(1);
  stored(0, 5);
  unlink(0);
  EXPECT_TRUE(waits());
  unlink(1);
  EXPECT_TRUE(uncertain());
}

TEST_F(AskingNode, RemembersLeaveThatItGaveBeforeItAskedAThird) {
  retry_with_permit(1);
  unlink(1);
  expect_forward(2, true);
  stored(0, 5);
  EXPECT_TRUE(waits()) << "the second one may have run it before its link broke";
  EXPECT_EQ(ask(2), 0u);
  pass_ms(750);
  EXPECT_TRUE(uncertain());
}

TEST_F(AskingNode, OfThreeAllThatHaveLeaveMustSayThatTheyStoredNothing) {
  retry_with_permit(1);
  retry_with_permit(2);
  stored(0, 5);
  answer(2, Outcome::kStoreFailed);
  EXPECT_TRUE(waits());
  answer(1, Outcome::kRejected);
  EXPECT_EQ(got(), 5);
}

// What a retry made is marked: who replaces it replaces what the third one makes, too.
TEST_F(AskingNode, TakesAnAnswerOfARetryThoughAThirdHasLeave) {
  retry_with_permit(1);
  retry_with_permit(2);
  stored(1, 6);
  EXPECT_EQ(got(), 6);
}

TEST_F(AskingNode, HoldsAnAnswerWithoutAVersionWhileAThirdHasLeave) {
  retry_with_permit(1);
  retry_with_permit(2);
  answer(1, Outcome::kOk, false, 6);
  EXPECT_TRUE(waits());
  stored(2, 7);
  EXPECT_EQ(got(), 7);
}

// Quorums that do not overlap: no put asks anybody before it writes.
void let_one_write(Founding& founding) {
  for (KeyspacePolicy& policy : founding.keyspaces) policy.w = 1;
}

// The second primary, to which the request comes.
class SecondCoordinator : public OneNode {
 protected:
  SecondCoordinator() : OneNode(1, let_one_write) {}

  void give(const Request& wanted, bool retried, uint32_t remaining_ms = 750) {
    Request request = wanted;
    request.key = cluster_.ref(key_);
    std::string payload;
    encode_forwarded(request, 4711, payload);
    std::string batch;
    put_forward(batch, 5,
                {.hops = Forwarding::kHopsMax, .retried = retried, .remaining_ms = remaining_ms},
                payload);
    hear(3, batch);
  }
  static Request set() { return test_edits::request(test_edits::kSet, "v"); }
  static Request remove() { return test_edits::request(test_edits::kDelete); }
  void expect_question() {
    const std::vector<Sent> sent = take();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].head.type, MessageType::kForwardAsk);
    EXPECT_EQ(sent[0].head.operation, 5u);
    EXPECT_EQ(sent[0].to, cluster_.node_for("k", 3));
    ASSERT_TRUE(parse_forward_ask(sent[0].frame(), &slot_));
    EXPECT_THAT(values(), IsEmpty());
  }
  void give_retried_set() {
    give(set(), true);
    expect_question();
  }
  void permit(uint64_t remaining_us, size_t from = 3) {
    std::string batch;
    put_forward_permit(batch, slot_, remaining_us);
    hear(from, batch);
  }
  std::vector<std::string> values() { return cluster_.own_values(self_, "k"); }
  uint64_t in_flight() { return node().coordinator->counters().operations_in_flight; }

  SlotId slot_ = 0;
};

TEST_F(SecondCoordinator, RunsARetryWithLeave) {
  give_retried_set();
  permit(700 * kMs);
  EXPECT_THAT(values(), ElementsAre("v"));
  EXPECT_EQ(take(MessageType::kReplicaWrite).size(), 2u);
}

// A frame that comes twice is run once; what was not run may come again.
TEST_F(SecondCoordinator, RunsWhatItHandedBackBefore) {
  const Request increment = test_edits::request(test_edits::kIncrement);
  node().coordinator->set_coordination(Coordination::kHandsBack, now());
  give(increment, false);
  EXPECT_EQ(take(MessageType::kForwardReply).size(), 1u);
  node().coordinator->set_coordination(Coordination::kRuns, now());
  give(increment, false);
  EXPECT_EQ(take(MessageType::kReplicaRead).size(), 2u);
  give(increment, false);
  EXPECT_THAT(take(MessageType::kReplicaRead), IsEmpty());
}

TEST_F(SecondCoordinator, DropsARetryWithoutLeaveSilently) {
  give_retried_set();
  permit(0);
  EXPECT_THAT(values(), IsEmpty());
  EXPECT_THAT(take(), IsEmpty());
  EXPECT_EQ(in_flight(), 0u);
  permit(700 * kMs);
  EXPECT_THAT(values(), IsEmpty()) << "too late";
}

TEST_F(SecondCoordinator, CountsTheTimeThatRemainsFromItsQuestion) {
  give_retried_set();
  cluster_.steady_us += 300 * kMs;  // it stands still
  permit(300 * kMs);
  EXPECT_THAT(values(), IsEmpty());
  EXPECT_EQ(in_flight(), 0u);
  give_retried_set();
  cluster_.steady_us += 299 * kMs;
  permit(300 * kMs);
  EXPECT_THAT(values(), ElementsAre("v"));
}

TEST_F(SecondCoordinator, BelievesNoLeaveBeyondWhatTheRequestCameWith) {
  give(set(), true, 100);
  expect_question();
  cluster_.steady_us += 100 * kMs;
  permit(UINT64_MAX);
  EXPECT_THAT(values(), IsEmpty());
  EXPECT_EQ(in_flight(), 0u);
}

TEST_F(SecondCoordinator, TakesLeaveFromTheNodeThatItAskedOnly) {
  give_retried_set();
  permit(700 * kMs, 4);
  permit(0, 4);
  EXPECT_THAT(values(), IsEmpty());
  permit(700 * kMs);
  EXPECT_THAT(values(), ElementsAre("v"));
}

TEST_F(SecondCoordinator, DropsARetryWhoseTimeIsOver) {
  give_retried_set();
  pass_ms(749);
  EXPECT_EQ(in_flight(), 1u);
  pass_ms(1);
  EXPECT_EQ(in_flight(), 0u);
}

TEST_F(SecondCoordinator, AsksNobodyAboutFirstAttemptsAndReads) {
  give(set(), false);
  EXPECT_THAT(values(), ElementsAre("v"));
  EXPECT_THAT(take(MessageType::kForwardAsk), IsEmpty());
  give(Request{}, true);
  const std::vector<Sent> sent = take();
  ASSERT_FALSE(sent.empty());
  for (const Sent& each : sent) EXPECT_EQ(each.head.type, MessageType::kReplicaRead);
}

// It needs the old value, stands still while it is read, and wakes after its deadline.
TEST_F(SecondCoordinator, MakesNoVersionAfterItsDeadline) {
  give(set(), false);
  ASSERT_THAT(values(), ElementsAre("v"));
  (void)take();
  give(remove(), true);
  std::vector<Sent> sent = take();
  ASSERT_EQ(sent.size(), 1u);
  ASSERT_TRUE(parse_forward_ask(sent[0].frame(), &slot_));
  permit(300 * kMs);
  const std::vector<Sent> reads = take(MessageType::kReplicaRead);
  ASSERT_FALSE(reads.empty());
  cluster_.steady_us += 300 * kMs;
  std::string batch;
  ReplicaReadReply absent;
  absent.verdict = ReplicaVerdict::kAbsent;
  put_replica_read_reply(batch, reads[0].head.operation, absent);
  hear(reads[0].to == cluster_.node_for("k", 0) ? 0 : 2, batch);
  EXPECT_THAT(take(MessageType::kReplicaWrite), IsEmpty());
  EXPECT_THAT(values(), ElementsAre("v"));
}

}  // namespace
}  // namespace kvorum::cluster

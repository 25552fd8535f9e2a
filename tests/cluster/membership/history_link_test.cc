// SPDX-License-Identifier: Apache-2.0
// One side of the exchange of histories: a test is the other one, with a history of its own.
#include "cluster/membership/history_link.h"

#include <gmock/gmock.h>

#include "tests/cluster/lone_history.h"

namespace kvorum::cluster::fixtures {
namespace {

constexpr MemberIndex kPeer = 1, kOther = 2;
constexpr uint64_t kApartUs = 1'000, kTellUs = 2'000;

struct LoneLink : LoneHistory {
  std::string buckets_of(const History& history) const {
    std::string buckets;
    encode_buckets(history, buckets);
    return buckets;
  }
  Frame frame_of(const History& history) {
    return frame_with(MessageType::kHistoryBuckets, buckets_of(history));
  }
  Frame frame_with(MessageType type, std::string_view payload, uint16_t flags = 0) {
    return made([&](std::string& batch) {
      FrameWriter frame(batch, {type, 0, flags, 0});
      frame.out().append(payload);
      frame.finish();
    });
  }
  // What the other history has, as an answer to this node's table; with its own table, or without.
  Frame difference_of(const History& other, bool with_table, std::string_view told = {}) {
    std::string payload;
    if (with_table) put_bytes(payload, told.empty() ? buckets_of(other) : std::string(told));
    EXPECT_TRUE(encode_difference(other, buckets_of(*shared.history()), payload));
    return frame_with(MessageType::kHistoryDifference, payload, with_table ? 1 : 0);
  }
  bool hear(const Frame& frame) { return link_machine.on_message(kPeer, frame, now); }
  void expect_buckets(MemberIndex to) {
    const Frame frame = only(to);
    EXPECT_EQ(frame.head.type, MessageType::kHistoryBuckets);
    EXPECT_EQ(frame.payload, buckets_of(*shared.history()));
  }

  int merged = 0;
  HistoryLink link_machine{core, [this](Now) { ++merged; }};
};

struct HistoryLinkTest : ::testing::Test {
  HistoryLinkTest() : other(lone.founding) {}
  void learn_there(uint64_t hlc, NodeId id) { other.add(make_join(hlc, id, std::to_string(id))); }
  void learn_here(uint64_t hlc, NodeId id) {
    lone.shared.add(make_join(hlc, id, std::to_string(id)));
  }
  size_t known_here() const { return lone.shared.history()->changes().size(); }

  LoneLink lone;
  History other;
};

TEST(HistoryLinkWithoutHistory, SaysNothing) {
  LoneCore lone;
  HistoryLink machine(lone.core, [](Now) { FAIL(); });
  machine.on_link_up(kPeer);
  machine.on_apart(kPeer, lone.now);
  machine.on_digest(kPeer, 4711);
  for (const MessageType type : {MessageType::kHistoryBuckets, MessageType::kHistoryDifference}) {
    const Frame frame = lone.made([&](std::string& batch) {
      FrameWriter writer(batch, {type, 0, 0, 0});
      writer.finish();
    });
    EXPECT_TRUE(machine.on_message(kPeer, frame, lone.now));
  }
  EXPECT_TRUE(lone.sent_nothing());
}

// ---- who begins

TEST_F(HistoryLinkTest, ALinkThatComesUpIsToldTheTable) {
  lone.link_machine.on_link_up(kPeer);
  lone.expect_buckets(kPeer);
  EXPECT_TRUE(lone.sent_nothing()) << "and nobody else is";
}

TEST_F(HistoryLinkTest, ADigestThatDiffersIsAnsweredWithTheTable) {
  lone.link_machine.on_digest(kPeer, lone.shared.history()->digest());
  EXPECT_TRUE(lone.sent_nothing());
  lone.link_machine.on_digest(kPeer, lone.shared.history()->digest() + 1);
  lone.expect_buckets(kPeer);
}

TEST_F(HistoryLinkTest, ALinkApartIsToldOnceAMillisecond) {
  lone.link_machine.on_apart(kPeer, lone.now);
  lone.expect_buckets(kPeer);
  lone.pass_us(kApartUs - 1);
  lone.link_machine.on_apart(kPeer, lone.now);
  EXPECT_TRUE(lone.sent_nothing());
  lone.link_machine.on_apart(kOther, lone.now);
  lone.expect_buckets(kOther);
  lone.pass_us(1);
  lone.link_machine.on_apart(kPeer, lone.now);
  lone.expect_buckets(kPeer);
  lone.link_machine.on_apart(kOther, lone.now);
  EXPECT_TRUE(lone.sent_nothing()) << "each link by itself";
}

TEST_F(HistoryLinkTest, ItAnswersOthersWithinTheMillisecond) {
  learn_there(5, 100);
  lone.link_machine.on_apart(kPeer, lone.now);
  lone.only(kPeer);
  EXPECT_TRUE(lone.hear(lone.frame_of(other)));
  EXPECT_EQ(lone.only(kPeer).head.type, MessageType::kHistoryDifference);
}

TEST_F(HistoryLinkTest, AllThatAreLinkedAreToldSoon) {
  lone.link(kPeer);
  lone.link(kOther);
  EXPECT_EQ(lone.link_machine.next_deadline_us(), 0u);
  lone.link_machine.on_time(lone.now);
  lone.link_machine.tell_all(lone.now);
  EXPECT_EQ(lone.link_machine.next_deadline_us(), lone.now.steady_us + kTellUs);
  lone.pass_us(kTellUs - 1);
  lone.link_machine.tell_all(lone.now);  // does not put it off
  lone.link_machine.on_time(lone.now);
  EXPECT_TRUE(lone.sent_nothing());
  lone.pass_us(1);
  lone.link_machine.on_time(lone.now);
  lone.expect_buckets(kPeer);
  lone.expect_buckets(kOther);
  EXPECT_TRUE(lone.sent_nothing()) << "neither itself nor who is not linked";
  EXPECT_EQ(lone.link_machine.next_deadline_us(), 0u);
  lone.pass_us(10 * kTellUs);
  lone.link_machine.on_time(lone.now);
  EXPECT_TRUE(lone.sent_nothing()) << "once";
}

// Each of them tells others in turn, and gossip the rest.
TEST_F(HistoryLinkTest, OfManySomeAtRandomAreTold) {
  lone.core.options.tells_max = 1;
  lone.link(kPeer);
  lone.link(kOther);
  size_t told[2] = {};
  for (int change = 0; change < 40; ++change) {
    lone.link_machine.tell_all(lone.now);
    lone.pass_us(kTellUs);
    lone.link_machine.on_time(lone.now);
    const size_t peer = lone.sent(kPeer).size(), other_one = lone.sent(kOther).size();
    EXPECT_EQ(peer + other_one, 1u);
    told[0] += peer;
    told[1] += other_one;
  }
  EXPECT_GT(told[0], 5u);
  EXPECT_GT(told[1], 5u);
}

// ---- who answers

TEST_F(HistoryLinkTest, EqualTablesAreNotAnswered) {
  learn_there(5, 100);
  learn_here(5, 100);
  EXPECT_TRUE(lone.hear(lone.frame_of(other)));
  EXPECT_TRUE(lone.sent_nothing());
  EXPECT_EQ(lone.merged, 0);
}

TEST_F(HistoryLinkTest, ATableIsAnsweredWithWhatDiffersAndTheOwnTable) {
  learn_here(5, 100);
  learn_there(6, 101);
  EXPECT_TRUE(lone.hear(lone.frame_of(other)));
  const Frame answer = lone.only(kPeer);
  EXPECT_EQ(answer.head.type, MessageType::kHistoryDifference);
  EXPECT_EQ(answer.head.flags, 1);
  ByteReader reader(answer.payload);
  EXPECT_EQ(reader.bytes(), lone.buckets_of(*lone.shared.history()));
  ASSERT_TRUE(reader.ok());
  EXPECT_EQ(merge_difference(other, reader.rest()), true);
  EXPECT_EQ(other.changes().size(), 2u);
  EXPECT_EQ(known_here(), 1u) << "a table teaches nothing";
  EXPECT_EQ(lone.merged, 0);
}

TEST_F(HistoryLinkTest, WhoLacksAllAnswersTooForItIsToLearn) {
  learn_there(5, 100);
  EXPECT_TRUE(lone.hear(lone.frame_of(other)));
  EXPECT_EQ(lone.only(kPeer).head.type, MessageType::kHistoryDifference);
}

TEST_F(HistoryLinkTest, ADifferenceWithATableIsMergedAndAnsweredWithoutOne) {
  learn_here(5, 100);
  learn_there(6, 101);
  EXPECT_TRUE(lone.hear(lone.difference_of(other, true)));
  EXPECT_EQ(known_here(), 2u);
  EXPECT_EQ(lone.merged, 1);
  const Frame answer = lone.only(kPeer);
  EXPECT_EQ(answer.head.type, MessageType::kHistoryDifference);
  EXPECT_EQ(answer.head.flags, 0);
  EXPECT_EQ(merge_difference(other, answer.payload), true);
  EXPECT_EQ(other.digest(), lone.shared.history()->digest());
}

TEST_F(HistoryLinkTest, ADifferenceWithoutATableEndsIt) {
  learn_here(5, 100);
  learn_there(6, 101);
  EXPECT_TRUE(lone.hear(lone.difference_of(other, false)));
  EXPECT_EQ(known_here(), 2u);
  EXPECT_EQ(lone.merged, 1);
  EXPECT_TRUE(lone.sent_nothing());
}

TEST_F(HistoryLinkTest, TwoLinksComeToTheSameHistory) {
  LoneLink peer;
  learn_here(5, 100);
  lone.shared.add({Fact::vote(3, lone.founder(1), lone.newest())});
  peer.shared.add(make_join(6, 101, "a"));
  lone.link_machine.on_link_up(kPeer);
  int frames = 0;
  for (bool quiet = false; !quiet && frames < 10;) {
    quiet = true;
    for (const Frame& frame : lone.sent(kPeer)) {
      EXPECT_TRUE(peer.hear(frame));
      ++frames;
    }
    for (const Frame& frame : peer.sent(kPeer)) {
      EXPECT_TRUE(lone.hear(frame));
      quiet = false;
      ++frames;
    }
  }
  EXPECT_EQ(frames, 3);
  EXPECT_EQ(peer.shared.history()->digest(), lone.shared.history()->digest());
  EXPECT_EQ(known_here(), 2u);
}

TEST_F(HistoryLinkTest, WhatIsNotKeptYetIsToldNobody) {
  lone.shared.set_keeper([](uint64_t, const std::shared_ptr<const History>&) {});
  learn_here(5, 100);
  learn_there(6, 101);
  lone.link_machine.on_link_up(kPeer);
  EXPECT_EQ(lone.only(kPeer).payload, lone.buckets_of(History(lone.founding)));
  lone.link_machine.on_digest(kPeer, History(lone.founding).digest());
  EXPECT_TRUE(lone.sent_nothing());
  EXPECT_TRUE(lone.hear(lone.frame_of(other)));
  ByteReader reader(lone.only(kPeer).payload);
  reader.bytes();
  merge_difference(other, reader.rest());
  EXPECT_EQ(other.changes().size(), 1u);
}

// ---- what is malformed

TEST_F(HistoryLinkTest, WhatIsMalformedIsNeitherMergedNorAnswered) {
  learn_here(4, 99);
  learn_there(5, 100);
  const Frame table = lone.frame_of(other);
  const Frame difference = lone.difference_of(other, false);
  const Frame both = lone.difference_of(other, true);
  const History stranger(make_founding(5));
  const std::vector<Frame> frames = {
      cut_to(table, table.payload.size() - 1),
      cut_to(table, 0),
      lone.frame_with(MessageType::kHistoryBuckets, lone.buckets_of(other) + "x"),
      lone.frame_of(stranger),
      cut_to(difference, difference.payload.size() - 1),
      cut_to(both, 2),
      cut_to(both, both.payload.size() - 1),
      lone.difference_of(other, true, "no table"),
      lone.difference_of(other, true, lone.buckets_of(stranger)),
  };
  for (size_t at = 0; at < frames.size(); ++at) {
    EXPECT_FALSE(lone.hear(frames[at])) << at;
    EXPECT_TRUE(lone.sent_nothing()) << at;
  }
  EXPECT_EQ(known_here(), 1u);
  EXPECT_EQ(lone.merged, 0);
  EXPECT_TRUE(lone.hear(both));
  EXPECT_EQ(known_here(), 2u);
}

}  // namespace
}  // namespace kvorum::cluster::fixtures

// SPDX-License-Identifier: Apache-2.0
// The asking side of anti-entropy while the ring changes: what is compared one by one, and what of
// both sides is noted with an exchange.
#include <gmock/gmock.h>

#include "cluster/repair/anti_entropy.h"
#include "tests/cluster/lone_history.h"

namespace kvorum::cluster::fixtures {
namespace {

using ::testing::Contains;
using ::testing::IsEmpty;

constexpr MemberIndex kPeer = 2;
constexpr uint64_t kLinkUpMaxUs = 20'000;

struct MovingAsker : LoneHistory {
  ExchangeParty party(bool is_whole = true) const {
    return {id_of(kPeer), run_of(kPeer), Hlc{5000}, is_whole};
  }
  void turn(uint64_t us) {
    pass_us(us);
    machine.on_time(now);
  }
  Frame open_round() {
    link(kPeer);
    machine.on_link(kPeer, true, now);
    turn(kLinkUpMaxUs);
    return only(kPeer);
  }
  void opened(const Frame& question, std::vector<uint8_t> differing, bool is_whole = true) {
    ExchangeOpenReply reply;
    reply.peer = party(is_whole);
    reply.differing = std::move(differing);
    const Frame frame = made([&](std::string& batch) {
      put_exchange_open_reply(batch, question.head.operation, reply);
    });
    EXPECT_TRUE(machine.on_message(kPeer, frame, now));
  }
  // The question about the roots of keyspace 0; those of the others are left unanswered.
  Frame first_roots() {
    for (const Frame& frame : sent(kPeer)) {
      if (frame.head.type == MessageType::kPartitionRoots && frame.head.keyspace == 0) return frame;
    }
    ADD_FAILURE() << "no roots were asked for";
    return {};
  }
  void rooted(const Frame& question, PartitionRootsReply reply) {
    reply.peer = party();
    reply.peer.clock = Hlc{6000};
    const FrameHead head{MessageType::kPartitionRootsReply, question.head.keyspace, 0,
                         question.head.operation};
    const Frame frame =
        made([&](std::string& batch) { put_partition_roots_reply(batch, head, reply); });
    EXPECT_TRUE(machine.on_message(kPeer, frame, now));
  }
  // The same of the other keyspaces: all of theirs are equal.
  void root_the_others(uint64_t round) {
    for (uint8_t keyspace = 1; keyspace < kKeyspacesMax; ++keyspace) {
      rooted(made([&](std::string& batch) {
               FrameWriter frame(batch, {MessageType::kPartitionRoots, keyspace, 0, round});
               frame.finish();
             }),
             {});
    }
  }
  std::optional<CleanExchange> noted(uint32_t partition) const {
    return exchanges.latest(0, partition, id_of(kPeer));
  }

  KeyRepair keys{core};
  AntiEntropy machine{core, keys};
};

struct AskerFenceTest : ::testing::Test {
  PartitionRoots roots_of(const Frame& frame) { return parsed(frame, parse_partition_roots); }

  MovingAsker lone;
  const uint32_t gained = lone.partition_of_self(false), own = lone.partition_of_self(true);
};

TEST_F(AskerFenceTest, EqualDigestsAreUnderTheNewestSet) {
  lone.touch();
  const Frame question = lone.open_round();
  lone.opened(question, {}, false);
  ASSERT_TRUE(lone.noted(own));
  EXPECT_EQ(lone.noted(own)->signature, lone.newest());
  EXPECT_FALSE(lone.noted(own)->peer_whole);
  EXPECT_THAT(lone.sent(kPeer), IsEmpty()) << "nothing moves";
}

TEST_F(AskerFenceTest, WhereTheRingNeverChangedNothingIsFenced) {
  lone.opened(lone.open_round(), {0});
  EXPECT_THAT(roots_of(lone.first_roots()).fences, IsEmpty());
  EXPECT_EQ(lone.noted(own), std::nullopt);
}

TEST_F(AskerFenceTest, WhatMovesIsAskedForWhateverTheDigestsSay) {
  lone.leave(1);
  lone.opened(lone.open_round(), {});
  EXPECT_FALSE(lone.noted(gained));
  const PartitionRoots roots = roots_of(lone.first_roots());
  EXPECT_TRUE(roots.names_all);
  ASSERT_EQ(roots.fences.size(), roots.roots.size());
  ASSERT_THAT(roots.roots, Contains(std::pair<uint32_t, uint64_t>(gained, 0)));
  for (size_t at = 0; at < roots.roots.size(); ++at) {
    const uint32_t partition = roots.roots[at].first;
    EXPECT_NE(lone.view->find_moving(partition), nullptr);
    EXPECT_EQ(roots.fences[at],
              (RootFence{lone.view->signature(partition), lone.whole.is_whole(0, partition)}));
  }
}

TEST_F(AskerFenceTest, WhatIsHandedOverIsAskedForToo) {
  lone.touch();
  lone.put(lone.key_in(gained), lone.object_of(1, 1, "v"));
  lone.opened(lone.open_round(), {});
  const PartitionRoots roots = roots_of(lone.first_roots());
  ASSERT_EQ(roots.roots.size(), 1u);
  EXPECT_EQ(roots.roots[0].first, gained);
  EXPECT_EQ(roots.fences[0].signature, lone.newest());
}

// A node that leaves was not gone for half a minute, where its last round had begun before the last
// of its partitions settled.
TEST_F(AskerFenceTest, AndSoonAgainAsLongAsItIsHere) {
  lone.touch();
  const auto pause_us = [&](bool has_something) {
    const Frame question = lone.open_round();
    if (has_something) lone.put(lone.key_in(gained), lone.object_of(1, 1, "v"));  // since it began
    lone.opened(question, {});
    for (const Frame& frame : lone.sent(kPeer)) lone.rooted(frame, {});
    const uint64_t pause = lone.machine.next_deadline_us() - lone.now.steady_us;
    lone.link(kPeer, false);
    lone.machine.on_link(kPeer, false, lone.now);
    return pause;
  };
  EXPECT_GT(pause_us(false), 10'000'000u);
  EXPECT_LE(pause_us(true), 2 * PeerRound::kNotWholeUs);
  EXPECT_LE(pause_us(false), 2 * PeerRound::kNotWholeUs) << "and again";
}

TEST_F(AskerFenceTest, EqualRootsAreNotedWithWhatBothKnew) {
  lone.leave(1);
  lone.opened(lone.open_round(), {});
  const Frame question = lone.first_roots();
  const uint64_t signature = lone.view->signature(gained);
  lone.learn({Fact::settled(gained, lone.newest())});
  lone.machine.publish(lone.now);
  PartitionRootsReply reply;
  for (const auto& [partition, root] : roots_of(question).roots) {
    if (partition != gained) reply.apart.push_back(partition);
  }
  const uint32_t other = reply.apart.at(0);
  lone.rooted(question, reply);
  ASSERT_TRUE(lone.noted(gained));
  EXPECT_EQ(lone.noted(gained)->signature, signature) << "when they were asked for, not now";
  EXPECT_TRUE(lone.noted(gained)->peer_whole);
  EXPECT_FALSE(lone.noted(other)) << "apart";
}

TEST_F(AskerFenceTest, APeersCopyThatIsNotWholeIsNotedSo) {
  lone.leave(1);
  lone.opened(lone.open_round(), {});
  PartitionRootsReply reply;
  reply.lacking = {gained};
  lone.rooted(lone.first_roots(), reply);
  ASSERT_TRUE(lone.noted(gained));
  EXPECT_FALSE(lone.noted(gained)->peer_whole);
}

TEST_F(AskerFenceTest, AnExchangeIsNotedWithWhatBothKnewWhenItBegan) {
  lone.leave(1);
  lone.opened(lone.open_round(), {});
  const Frame question = lone.first_roots();
  const uint64_t signature = lone.view->signature(gained);
  PartitionRootsReply reply;
  reply.differing = {{gained, 0}};
  reply.lacking = {gained};
  lone.rooted(question, reply);
  lone.root_the_others(question.head.operation);
  const Frame range = lone.only(kPeer);
  ASSERT_EQ(range.head.type, MessageType::kRangeDigests);
  lone.whole.set(0, gained, true);  // only just now
  lone.learn({Fact::settled(gained, lone.newest())});
  lone.machine.publish(lone.now);
  const Frame differences = lone.made(
      [&](std::string& batch) { put_range_differences(batch, range.head.operation, {}); });
  EXPECT_TRUE(lone.machine.on_message(kPeer, differences, lone.now));
  const Frame done = lone.only(kPeer);
  ASSERT_EQ(done.head.type, MessageType::kExchangeDone);
  EXPECT_EQ(parsed(done, parse_exchange_done).fence, (RootFence{signature, false}));
  EXPECT_FALSE(lone.noted(gained));
  const Frame ended = lone.made(
      [&](std::string& batch) { put_exchange_done_reply(batch, done.head.operation, false); });
  EXPECT_TRUE(lone.machine.on_message(kPeer, ended, lone.now));
  ASSERT_TRUE(lone.noted(gained));
  EXPECT_EQ(lone.noted(gained)->signature, signature);
  EXPECT_FALSE(lone.noted(gained)->peer_whole) << "the peer said that it lacks something";
}

// What moves waits for exchanges that begin now, not in half a minute.
TEST_F(AskerFenceTest, ANewViewUnderWhichSomethingMovesBeginsARound) {
  lone.touch();
  lone.opened(lone.open_round(), {});
  lone.touch();
  lone.machine.publish(lone.now);
  lone.turn(100'000);
  EXPECT_TRUE(lone.sent_nothing()) << "nothing moves";
  lone.leave(1);
  lone.machine.publish(lone.now);
  lone.turn(5'000);
  EXPECT_EQ(lone.only(kPeer).head.type, MessageType::kExchangeOpen);
  EXPECT_TRUE(lone.sent_nothing()) << "with those that are linked";
}

}  // namespace
}  // namespace kvorum::cluster::fixtures

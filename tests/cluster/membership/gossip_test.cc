// SPDX-License-Identifier: Apache-2.0
// What gossip carries: the rounds of the frontier, and flush marks that did not arrive otherwise.
#include "cluster/membership/gossip.h"

#include <gmock/gmock.h>

#include "tests/cluster/lone_core.h"
#include "tests/cluster/test_cluster.h"

namespace kvorum::cluster {
namespace {

using fixtures::cut_to;
using fixtures::LoneCore;
using fixtures::LoneShape;
using fixtures::types_of;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

CoordinatorOptions gossiping() {
  CoordinatorOptions options;
  options.anti_entropy_ms = 3'600'000;  // it would mend behind gossip's back
  options.gossip_ms = 200;
  return options;
}

// As FLUSHDB at a node does it.
void flush(TestCluster& cluster, size_t node) {
  KeyspaceRequest request;
  request.kind = KeyspaceRequest::Kind::kFlush;
  cluster.nodes[node]->coordinator->submit(request, 4711, cluster.now_of(node));
}

TEST(Gossip, AMarkThatALinkLostArrivesWithoutANewLink) {
  for (const size_t flusher : {size_t{0}, size_t{2}}) {
    TestCluster cluster(3, {}, gossiping());
    cluster.pass_ms(100);
    cluster.set(0, "k", "v");
    const size_t deaf = 1;
    cluster.isolate(deaf, true);
    flush(cluster, flusher);
    cluster.pass_ms(2000);
    EXPECT_TRUE(cluster.nodes[flusher]->marks.any(0));
    EXPECT_FALSE(cluster.nodes[deaf]->marks.any(0));
    for (const size_t other : {size_t{0}, size_t{2}}) cluster.mend(other, deaf);
    cluster.pass_ms(5000);
    EXPECT_EQ(cluster.nodes[deaf]->marks.digest(), cluster.nodes[flusher]->marks.digest());
    EXPECT_TRUE(cluster.nodes[deaf]->marks.any(0));
    EXPECT_TRUE(cluster.own_values(deaf, "k").empty());
  }
}

// Each of two knows a mark that the other one lacks.
TEST(Gossip, MarksAreExchangedBothWays) {
  TestCluster cluster(3, {}, gossiping());
  cluster.pass_ms(100);
  cluster.isolate(2, true);
  flush(cluster, 0);
  flush(cluster, 2);
  cluster.pass_ms(2000);
  EXPECT_NE(cluster.nodes[0]->marks.digest(), cluster.nodes[2]->marks.digest());
  cluster.mend(0, 2);
  cluster.mend(1, 2);
  cluster.pass_ms(5000);
  EXPECT_EQ(cluster.nodes[0]->marks.digest(), cluster.nodes[2]->marks.digest());
  EXPECT_EQ(cluster.nodes[1]->marks.digest(), cluster.nodes[2]->marks.digest());
}

TEST(Gossip, IsRefusedWhereItIsCutShort) {
  TestCluster cluster(3, {}, gossiping());
  std::string payload(7, 'x');
  const Frame frame{{MessageType::kGossip, 0, 0, 0}, payload};
  EXPECT_FALSE(cluster.nodes[0]->coordinator->on_message(1, frame, cluster.now_of(0)));
}

// ---- the machine alone

constexpr uint64_t kIntervalUs = 200'000;

// What a frame of gossip says.
struct Said {
  uint64_t marks_digest = 0;
  Hlc reached;
  uint64_t rounds_digest = 0;
  std::string rounds;
};

struct LoneGossip : LoneCore {
  explicit LoneGossip(const LoneShape& shape = {.has_frontier = true, .options = gossiping()})
      : LoneCore(shape) {}

  Frame frame_of(const Said& said, MessageType type = MessageType::kGossip) {
    return made([&](std::string& batch) {
      FrameWriter frame(batch, {type, 0, kGossipDigests, 0});
      put_u64(frame.out(), said.marks_digest);
      put_u64(frame.out(), said.reached.value);
      put_u64(frame.out(), 0);  // of the history
      put_u64(frame.out(), said.rounds_digest);
      frame.out().append(said.rounds);
      frame.finish();
    });
  }
  Said said_by(const Frame& frame) {
    ByteReader reader(frame.payload);
    Said said;
    said.marks_digest = reader.u64();
    said.reached = Hlc{reader.u64()};
    EXPECT_EQ(reader.u64(), view->history_digest);
    said.rounds_digest = reader.u64();
    said.rounds = reader.rest();
    EXPECT_TRUE(reader.ok());
    return said;
  }
  // A member as the frontier's rounds see it, and what it says.
  FrontierRounds rounds_of(MemberIndex member) const {
    std::vector<NodeId> ids;
    for (const Member& one : view->members) ids.push_back(one.id);
    return {ids, id_of(member), run_of(member)};
  }
  Said says(const FrontierRounds& rounds) const {
    return {marks.digest(), {}, rounds.digest(), {}};
  }
  Said tells(const FrontierRounds& rounds) const {
    Said said = says(rounds);
    rounds.encode(said.rounds);
    return said;
  }
  // The runs of those that this node has heard of.
  std::vector<uint64_t> known_runs() const {
    std::string bytes;
    frontier->encode_gossip(bytes);
    FrontierRounds others = rounds_of(0);
    others.merge_encoded(bytes);
    std::vector<uint64_t> runs;
    for (const Member& one : view->members) runs.push_back(others.run_of(one.id));
    return runs;
  }
  FlushMark mark_of(MemberIndex member, uint64_t ms) const {
    return {{id_of(member), run_of(member), Hlc::from_ms(kWallMs + ms)}};
  }

  HistoryLink histories{core, [](Now) {}};
  Gossip gossip{core, histories};
};

struct GossipAlone : ::testing::Test {
  LoneGossip lone;
};

TEST_F(GossipAlone, ALinkThatComesUpIsToldAtOnce) {
  lone.marks.merge(2, lone.mark_of(1, 1));
  lone.gossip.on_link_up(1, lone.now);
  const Frame frame = lone.only(1);
  EXPECT_EQ(frame.head.type, MessageType::kGossip);
  const Said said = lone.said_by(frame);
  EXPECT_EQ(said.marks_digest, lone.marks.digest());
  EXPECT_EQ(said.reached, Hlc{});
  EXPECT_EQ(said.rounds_digest, lone.frontier->gossip_digest());
  EXPECT_THAT(said.rounds, IsEmpty()) << "not before it is known that something differs";
  EXPECT_EQ(lone.gossip.next_deadline_us(), lone.now.steady_us + kIntervalUs);
}

TEST(GossipOfAFew, ThoseWhoDoNotSpeak) {
  CoordinatorOptions without = gossiping();
  without.gossip_ms = 0;
  for (const LoneShape& silent :
       {LoneShape{.has_frontier = true, .options = without},
        LoneShape{.members = 1, .has_frontier = true, .options = gossiping()},
        LoneShape{.options = gossiping()}, LoneShape{.is_member = false, .options = gossiping()}}) {
    LoneGossip lone(silent);
    for (MemberIndex peer = 1; peer < lone.view->members.size(); ++peer) lone.link(peer);
    lone.gossip.on_link_up(0, lone.now);
    lone.pass_us(10 * kIntervalUs);
    lone.gossip.on_time(lone.now);
    EXPECT_TRUE(lone.sent_nothing());
    EXPECT_EQ(lone.gossip.next_deadline_us(), 0u);
  }
}

TEST(GossipOfAFew, AllAnswerWhoeverSpeaks) {
  LoneGossip lone({.has_frontier = true, .options = gossiping()});
  EXPECT_TRUE(lone.gossip.on_message(1, lone.frame_of(lone.says(lone.rounds_of(1)))));
  EXPECT_THAT(types_of(lone.sent(1)), ElementsAre(MessageType::kGossipReply));
  LoneGossip without({.options = gossiping()});
  EXPECT_TRUE(without.gossip.on_message(1, without.frame_of({})));
  EXPECT_TRUE(without.sent_nothing()) << "it has no frontier to speak of";
}

TEST_F(GossipAlone, WhatIsHeardIsKeptAndAnsweredOnce) {
  const Said said = lone.tells(lone.rounds_of(1));
  EXPECT_TRUE(lone.gossip.on_message(1, lone.frame_of(said)));
  EXPECT_THAT(lone.known_runs(), ElementsAre(100, 101, 0));
  EXPECT_THAT(lone.said_by(lone.only(1)).rounds, IsEmpty()) << "who told has heard all before";
  const Said other = lone.tells(lone.rounds_of(2));
  EXPECT_TRUE(lone.gossip.on_message(2, lone.frame_of(other, MessageType::kGossipReply)));
  EXPECT_THAT(lone.known_runs(), ElementsAre(100, 101, 102));
  const Frame more = lone.only(2);
  EXPECT_EQ(more.head.type, MessageType::kGossip) << "what it lacks";
  FrontierRounds peer = lone.rounds_of(2);
  EXPECT_TRUE(peer.merge_encoded(lone.said_by(more).rounds));
  EXPECT_EQ(peer.run_of(lone.id_of(0)), 100u);
  EXPECT_EQ(peer.run_of(lone.id_of(1)), 101u);
  EXPECT_TRUE(lone.gossip.on_message(2, lone.frame_of(lone.says(peer), MessageType::kGossipReply)));
  EXPECT_TRUE(lone.sent_nothing()) << "an answer without reports is not answered";
}

TEST_F(GossipAlone, AQuestionWithAnotherDigestIsAnsweredWithAllReports) {
  EXPECT_TRUE(lone.gossip.on_message(1, lone.frame_of(lone.says(lone.rounds_of(1)))));
  FrontierRounds peer = lone.rounds_of(1);
  EXPECT_TRUE(peer.merge_encoded(lone.said_by(lone.only(1)).rounds));
  EXPECT_EQ(peer.run_of(lone.id_of(0)), LoneCore::kIncarnation);
  EXPECT_FALSE(lone.frontier->heard());
}

// What version 11 of the protocol says: digests of marks and history, frontier, all reports.
std::string all_reports(const LoneGossip& lone, const FrontierRounds& rounds) {
  std::string payload;
  for (const uint64_t word : {lone.marks.digest(), uint64_t{0}, uint64_t{0}}) {
    put_u64(payload, word);
  }
  rounds.encode(payload);
  return payload;
}

TEST_F(GossipAlone, AMemberOfTheReleaseBeforeIsToldAllReports) {
  lone.core.health.set_version(1, kGossipDigestsVersion - 1);
  lone.gossip.on_link_up(1, lone.now);
  const Frame frame = lone.only(1);
  EXPECT_EQ(frame.head.flags, 0);
  FrontierRounds peer = lone.rounds_of(1);
  EXPECT_TRUE(peer.merge_encoded(frame.payload.substr(24)));
  EXPECT_EQ(peer.run_of(lone.id_of(0)), LoneCore::kIncarnation);
}

TEST_F(GossipAlone, AMemberOfTheReleaseBeforeIsAnsweredAsItAsks) {
  const std::string payload = all_reports(lone, lone.rounds_of(1));
  EXPECT_TRUE(lone.gossip.on_message(1, Frame{{MessageType::kGossip}, payload}));
  EXPECT_THAT(lone.known_runs(), ElementsAre(100, 101, 0));
  const Frame answer = lone.only(1);
  EXPECT_EQ(answer.head.type, MessageType::kGossipReply);
  EXPECT_EQ(answer.head.flags, 0);
  FrontierRounds peer = lone.rounds_of(1);
  EXPECT_TRUE(peer.merge_encoded(answer.payload.substr(24)));
  EXPECT_EQ(peer.run_of(lone.id_of(0)), LoneCore::kIncarnation);
  const std::string other = all_reports(lone, lone.rounds_of(2));
  EXPECT_TRUE(lone.gossip.on_message(2, Frame{{MessageType::kGossipReply}, other}));
  EXPECT_THAT(lone.known_runs(), ElementsAre(100, 101, 102));
  EXPECT_TRUE(lone.sent_nothing());
}

// The contract: where nothing differs, what passes does not depend on how many there are.
TEST(GossipOfAFew, WhereAllIsEqualAFrameHasTheSameSizeForTwoAndForAHundred) {
  std::vector<size_t> sizes;
  for (const uint32_t members : {2u, 100u}) {
    LoneGossip lone({.members = members, .has_frontier = true, .options = gossiping()});
    FrontierRounds peer = lone.rounds_of(1);
    EXPECT_TRUE(lone.gossip.on_message(1, lone.frame_of(lone.tells(peer))));
    lone.sent(1);
    std::string bytes;
    lone.frontier->encode_gossip(bytes);
    EXPECT_TRUE(peer.merge_encoded(bytes));
    EXPECT_TRUE(lone.gossip.on_message(1, lone.frame_of(lone.says(peer))));
    const Frame answer = lone.only(1);
    sizes.push_back(answer.payload.size());
    EXPECT_TRUE(lone.frontier->heard());
  }
  EXPECT_THAT(sizes, ElementsAre(32, 32));
}

TEST_F(GossipAlone, MarksThatDifferFollow) {
  lone.marks.merge(2, lone.mark_of(1, 1));
  Said said = lone.says(lone.rounds_of(1));
  EXPECT_TRUE(lone.gossip.on_message(1, lone.frame_of(said)));
  EXPECT_THAT(types_of(lone.sent(1)), ElementsAre(MessageType::kGossipReply)) << "they are equal";
  ++said.marks_digest;
  EXPECT_TRUE(lone.gossip.on_message(1, lone.frame_of(said)));
  const std::vector<Frame> frames = lone.sent(1);
  ASSERT_THAT(types_of(frames), ElementsAre(MessageType::kGossipReply, MessageType::kFlushMark));
  FlushMarks theirs;
  EXPECT_TRUE(theirs.merge_encoded(frames[1].payload));
  EXPECT_EQ(theirs.digest(), lone.marks.digest());
  EXPECT_TRUE(lone.gossip.on_message(1, lone.frame_of(said, MessageType::kGossipReply)));
  EXPECT_THAT(types_of(lone.sent(1)), ElementsAre(MessageType::kFlushMark)) << "both ways";
}

TEST_F(GossipAlone, WhoHasNoMarksSendsNone) {
  Said said = lone.says(lone.rounds_of(1));
  ++said.marks_digest;
  EXPECT_TRUE(lone.gossip.on_message(1, lone.frame_of(said)));
  EXPECT_THAT(types_of(lone.sent(1)), ElementsAre(MessageType::kGossipReply));
}

// Who was further has forgotten the mark: it must not be told of it again.
TEST_F(GossipAlone, MarksBelowTheOthersFrontierAreForgottenFirst) {
  Said said = lone.says(lone.rounds_of(1));
  lone.marks.merge(2, lone.mark_of(1, 1));
  said.reached = Hlc::from_ms(LoneCore::kWallMs + 2);
  EXPECT_TRUE(lone.gossip.on_message(1, lone.frame_of(said, MessageType::kGossipReply)));
  EXPECT_TRUE(lone.sent_nothing());
  EXPECT_EQ(lone.marks.digest(), said.marks_digest);
}

// Who was further may depart before it told anybody else; then the marks of those who heard it and
// of those who did not would differ for ever, and no round be agreed on (moving seed 6975).
TEST_F(GossipAlone, WhatWasHeardOfAFrontierIsPassedOn) {
  Said said = lone.says(lone.rounds_of(1));
  said.reached = Hlc::from_ms(LoneCore::kWallMs + 2);
  EXPECT_TRUE(lone.gossip.on_message(1, lone.frame_of(said, MessageType::kGossipReply)));
  EXPECT_EQ(lone.frontier->reached(), Hlc{});
  lone.gossip.on_link_up(2, lone.now);
  EXPECT_EQ(lone.said_by(lone.only(2)).reached, said.reached);
}

TEST_F(GossipAlone, MalformedOnesAreNeitherKeptNorAnswered) {
  Said said = lone.tells(lone.rounds_of(1));
  lone.marks.merge(2, lone.mark_of(1, 1));
  said.reached = Hlc::from_ms(LoneCore::kWallMs + 2);
  const Frame whole = lone.frame_of(said);
  constexpr size_t kNoRounds = 32;  // a node that tells no reports
  for (size_t bytes = 0; bytes < whole.payload.size(); ++bytes) {
    if (bytes == kNoRounds) continue;
    EXPECT_FALSE(lone.gossip.on_message(1, cut_to(whole, bytes))) << bytes;
  }
  EXPECT_TRUE(lone.sent_nothing());
  EXPECT_THAT(lone.known_runs(), ElementsAre(100, 0, 0));
  EXPECT_NE(lone.marks.digest(), said.marks_digest) << "the mark is kept";
}

TEST_F(GossipAlone, OneLinkedMemberIsToldEachInterval) {
  for (const MemberIndex peer : {MemberIndex{1}, MemberIndex{2}}) lone.link(peer);
  lone.gossip.on_time(lone.now);
  EXPECT_EQ(lone.gossip.next_deadline_us(), lone.now.steady_us + kIntervalUs);
  size_t told[3] = {};
  for (int interval = 0; interval < 40; ++interval) {
    lone.pass_us(kIntervalUs - 1);
    lone.gossip.on_time(lone.now);
    EXPECT_TRUE(lone.sent_nothing()) << "before it is due";
    lone.pass_us(1);
    lone.gossip.on_time(lone.now);
    EXPECT_EQ(lone.gossip.next_deadline_us(), lone.now.steady_us + kIntervalUs);
    const size_t first = lone.sent(1).size(), second = lone.sent(2).size();
    EXPECT_EQ(first + second, 1u);
    told[1] += first;
    told[2] += second;
  }
  EXPECT_GT(told[1], 5u);
  EXPECT_GT(told[2], 5u);
}

TEST_F(GossipAlone, WhoIsNotLinkedIsNotTold) {
  lone.gossip.on_time(lone.now);
  for (int interval = 0; interval < 10; ++interval) {
    lone.pass_us(kIntervalUs);
    lone.gossip.on_time(lone.now);
    EXPECT_TRUE(lone.sent_nothing());
    EXPECT_EQ(lone.gossip.next_deadline_us(), lone.now.steady_us + kIntervalUs);
  }
  lone.link(2);
  for (int interval = 0; interval < 10; ++interval) {
    lone.pass_us(kIntervalUs);
    lone.gossip.on_time(lone.now);
    EXPECT_THAT(lone.sent(1), IsEmpty());
    EXPECT_THAT(types_of(lone.sent(2)), ElementsAre(MessageType::kGossip));
  }
}

// The other one of two members agrees to whatever this node reports.
TEST(GossipOfAFew, AFrontierThatRoseSetsTheReaperToWork) {
  LoneGossip lone({.members = 2, .has_frontier = true, .options = gossiping()});
  lone.put("gone", lone.tombstone_of(1, 1));
  lone.put("stays", lone.object_of(1, 1, "v"));
  FrontierRounds peer = lone.rounds_of(1);
  EXPECT_TRUE(lone.gossip.on_message(1, lone.frame_of(lone.tells(peer))));
  lone.link(1);
  int intervals = 0;
  for (; lone.holds("gone") && intervals < 20; ++intervals) {
    lone.pass_us(kIntervalUs);
    for (uint8_t keyspace = 0; keyspace < kKeyspacesMax; ++keyspace) {
      for (uint32_t partition = 0; partition < LoneCore::kPartitions; ++partition) {
        lone.frontier->on_clean_exchange(
            keyspace, partition, {lone.id_of(1), 100, 101, lone.clock.tick(lone.now.wall_ms)});
      }
    }
    lone.sent(1);
    lone.gossip.on_time(lone.now);
    if (lone.sent(1).empty()) continue;
    const Frame answer = lone.frame_of(lone.tells(peer), MessageType::kGossipReply);
    EXPECT_TRUE(lone.gossip.on_message(1, answer));
    const std::vector<Frame> frames = lone.sent(1);
    if (frames.empty()) continue;
    const Said said = lone.said_by(frames[0]);
    ByteReader own(said.rounds);  // node, run, sequence, round, hash
    for (int skipped = 0; skipped < 3; ++skipped) own.u64();
    const uint64_t round = own.u64(), hash = own.u64();
    peer.merge_encoded(said.rounds);
    if (peer.round() < round) peer.report(hash, lone.clock.reading(lone.now.wall_ms));
    EXPECT_TRUE(lone.gossip.on_message(1, lone.frame_of(lone.tells(peer))));
  }
  EXPECT_FALSE(lone.holds("gone"));
  EXPECT_GT(intervals, 1) << "not before both have reported";
  EXPECT_TRUE(lone.holds("stays"));
  EXPECT_GT(lone.frontier->reached(), Hlc::from_ms(LoneCore::kWallMs + 1));
}

}  // namespace
}  // namespace kvorum::cluster

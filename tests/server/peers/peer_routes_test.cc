// SPDX-License-Identifier: Apache-2.0
#include "server/peers/peer_routes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "cluster/wire/asker.h"

namespace kvorum::server {
namespace {

using cluster::MemberIndex;
using cluster::MessageType;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr uint64_t kLingerUs = 3'000'000;
constexpr uint16_t kVersion = cluster::kPublishVersion;

std::string frame_of(MessageType type, SlotId operation = 0, std::string_view payload = {}) {
  std::string batch;
  cluster::FrameWriter frame(batch, {type, 0, 0, operation});
  frame.out().append(payload);
  frame.finish();
  return batch;
}

// A reactor but for its sockets: notes what the routes want of it.
class TestReactor final : public RouteOwner {
 public:
  TestReactor(LinkBoard& board, uint32_t number, bool waits = false)
      : routes({number, waits, kLingerUs, &board}, *this), board_(board), number_(number) {}

  PeerRoutes routes;
  uint64_t time_us = 1'000'000;
  std::set<MemberIndex> dialed, shared, used;
  std::vector<std::string> told;  // the coordinator
  std::vector<std::string> sent;  // directly
  size_t large_sent = 0, doubts = 0;
  bool busy = false;
  uint16_t version = kVersion;  // that peers speak
  cluster::Outbox box;

  void link(MemberIndex member, bool up, bool one_way = false, bool stopping = false) {
    if (up && !states_[member].up) states_[member].number = ++links_ * 16 + number_;
    LinkState& state = states_[member];
    state = {up, one_way, stopping, state.tried || !up || !one_way, version, state.number};
    routes.on_own(member, state);
  }
  std::vector<std::string> take_told() { return std::exchange(told, {}); }
  // What stands in the outbox for an own link.
  std::string take_frames(MemberIndex member) {
    box.clear_addressed();
    return std::exchange(box.batch(member), {});
  }

 private:
  void dial(MemberIndex member, bool is_shared) override {
    dialed.insert(member);
    if (is_shared) shared.insert(member);
  }
  void drop(MemberIndex member) override {
    dialed.erase(member);
    states_.erase(member);
  }
  void use(MemberIndex member, bool own) override {
    used.erase(member);
    if (own) used.insert(member);
  }
  void send_on_own(MemberIndex, std::string& batch) override { sent.push_back(batch); }
  void send_large_on_own(MemberIndex, cluster::LargeFrame) override { ++large_sent; }
  void send_messages_on_own(MemberIndex member, std::string_view frames) override {
    told.push_back("messages " + std::to_string(member) + " " + std::string(frames));
  }
  void doubt_own(MemberIndex) override { ++doubts; }
  bool is_busy(MemberIndex) const override { return busy; }
  void tell_link(MemberIndex member, bool up, uint16_t spoken) override {
    told.push_back((up ? "up " : "down ") + std::to_string(member));
    EXPECT_EQ(spoken, version);
  }
  void tell_one_way(MemberIndex member, bool one_way) override {
    told.push_back((one_way ? "one way " : "both ways ") + std::to_string(member));
  }
  void tell_stopping(MemberIndex member) override {
    told.push_back("stops " + std::to_string(member));
  }
  void tell_flow(MemberIndex member, const cluster::FrameHead&) override {
    told.push_back("flow " + std::to_string(member));
  }
  void hand_over(cluster::LinkIndex from, const cluster::Frame& frame) override {
    told.push_back("answer " + std::to_string(from.member()) + " " + std::string(frame.payload));
  }
  cluster::Outbox& outbox() override { return box; }
  uint64_t now_us() const override { return time_us; }
  void note_deadline(uint64_t) override {}

  LinkBoard& board_;
  const uint32_t number_;
  uint64_t links_ = 0;
  std::map<MemberIndex, LinkState> states_;
};

// The reactors of node 0.
class Routes : public testing::Test {
 protected:
  void make(uint32_t reactors, uint32_t links_max, bool waits = false) {
    board = std::make_unique<LinkBoard>(reactors, links_max);
    board->on_mail = [this](uint32_t reactor) { woken.push_back(reactor); };
    for (uint32_t i = 0; i < reactors; ++i) {
      nodes.push_back(std::make_unique<TestReactor>(*board, i, waits));
    }
  }
  TestReactor& at(uint32_t reactor) { return *nodes[reactor]; }

  static cluster::ClusterView view_of(size_t members) {
    cluster::ClusterView view;
    view.members.resize(members);
    view.self = 0;
    return view;
  }
  void choose(size_t members) {
    for (const auto& node : nodes) node->routes.choose(view_of(members));
    settle();
  }
  // Turns until nobody has anything to say.
  void settle() {
    do {
      for (const uint32_t reactor : std::exchange(woken, {})) at(reactor).routes.take_mail();
      for (const auto& node : nodes) {
        if (node->routes.has_mail()) node->routes.post_mail();
      }
    } while (!woken.empty());
  }
  void pass(uint64_t us) {
    for (const auto& node : nodes) {
      node->time_us += us;
      node->routes.on_time(node->time_us);
    }
    settle();
  }
  // What this reactor's coordinator asks.
  void ask(uint32_t reactor, MemberIndex member, std::string batch) {
    at(reactor).routes.send(member, batch);
    EXPECT_TRUE(batch.empty());
    settle();
  }
  SlotId operation_of(uint32_t reactor) {
    SlotMap<int> pool(1, {reactor, board->plan().reactors});
    SlotId id = 0;
    pool.acquire(&id);
    return id;
  }
  bool answer(uint32_t carrier, MemberIndex member, uint32_t asker, std::string_view payload) {
    const cluster::Frame frame{{MessageType::kReplicaReadReply, 0, 0, operation_of(asker)},
                               payload};
    const bool passed = at(carrier).routes.pass_on(member, frame);
    settle();
    return passed;
  }
  void forget_told() {
    for (const auto& node : nodes) node->told.clear();
  }

  std::unique_ptr<LinkBoard> board;
  std::vector<std::unique_ptr<TestReactor>> nodes;
  std::vector<uint32_t> woken;
};

TEST_F(Routes, WithinTheBoundEachReactorHasItsOwnLinksAndNothingIsHandedOver) {
  make(3, 6);
  for (const auto& node : nodes) node->routes.choose(view_of(3));
  for (uint32_t i = 0; i < 3; ++i) {
    EXPECT_FALSE(at(i).routes.has_mail());
    EXPECT_THAT(at(i).dialed, ElementsAre(1, 2));
    EXPECT_THAT(at(i).used, ElementsAre(1, 2));
    EXPECT_THAT(at(i).shared, IsEmpty());
    at(i).link(1, true, /*one_way=*/true);
    EXPECT_FALSE(at(i).routes.joined());
    at(i).link(1, true);
    at(i).link(2, false);  // it cannot be reached
    EXPECT_TRUE(at(i).routes.joined());
    EXPECT_FALSE(at(i).routes.has_mail());
    EXPECT_THAT(at(i).take_told(), ElementsAre("up 1", "one way 1", "both ways 1"));
  }
  EXPECT_TRUE(board->all_linked(1));
  EXPECT_FALSE(board->all_linked(2));
}

TEST_F(Routes, BeyondItTheOthersAskOnTheLinkOfTheCarrier) {
  make(3, 2);
  choose(3);
  EXPECT_THAT(at(0).dialed, IsEmpty());
  EXPECT_THAT(at(1).dialed, ElementsAre(1));
  EXPECT_THAT(at(2).dialed, ElementsAre(2));
  EXPECT_THAT(at(1).shared, ElementsAre(1));
  at(1).link(1, true);
  settle();
  for (uint32_t i = 0; i < 3; ++i) {
    EXPECT_THAT(at(i).take_told(), ElementsAre("up 1", "both ways 1"));
    EXPECT_FALSE(at(i).routes.joined());
  }
  EXPECT_TRUE(board->all_linked(1));
  at(2).link(2, false);
  settle();
  for (uint32_t i = 0; i < 3; ++i) EXPECT_TRUE(at(i).routes.joined());

  ask(0, 1, "from 0 ");
  ask(2, 1, "from 2 ");
  EXPECT_EQ(at(1).take_frames(1), "from 0 from 2 ");
  EXPECT_TRUE(answer(1, 1, 2, "to 2"));
  EXPECT_TRUE(answer(1, 1, 0, "to 0"));
  EXPECT_FALSE(answer(1, 1, 1, "to itself"));
  EXPECT_THAT(at(0).take_told(), ElementsAre("answer 1 to 0"));
  EXPECT_THAT(at(2).take_told(), ElementsAre("answer 1 to 2"));
  EXPECT_THAT(at(1).take_told(), IsEmpty());

  ask(0, 2, "to one that is down");
  EXPECT_EQ(at(2).take_frames(2), "");
}

TEST_F(Routes, AllOfATurnIsOnePieceOfMail) {
  make(2, 1);
  choose(4);
  for (const MemberIndex member : {MemberIndex{1}, MemberIndex{3}}) at(1).link(member, true);
  settle();
  std::string one = "one ", other = "other ";
  at(0).routes.send(MemberIndex{1}, one);
  at(0).routes.send(MemberIndex{3}, other);
  at(0).routes.send_large(MemberIndex{1}, {});
  at(0).routes.post_mail();
  EXPECT_THAT(woken, ElementsAre(1));
  settle();
  EXPECT_EQ(at(1).take_frames(1), "one ");
  EXPECT_EQ(at(1).take_frames(3), "other ");
  EXPECT_EQ(at(1).large_sent, 1u);
}

TEST_F(Routes, LargeAnswersAndTheirFlowComeToWhoAsked) {
  make(2, 1);
  choose(2);
  at(1).link(1, true);
  settle();
  forget_told();
  const cluster::FrameHead head{MessageType::kReplicaReadReply, 0, 0, operation_of(0)};
  EXPECT_TRUE(at(1).routes.pass_on_flow(1, head));
  {
    const SharedBytes body = share(std::string("a large one"));
    EXPECT_TRUE(at(1).routes.pass_on(1, {head, *body, 5, &body}));
  }
  settle();
  EXPECT_THAT(at(0).take_told(), ElementsAre("flow 1", "answer 1 a large one"));
  EXPECT_FALSE(at(1).routes.pass_on_flow(1, {MessageType::kHistoryDifference}));
}

TEST_F(Routes, AllAreToldOfALostLinkAndWhatWasMeantForItIsDropped) {
  make(2, 1);
  choose(2);
  at(1).link(1, true);
  settle();
  forget_told();
  std::string batch = "late";
  at(0).routes.send(MemberIndex{1}, batch);
  at(1).link(1, false);
  at(1).link(1, true);
  settle();
  EXPECT_EQ(at(1).take_frames(1), "");
  for (uint32_t i = 0; i < 2; ++i) {
    EXPECT_THAT(at(i).take_told(), ElementsAre("down 1", "up 1", "both ways 1"));
  }
  EXPECT_TRUE(board->all_linked(1));
  ask(0, 1, "in time");
  EXPECT_EQ(at(1).take_frames(1), "in time");
}

TEST_F(Routes, APeerThatStopsHearsOfItBehindWhatAllReactorsAsked) {
  make(3, 1);
  choose(2);
  at(1).link(1, true);
  settle();
  forget_told();
  std::string batch = "asked before";
  at(0).routes.send(MemberIndex{1}, batch);
  at(0).routes.post_mail();
  at(1).link(1, true, false, /*stopping=*/true);
  EXPECT_EQ(at(1).take_frames(1), "");  // the others may have asked something yet
  settle();
  EXPECT_EQ(at(1).take_frames(1), "asked before" + frame_of(MessageType::kStoppingSeen));
  for (uint32_t i = 0; i < 3; ++i) EXPECT_THAT(at(i).take_told(), ElementsAre("stops 1"));
}

TEST_F(Routes, WithoutOthersItHearsAtOnce) {
  make(1, 1);
  choose(2);
  at(0).link(1, true);
  at(0).link(1, true, false, /*stopping=*/true);
  EXPECT_EQ(at(0).take_frames(1), frame_of(MessageType::kStoppingSeen));
}

// Two reactors; with three members there are two links to each of the two others, with more one.
TEST_F(Routes, WithMoreMembersAWayChangesWithoutAGap) {
  make(2, 4);
  choose(3);
  for (uint32_t i = 0; i < 2; ++i) {
    for (const MemberIndex member : {MemberIndex{1}, MemberIndex{2}}) at(i).link(member, true);
  }
  forget_told();
  choose(4);
  EXPECT_THAT(at(0).told, IsEmpty());
  EXPECT_THAT(at(1).told, IsEmpty());
  EXPECT_THAT(at(0).dialed, ElementsAre(1, 2));
  EXPECT_THAT(at(0).used, ElementsAre(2));
  EXPECT_THAT(at(1).dialed, ElementsAre(1, 2, 3));
  ask(0, 1, "on the link of the other");
  EXPECT_EQ(at(1).take_frames(1), "on the link of the other");
  pass(kLingerUs - 1);
  EXPECT_THAT(at(0).dialed, ElementsAre(1, 2));
  at(0).busy = true;  // with a large answer
  pass(2);
  EXPECT_THAT(at(0).dialed, ElementsAre(1, 2));
  at(0).busy = false;
  pass(kLingerUs);
  EXPECT_THAT(at(0).dialed, ElementsAre(2));
  EXPECT_THAT(at(1).dialed, ElementsAre(1, 3));
  EXPECT_THAT(at(0).told, IsEmpty());
  EXPECT_TRUE(board->all_linked(1));
}

TEST_F(Routes, WithFewerTooAndTheCarrierKeepsItsLink) {
  make(2, 2);
  choose(3);
  at(1).link(1, true);
  at(0).link(2, true);
  settle();
  cluster::ClusterView fewer = view_of(3);
  fewer.members[2].standing = cluster::Standing::kGone;
  forget_told();
  for (const auto& node : nodes) node->routes.choose(fewer);
  settle();
  EXPECT_THAT(at(0).dialed, ElementsAre(1, 2));
  ask(0, 1, "not up yet");
  EXPECT_EQ(at(1).take_frames(1), "not up yet");
  at(0).link(1, true, /*one_way=*/true);
  ask(0, 1, "nor both ways");
  EXPECT_EQ(at(1).take_frames(1), "nor both ways");
  at(0).link(1, true);
  EXPECT_THAT(at(0).used, ElementsAre(1, 2));
  EXPECT_TRUE(answer(1, 1, 0, "late"));  // to what was asked before
  EXPECT_THAT(at(0).take_told(), ElementsAre("answer 1 late"));
  pass(kLingerUs);
  EXPECT_THAT(at(1).dialed, ElementsAre(1));
  EXPECT_THAT(at(0).told, IsEmpty());
}

TEST_F(Routes, WhatWasAskedOnAnOldLinkIsLostWithIt) {
  make(2, 4);
  choose(3);
  for (uint32_t i = 0; i < 2; ++i) {
    for (const MemberIndex member : {MemberIndex{1}, MemberIndex{2}}) at(i).link(member, true);
  }
  choose(4);
  forget_told();
  at(0).link(1, false);
  settle();
  EXPECT_THAT(at(0).take_told(), ElementsAre("down 1", "up 1", "both ways 1"));
  EXPECT_THAT(at(0).dialed, ElementsAre(2));
  EXPECT_TRUE(board->all_linked(1));
}

TEST_F(Routes, AWayThatIsDownIsLeftAtOnce) {
  make(2, 4);
  choose(3);
  at(0).link(2, true);
  choose(4);
  EXPECT_THAT(at(0).dialed, ElementsAre(2));
  EXPECT_THAT(at(1).dialed, ElementsAre(1, 3));
}

TEST_F(Routes, TheViewsOfTwoReactorsMayDiffer) {
  make(2, 2);
  at(0).routes.choose(view_of(4));  // knows of member 3, which reactor 1 is to dial
  settle();
  EXPECT_THAT(at(1).shared, ElementsAre(1, 3));
  at(1).routes.choose(view_of(2));  // and has members 1 alone
  settle();
  at(1).link(1, true);
  at(1).link(3, true);
  settle();
  EXPECT_THAT(at(0).take_told(), ElementsAre("up 1", "both ways 1", "up 3", "both ways 3"));
  EXPECT_THAT(at(1).take_told(), ElementsAre("up 1", "both ways 1"));
  ask(0, 3, "known to one");
  EXPECT_THAT(at(1).sent, ElementsAre("known to one"));
  at(1).routes.choose(view_of(4));
  EXPECT_THAT(at(1).take_told(), ElementsAre("up 3", "both ways 3"));
}

TEST_F(Routes, MessagesGoOnTheOwnLinkOrWithTheCarrier) {
  using Way = PeerRoutes::MessageWay;
  make(3, 2);
  choose(3);
  EXPECT_EQ(at(0).routes.message_way(1), Way::kNone);
  EXPECT_EQ(at(0).routes.message_way(9), Way::kNone) << "nobody knows it";
  at(1).link(1, true);
  settle();
  forget_told();
  EXPECT_EQ(at(1).routes.message_way(1), Way::kOwn);
  ASSERT_EQ(at(0).routes.message_way(1), Way::kCarried);
  at(0).routes.carry_messages(1, "one");
  at(0).routes.carry_messages(1, "two");
  settle();
  EXPECT_THAT(at(1).take_told(), ElementsAre("messages 1 one", "messages 1 two"));
  at(1).link(1, false);
  settle();
  EXPECT_EQ(at(0).routes.message_way(1), Way::kNone);
}

TEST_F(Routes, APeerOfBeforeGetsNoMessages) {
  make(1, 2);
  at(0).version = cluster::kPublishVersion - 1;
  choose(2);
  at(0).link(1, true);
  EXPECT_EQ(at(0).routes.message_way(1), PeerRoutes::MessageWay::kNone);
}

TEST_F(Routes, DoubtsGoToTheCarrier) {
  make(2, 1);
  choose(2);
  at(0).routes.doubt(1);
  at(1).routes.doubt(1);  // its own
  settle();
  EXPECT_EQ(at(1).doubts, 1u);
  EXPECT_EQ(at(0).doubts, 0u);
}

TEST_F(Routes, OneReactorSpeaksOfALink) {
  make(3, 2);
  choose(3);
  EXPECT_FALSE(at(0).routes.speaks_of(1));
  EXPECT_TRUE(at(1).routes.speaks_of(1));
  EXPECT_TRUE(at(2).routes.speaks_of(2));
  choose(2);  // two of them dial the one: the first asks on the link of reactor 1
  EXPECT_TRUE(at(1).routes.speaks_of(1));
  EXPECT_FALSE(at(2).routes.speaks_of(1));
}

TEST_F(Routes, ANodeThatWaitsDialsWithOneReactorAndTellsNoCoordinator) {
  make(3, 2, /*waits=*/true);
  at(0).routes.choose(view_of(4));
  settle();
  EXPECT_THAT(at(0).dialed, ElementsAre(1, 2, 3));
  EXPECT_TRUE(at(0).routes.speaks_of(2));
  at(0).link(1, true);
  EXPECT_THAT(at(0).told, IsEmpty());
}

}  // namespace
}  // namespace kvorum::server

// SPDX-License-Identifier: Apache-2.0
#include "cluster/coordinator/frame_router.h"

#include <gtest/gtest.h>

#include "cluster/wire/keyspace_messages.h"
#include "tests/cluster/lone_core.h"

namespace kvorum::cluster::fixtures {
namespace {

constexpr MemberIndex kPeer = 1;

class FrameRouterTest : public ::testing::Test {
 protected:
  FrameRouterTest() {
    pools.set(OperationPool::kRequests, requests.table());
    pools.set(OperationPool::kReplicaFrames, replicas);
    keyspaces.publish(lone.view);
    lone.link(kPeer);
  }

  static Frame frame_of(MessageType type) {
    Frame frame;
    frame.head.type = type;
    return frame;
  }
  bool give(const Frame& frame) { return router.on_message(kPeer, frame, lone.now); }
  uint64_t malformed() const { return lone.core.counters.malformed_frames; }

  LoneCore lone;
  RequestRunner requests{lone.core};
  ReplicaService replicas{lone.core};
  ExchangeServer exchange_server{lone.core};
  HistoryLink histories{lone.core, [](Now) {}};
  Gossip gossip{lone.core, histories};
  AgreementLink agreement_link{lone.core};
  HeldCopiesLink held_copies{lone.core};
  KeyspaceMachine keyspaces{lone.core.parts, lone.core.outbox, {}};
  MachineTable pools;
  FrameRouter router{{lone.core, pools, requests, replicas, exchange_server, gossip, agreement_link,
                      histories, held_copies, keyspaces, nullptr}};
};

TEST_F(FrameRouterTest, TypesThatNoMachineTakesAreCounted) {
  uint64_t counted = 0;
  for (const int type : {0, 1, 7, 19, 21, 31, 63, 80, 95, 104, 119, 128, 255}) {
    EXPECT_FALSE(give(frame_of(static_cast<MessageType>(type)))) << type;
    EXPECT_EQ(malformed(), ++counted) << type;
  }
}

TEST_F(FrameRouterTest, FramesWithoutTheirPayloadAreMalformed) {
  for (const MessageType type :
       {MessageType::kForward, MessageType::kReplicaRead, MessageType::kReplicaReadReply,
        MessageType::kReplicaWrite, MessageType::kReplicaWriteReply, MessageType::kScan,
        MessageType::kExchangeOpen, MessageType::kHeldCopiesReply}) {
    EXPECT_FALSE(give(frame_of(type))) << static_cast<int>(type);
  }
  EXPECT_EQ(malformed(), 8u);
}

TEST_F(FrameRouterTest, AnAnswerOfAnExchangeHasNobodyWithoutAControl) {
  EXPECT_FALSE(give(frame_of(MessageType::kExchangeDoneReply)));
}

TEST_F(FrameRouterTest, AProbeIsAnsweredWithWhatItBrought) {
  Frame probe = frame_of(MessageType::kProbe);
  probe.head.operation = 77;
  EXPECT_TRUE(give(probe));
  const Frame answer = lone.only(kPeer);
  EXPECT_EQ(answer.head.type, MessageType::kProbeReply);
  EXPECT_EQ(answer.head.operation, 77u);
  EXPECT_EQ(malformed(), 0u);
}

TEST_F(FrameRouterTest, KeyspaceFramesGoToTheirMachine) {
  EXPECT_TRUE(give(lone.made([](std::string& batch) { put_flush_clocks(batch, 5); })));
  EXPECT_EQ(lone.only(kPeer).head.type, MessageType::kFlushClocksReply);
}

TEST_F(FrameRouterTest, WhatIsForTheLinkAloneChangesNothing) {
  EXPECT_TRUE(give(frame_of(MessageType::kStoppingSeen)));
  EXPECT_TRUE(lone.sent_nothing());
}

}  // namespace
}  // namespace kvorum::cluster::fixtures

// SPDX-License-Identifier: Apache-2.0
#include "cluster/wire/asker.h"

#include <gtest/gtest.h>

namespace kvorum::cluster {
namespace {

constexpr uint32_t kCoordinators = 5;

TEST(Asker, AnAnswerIsOfThePoolThatGaveItsOperation) {
  for (uint32_t number = 0; number < kCoordinators; ++number) {
    SlotMap<int> pool(2, {number, kCoordinators});
    SlotId id = 0;
    for (int i = 0; i < 100; ++i) pool.acquire(&id);
    EXPECT_EQ(asker_of({MessageType::kReplicaReadReply, 0, 0, id}, kCoordinators), number);
    EXPECT_EQ(asker_of({MessageType::kScanReply, 0, 0, id}, kCoordinators), number);
  }
}

TEST(Asker, AProbeBringsItsTimeBackToWhoAsked) {
  for (uint32_t number = 0; number < kCoordinators; ++number) {
    const SlotPart coordinator{number, kCoordinators};
    const SlotId operation = probe_operation(1'234'567'890'123, coordinator);
    EXPECT_EQ(asker_of({MessageType::kProbeReply, 0, 0, operation}, kCoordinators), number);
    EXPECT_EQ(probe_asked_us(operation, coordinator), 1'234'567'890'123u);
  }
  EXPECT_EQ(probe_operation(77, {}), 77u);
}

TEST(Asker, ExchangesAreOfTheFirst) {
  for (const MessageType type : {MessageType::kExchangeOpenReply, MessageType::kRangeDifferences,
                                 MessageType::kExchangeDoneReply}) {
    EXPECT_EQ(asker_of({type, 0, 0, ~0ULL}, kCoordinators), 0u);
  }
}

TEST(Asker, WhatAnswersNoOperationIsForAnybody) {
  EXPECT_EQ(asker_of({MessageType::kGossipReply}, kCoordinators), std::nullopt);
  EXPECT_EQ(asker_of({MessageType::kHistoryDifference}, kCoordinators), std::nullopt);
  EXPECT_EQ(asker_of({MessageType::kFlushMark}, kCoordinators), std::nullopt);
}

TEST(Asker, AnOperationThatNobodyHasIsNobodys) {
  EXPECT_EQ(asker_of({MessageType::kReplicaReadReply, 0, 0, ~0ULL}, kCoordinators), std::nullopt);
}

}  // namespace
}  // namespace kvorum::cluster

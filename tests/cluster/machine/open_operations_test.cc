// SPDX-License-Identifier: Apache-2.0
// What is counted of open operations, and what a request's place keeps once it ended.
#include "cluster/machine/open_operations.h"

#include <gtest/gtest.h>

namespace kvorum::cluster {
namespace {

constexpr size_t kLarge = 1 << 20;

class OpenOperationsTest : public ::testing::Test {
 protected:
  Operation& begin(SlotId* slot, Operation::Kind kind = Operation::Kind::kGet) {
    Operation& operation = open.requests.acquire(slot);
    operation.begin(kind, {});
    return operation;
  }

  OpenOperations open{SlotPart{}};
  SlotId id = 0;
};

TEST_F(OpenOperationsTest, HeldBytesAreThoseOfAllOperationsAsTheyWereCountedLast) {
  SlotId other = 0;
  Operation& first = begin(&id);
  Operation& second = begin(&other);
  first.payload.assign(100, 'x');
  second.object.head.assign(50, 'x');
  EXPECT_EQ(open.held_bytes, 0u);
  open.count_held(first);
  open.count_held(second);
  EXPECT_EQ(open.held_bytes, 150u);
  first.payload.assign(10, 'x');
  open.count_held(first);
  EXPECT_EQ(open.held_bytes, 60u);
  open.release(id);
  EXPECT_EQ(open.held_bytes, 50u);
  open.release(other);
  EXPECT_EQ(open.held_bytes, 0u);
}

TEST_F(OpenOperationsTest, AnEndedRequestIsNotFoundAndItsPlaceKeepsLittle) {
  Operation& operation = begin(&id, Operation::Kind::kPut);
  operation.payload.assign(kLarge, 'x');
  operation.object.head.assign(kLarge, 'x');
  operation.writing.reply_storage.assign(kLarge, 'x');
  operation.writing.made = share(std::string(kLarge, 'x'));
  open.release(id);
  EXPECT_EQ(open.requests.find(id), nullptr);
  SlotId next = 0;
  const Operation& again = open.requests.acquire(&next);
  ASSERT_EQ(&again, &operation);
  EXPECT_LT(again.payload.capacity() + again.object.head.capacity() +
                again.writing.reply_storage.capacity(),
            kLarge / 8);
  EXPECT_EQ(again.writing.made, nullptr);
}

TEST_F(OpenOperationsTest, FirstPlacesKeepWhatOrdinaryRequestsNeed) {
  Operation& operation = begin(&id);
  operation.payload.assign(4096, 'x');
  const char* const memory = operation.payload.data();
  open.release(id);
  SlotId next = 0;
  Operation& again = begin(&next);
  again.payload.assign(4096, 'y');
  EXPECT_EQ(again.payload.data(), memory) << "no allocation";
}

TEST_F(OpenOperationsTest, OwnCommitsAreAwaitedInTheirOwnQueues) {
  open.await_own_vote(7, 70);
  open.await_own_hint(3, 30);
  ASSERT_EQ(open.awaited_commits.size(), 1u);
  EXPECT_EQ(open.awaited_commits[0].ticket, 7u);
  EXPECT_EQ(open.awaited_commits[0].operation, 70u);
  ASSERT_EQ(open.awaited_hint_commits.size(), 1u);
  EXPECT_EQ(open.awaited_hint_commits[0].ticket, 3u);
  EXPECT_EQ(open.awaited_hint_commits[0].operation, 30u);
}

TEST(OpenOperationsDeathTest, EndingARequestTwiceIsABrokenInvariant) {
  OpenOperations open{SlotPart{}};
  SlotId id = 0;
  open.requests.acquire(&id).begin(Operation::Kind::kGet, {});
  open.release(id);
  EXPECT_DEATH(open.release(id), "invariant broken");
}

TEST_F(OpenOperationsTest, ARenewedRequestHasItsDeadlineByItsNewId) {
  Operation& operation = begin(&id);
  operation.deadline_us = 1000;
  const SlotId later = open.renew(id, Now{400, 0});
  EXPECT_EQ(open.requests.find(id), nullptr);
  EXPECT_EQ(open.requests.find(later), &operation);
  EXPECT_EQ(open.timers.take_due(999), std::nullopt);
  EXPECT_EQ(open.timers.take_due(1000), later);
  const SlotId latest = open.renew(later, Now{1500, 0});
  EXPECT_EQ(open.timers.take_due(1500), latest) << "it is over already";
}

}  // namespace
}  // namespace kvorum::cluster

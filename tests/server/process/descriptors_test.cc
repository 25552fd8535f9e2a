// SPDX-License-Identifier: Apache-2.0
#include "server/process/descriptors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kvorum::server {
namespace {

DescriptorNeeds member_of_three() {
  DescriptorNeeds needs;
  needs.reactors = 2;
  needs.links = 4;
  needs.listeners = 7;
  return needs;
}

TEST(Descriptors, WhereThereAreEnoughNobodyHasLess) {
  const auto plan = plan_descriptors(100'000, member_of_three());
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan.value().clients, 10000u);
  EXPECT_EQ(plan.value().admin, 256u);
  EXPECT_EQ(plan.value().strangers, 256u);
}

TEST(Descriptors, FewAreDividedUpAndNeverMoreThanThereAre) {
  for (uint64_t limit = 100; limit < 12'000; limit += 7) {
    const auto plan = plan_descriptors(limit, member_of_three());
    if (!plan.ok()) continue;
    EXPECT_LE(plan.value().clients + plan.value().reserved, limit);
    EXPECT_GE(plan.value().clients, 8u);
    EXPECT_GE(plan.value().admin, 8u);
    EXPECT_GE(plan.value().strangers, 4u);
  }
  const auto plan = plan_descriptors(160, member_of_three());
  ASSERT_TRUE(plan.ok());
  EXPECT_GE(plan.value().clients, 20u);
}

TEST(Descriptors, ANodeThatCannotWorkSaysHowManyItNeeds) {
  const auto refused = plan_descriptors(64, member_of_three());
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.status().message(),
              testing::AllOf(testing::HasSubstr("open files is 64"), testing::HasSubstr("ulimit")));
}

TEST(Descriptors, FewClientsAreEnoughWhereFewAreWanted) {
  DescriptorNeeds needs = member_of_three();
  needs.clients = 2;
  const auto plan = plan_descriptors(160, needs);
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan.value().clients, 2u);
}

TEST(Descriptors, ANodeInMemoryNeedsNoneForItsStore) {
  DescriptorNeeds needs = member_of_three();
  const auto durable = plan_descriptors(1000, needs);
  needs.durable = false;
  const auto memory = plan_descriptors(1000, needs);
  EXPECT_GT(memory.value().clients, durable.value().clients + 200);
}

}  // namespace
}  // namespace kvorum::server

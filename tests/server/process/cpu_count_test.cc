// SPDX-License-Identifier: Apache-2.0
#include "server/process/cpu_count.h"

#include <gtest/gtest.h>

#include <thread>

namespace kvorum::server {
namespace {

TEST(CpuCountTest, AQuotaIsRoundedUp) {
  EXPECT_EQ(cpus_of_quota("200000 100000"), 2u);
  EXPECT_EQ(cpus_of_quota("150000 100000"), 2u);
  EXPECT_EQ(cpus_of_quota("1000 100000"), 1u);
}

TEST(CpuCountTest, NoQuotaIsNone) {
  EXPECT_EQ(cpus_of_quota("max 100000"), std::nullopt);
  EXPECT_EQ(cpus_of_quota(""), std::nullopt);
  EXPECT_EQ(cpus_of_quota("100000"), std::nullopt);
  EXPECT_EQ(cpus_of_quota("0 0"), std::nullopt);
}

TEST(CpuCountTest, ThisProcessMayUseSomeOfTheMachine) {
  EXPECT_GE(usable_cpus(), 1u);
  EXPECT_LE(usable_cpus(), std::max(1u, std::thread::hardware_concurrency()));
}

}  // namespace
}  // namespace kvorum::server

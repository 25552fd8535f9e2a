// SPDX-License-Identifier: Apache-2.0
#include "server/logbook/latency_percentiles.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kvorum::server {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(LatencyPercentiles, AreWhatWasSet) {
  LatencyPercentiles percentiles;
  EXPECT_THAT(percentiles.get(), ElementsAre(50, 99, 99.9));
  EXPECT_TRUE(percentiles.is_shown());
  percentiles.set({});
  percentiles.show(false);
  EXPECT_THAT(percentiles.get(), IsEmpty());
  EXPECT_FALSE(percentiles.is_shown());
}

TEST(LatencyPercentiles, AreShownWithoutZerosAtTheirEnd) {
  EXPECT_EQ(percent_text(50), "50");
  EXPECT_EQ(percent_text(99.9), "99.9");
  EXPECT_EQ(percent_text(0), "0");
  EXPECT_EQ(percent_text(100), "100");
  EXPECT_EQ(percent_text(99.9999999), "100");
}

TEST(LatencyPercentiles, AreRead) {
  std::vector<double> percents;
  EXPECT_EQ(read_percents({"50", "99.9", "1e1", "0", "100"}, &percents), "");
  EXPECT_THAT(percents, ElementsAre(50, 99.9, 10, 0, 100));
  for (const char* word : {"", "x", " 50", "50 ", "50x", "nan"}) {
    EXPECT_EQ(read_percents({word}, &percents),
              "Invalid latency-tracking-info-percentiles parameters");
  }
  for (const char* word : {"-1", "100.1", "inf"}) {
    EXPECT_EQ(read_percents({word}, &percents),
              "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]");
  }
  const std::vector<std::string_view> many(LatencyPercentiles::kMost + 1, "50");
  EXPECT_NE(read_percents(many, &percents), "");
}

}  // namespace
}  // namespace kvorum::server

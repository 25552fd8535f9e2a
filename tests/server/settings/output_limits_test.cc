// SPDX-License-Identifier: Apache-2.0
#include "server/settings/output_limits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kvorum::server {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

struct OutputLimits : ::testing::Test {
  std::string change(std::string_view text) {
    return change_output_limits(text, &limits, &replica);
  }
  std::string shown() const { return output_limits_text(limits, replica); }

  LimitsConfig limits;
  std::string replica{kReplicaOutputUsual};
};

TEST_F(OutputLimits, AreThoseOfTheConfiguration) {
  EXPECT_EQ(shown(), "normal 0 1048576 60 slave 0 0 0 pubsub 33554432 8388608 60");
  EXPECT_EQ(change(shown()), "");
  EXPECT_EQ(shown(), output_limits_text(LimitsConfig(), kReplicaOutputUsual));
}

TEST_F(OutputLimits, OneClassOrSeveral) {
  EXPECT_EQ(change("pubsub 1mb 512kb 60"), "");
  EXPECT_EQ(limits.subscriber_output_bytes, 1u << 20);
  EXPECT_EQ(limits.subscriber_behind_bytes, 512u << 10);
  EXPECT_EQ(limits.subscriber_behind_ms, 60'000u);
  EXPECT_EQ(change("Normal 3 2 1 SLAVE 1k 2 3 replica 4 5 6 normal 30 20 10"), "");
  EXPECT_EQ(limits.client_output_max_bytes, 30u);
  EXPECT_EQ(limits.client_output_bytes, 20u);
  EXPECT_EQ(limits.client_output_wait_ms, 10'000u);
  EXPECT_EQ(shown(), "normal 30 20 10 slave 4 5 6 pubsub 1048576 524288 60");
  EXPECT_EQ(change(""), "");
  EXPECT_EQ(change("normal   "), "");  // as in Redis nothing is zero
  EXPECT_EQ(limits.client_output_max_bytes, 0u);
}

TEST_F(OutputLimits, SayWhatIsWrong) {
  for (const char* text :
       {"normal", "normal 1 2", "normal  1 2 3", "normal 1 2 3 ", " normal 1 2 3", " "}) {
    EXPECT_EQ(change(text), "Wrong number of arguments in buffer limit configuration.") << text;
  }
  for (const char* text : {"master 1 2 3", "some 1 2 3", " 1 2 3"}) {
    EXPECT_EQ(change(text), "Invalid client class specified in buffer limit configuration.");
  }
  for (const char* text :
       {"normal -1 2 3", "normal 1 2 -3", "normal 1 2 3s", "normal 1x 2 3", "normal 1 2 2147483648",
        "normal 99999999999999999999 2 3", "normal 9223372036854775807gb 2 3"}) {
    EXPECT_EQ(change(text),
              "Error in hard, soft or soft_seconds setting in buffer limit configuration.")
        << text;
  }
}

TEST(WordsOfValue, StandBetweenSingleBlanks) {
  EXPECT_THAT(words_of_value(""), IsEmpty());
  EXPECT_THAT(words_of_value("a"), ElementsAre("a"));
  EXPECT_THAT(words_of_value("a b  c"), ElementsAre("a", "b", "", "c"));
  EXPECT_THAT(words_of_value(" a "), ElementsAre("", "a", ""));
}

}  // namespace
}  // namespace kvorum::server

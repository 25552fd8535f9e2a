// SPDX-License-Identifier: Apache-2.0
#include "server/logbook/log_words.h"

#include <gmock/gmock.h>

namespace kvorum::server {
namespace {

using ::testing::ElementsAre;
using Words = std::vector<std::string_view>;

TEST(LogWords, SecretsAreLeftOut) {
  EXPECT_THAT(words_for_logs("auth", Words{"AUTH", "me", "secret"}),
              ElementsAre("AUTH", kRedacted, kRedacted));
  EXPECT_THAT(words_for_logs("hello", Words{"HELLO", "3", "Auth", "me", "secret", "SETNAME", "x"}),
              ElementsAre("HELLO", "3", "Auth", kRedacted, kRedacted, "SETNAME", "x"));
  EXPECT_THAT(words_for_logs("hello", Words{"HELLO", "3", "AUTH"}),
              ElementsAre("HELLO", "3", "AUTH"));
  EXPECT_THAT(
      words_for_logs("config|set", Words{"CONFIG", "SET", "hz", "10", "RequirePass", "secret"}),
      ElementsAre("CONFIG", "SET", "hz", "10", "RequirePass", kRedacted));
  EXPECT_THAT(words_for_logs("set", Words{"SET", "auth", "requirepass"}),
              ElementsAre("SET", "auth", "requirepass"));
}

}  // namespace
}  // namespace kvorum::server

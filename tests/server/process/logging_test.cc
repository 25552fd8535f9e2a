// SPDX-License-Identifier: Apache-2.0
#include "server/process/logging.h"

#include <gtest/gtest.h>

namespace kvorum::server {
namespace {

TEST(LoggingTest, TextBecomesTheInsideOfAJsonString) {
  EXPECT_EQ(json_escaped("plain ä"), "plain ä");
  EXPECT_EQ(json_escaped("a\"b\\c\nd\re\tf"), "a\\\"b\\\\c\\nd\\re\\tf");
  EXPECT_EQ(json_escaped(std::string_view("\x01\0", 2)), "\\u0001\\u0000");
}

TEST(LogGatesTest, TheSameTroubleIsHeldBackAndCounted) {
  LogGates gates;
  EXPECT_TRUE(gates.ask("b", "refused", 1000).open);
  EXPECT_FALSE(gates.ask("b", "refused", 2000).open);
  EXPECT_FALSE(gates.ask("b", "refused", 3000).open);
  const auto later = gates.ask("b", "refused", 1000 + LogGates::kRepeatAfterUs);
  EXPECT_TRUE(later.open);
  EXPECT_EQ(later.suppressed, 2u);
}

TEST(LogGatesTest, AnotherTroubleOrSubjectIsNew) {
  LogGates gates;
  EXPECT_TRUE(gates.ask("b", "refused", 1000).open);
  EXPECT_TRUE(gates.ask("b", "silent", 1001).open);
  EXPECT_TRUE(gates.ask("c", "silent", 1002).open);
}

TEST(LogGatesTest, WhatWasOverIsNewAgain) {
  LogGates gates;
  EXPECT_TRUE(gates.ask("b", "refused", 1000).open);
  gates.forget("b");
  EXPECT_TRUE(gates.ask("b", "refused", 1001).open);
}

TEST(LogGatesTest, ManySubjectsAreForgottenNotKept) {
  LogGates gates;
  for (size_t i = 0; i <= LogGates::kSubjectsMax; ++i) gates.ask(std::to_string(i), "x", 1000);
  EXPECT_TRUE(gates.ask("0", "x", 1001).open);
}

}  // namespace
}  // namespace kvorum::server

// SPDX-License-Identifier: Apache-2.0
#include "server/process/logging.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

namespace kvorum::server {
namespace {

TEST(LoggingTest, TextBecomesAJsonString) {
  EXPECT_EQ(json_text(""), R"("")");
  EXPECT_EQ(json_text("plain ä € 🐙"), R"("plain ä € 🐙")");
  EXPECT_EQ(json_text("a\"b\\c\nd\re\tf"), R"("a\"b\\c\nd\re\tf")");
  EXPECT_EQ(json_text(std::string_view("\x01\0\x7f", 3)), "\"\\u0001\\u0000\x7f\"");
}

TEST(LoggingTest, WhatIsNotUtf8IsReplacedByteByByteAndNothingElseIsLost) {
  EXPECT_EQ(json_text("\xff"), "\"\uFFFD\"");
  EXPECT_EQ(json_text("\xc3\"b"), "\"\uFFFD\\\"b\"");              // a letter that has no end
  EXPECT_EQ(json_text("ab\xe2\x82"), "\"ab\uFFFD\uFFFD\"");        // one cut off by the end
  EXPECT_EQ(json_text("\xc0\x80"), "\"\uFFFD\uFFFD\"");            // written too long
  EXPECT_EQ(json_text("\xed\xa0\x80"), "\"\uFFFD\uFFFD\uFFFD\"");  // half of a pair of UTF-16
}

TEST(LoggingTest, ALineOfAnyBytesIsAJsonObject) {
  std::string any;
  for (int byte = 0; byte < 256; ++byte) any += static_cast<char>(byte);
  const std::string path = testing::TempDir() + "logging_test.log";
  LogConfig config;
  config.format = LogFormat::kJson;
  config.file = path;
  ASSERT_TRUE(start_logging(config, "a").ok());
  log_warning("key {}", any);
  stop_logging();

  std::ifstream file(path);
  std::string line, behind;
  ASSERT_TRUE(std::getline(file, line));
  EXPECT_FALSE(std::getline(file, behind)) << behind;
  const boost::json::object object = boost::json::parse(line).as_object();
  std::vector<std::string> keys;
  for (const auto& pair : object) keys.emplace_back(pair.key());
  EXPECT_EQ(keys, (std::vector<std::string>{"time", "level", "node", "message"}));
  EXPECT_EQ(object.at("level"), "warning");
  EXPECT_EQ(object.at("node"), "a");
  EXPECT_TRUE(object.at("message").as_string().starts_with("key "));
  std::remove(path.c_str());
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

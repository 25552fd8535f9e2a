// SPDX-License-Identifier: Apache-2.0
#include "server/tracking/monitor_line.h"

#include <gtest/gtest.h>

#include "server/commands/command_table.h"

namespace kvorum::server {
namespace {

constexpr uint64_t kWallUs = 1'700'000'000'000'456;

std::string line(const std::vector<std::string_view>& words, uint8_t keyspace = 0) {
  const CommandRow* const row = find_command(words[0]);
  return monitor_line({row, words, keyspace, "127.0.0.1:1234"}, kWallUs);
}

TEST(MonitorLineTest, HasRedisForm) {
  EXPECT_EQ(line({"get", "k"}), "+1700000000.000456 [0 127.0.0.1:1234] \"get\" \"k\"\r\n");
  EXPECT_EQ(line({"PING"}, 3), "+1700000000.000456 [3 127.0.0.1:1234] \"PING\"\r\n");
}

TEST(MonitorLineTest, EscapesWhatIsNoPlainText) {
  const std::string_view word("a\"b\\c\n\r\t\a\b\0\x7f\xff~ ", 15);
  EXPECT_EQ(line({"echo", word}),
            "+1700000000.000456 [0 127.0.0.1:1234] \"echo\" "
            "\"a\\\"b\\\\c\\n\\r\\t\\a\\b\\x00\\x7f\\xff~ \"\r\n");
  EXPECT_EQ(line({"echo", ""}), "+1700000000.000456 [0 127.0.0.1:1234] \"echo\" \"\"\r\n");
}

TEST(MonitorLineTest, ShowsNoPassword) {
  const std::string head = "+1700000000.000456 [0 127.0.0.1:1234] ";
  EXPECT_EQ(line({"AUTH", "secret"}), head + "\"AUTH\" \"(redacted)\"\r\n");
  EXPECT_EQ(line({"auth", "default", "secret"}),
            head + "\"auth\" \"(redacted)\" \"(redacted)\"\r\n");
  EXPECT_EQ(line({"hello", "3", "AUTH", "default", "secret", "SETNAME", "me"}),
            head + "\"hello\" \"3\" \"AUTH\" \"(redacted)\" \"(redacted)\" \"SETNAME\" \"me\"\r\n");
  EXPECT_EQ(line({"hello", "3", "setname", "auth"}),
            head + "\"hello\" \"3\" \"setname\" \"auth\"\r\n");
}

TEST(MonitorLineTest, CommandsOfAdministratorsAreNotShown) {
  EXPECT_FALSE(is_shown(*find_command("monitor")));
  EXPECT_FALSE(is_shown(*find_subcommand(*find_command("config"), "set")));
  EXPECT_TRUE(is_shown(*find_command("get")));
  EXPECT_TRUE(is_shown(*find_command("eval")));
}

}  // namespace
}  // namespace kvorum::server

// SPDX-License-Identifier: Apache-2.0
#include "server/logbook/idle_settings.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace kvorum::server {
namespace {

std::string problem(std::string_view name, std::string_view value) {
  std::string shown;
  return setting_problem(*find_idle_setting(name), value, &shown);
}

std::string shown(std::string_view name, std::string_view value) {
  std::string text;
  EXPECT_EQ(setting_problem(*find_idle_setting(name), value, &text), "");
  return text;
}

TEST(IdleSettings, AreInOrderAndTakeTheirOwnValues) {
  const auto all = idle_settings();
  EXPECT_TRUE(std::is_sorted(all.begin(), all.end(),
                             [](const auto& a, const auto& b) { return a.name < b.name; }));
  for (const IdleSetting& setting : all) {
    EXPECT_EQ(shown(setting.name, setting.usual), setting.usual) << setting.name;
  }
}

TEST(IdleSettings, AreFoundByOlderNames) {
  EXPECT_EQ(find_idle_setting("Hash-Max-Ziplist-Entries")->name, "hash-max-listpack-entries");
  EXPECT_EQ(find_idle_setting("lua-time-limit")->name, "busy-reply-threshold");
  EXPECT_EQ(find_idle_setting("maxmemory"), nullptr);  // has a meaning
}

TEST(IdleSettings, ValuesAreChecked) {
  EXPECT_EQ(problem("activedefrag", "maybe"), "argument must be 'yes' or 'no'");
  EXPECT_EQ(shown("activedefrag", "YES"), "yes");
  EXPECT_EQ(problem("hz", "1x"), "argument couldn't be parsed into an integer");
  EXPECT_EQ(problem("active-expire-effort", "11"), "argument must be between 1 and 10 inclusive");
  EXPECT_EQ(problem("repl-backlog-size", "1zb"), "argument must be a memory value");
  EXPECT_EQ(problem("repl-backlog-size", "9223372036854775807gb"),
            "argument must be a memory value");
  EXPECT_EQ(shown("repl-backlog-size", "2mb"), "2097152");
  EXPECT_EQ(shown("repl-backlog-size", "2m"), "2000000");
}

TEST(IdleSettings, SharesAndSavePointsAreChecked) {
  EXPECT_EQ(shown("maxmemory-clients", "5%"), "5%");
  EXPECT_EQ(shown("maxmemory-clients", "1kb"), "1024");
  EXPECT_EQ(problem("maxmemory-clients", "200%"),
            "percentage argument must be less or equal to 100");
  EXPECT_EQ(problem("maxmemory-clients", "-1%"), "argument must be a memory or percent value");
  EXPECT_EQ(problem("maxmemory-clients", "x"), "argument must be a memory or percent value");
  EXPECT_EQ(shown("save", "3600 1  300 100"), "3600 1 300 100");
  EXPECT_EQ(shown("save", ""), "");
  for (const char* const value : {"3600", "a b", "0 1", "1 -1"}) {
    EXPECT_EQ(problem("save", value), "Invalid save parameters") << value;
  }
}

TEST(IdleSettings, KeepWhatIsSet) {
  IdleSettings settings;
  const IdleSetting& hz = *find_idle_setting("hz");
  EXPECT_EQ(settings.value(hz), "10");
  settings.set(hz, "50");
  EXPECT_EQ(settings.value(hz), "50");
}

}  // namespace
}  // namespace kvorum::server

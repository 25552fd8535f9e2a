// SPDX-License-Identifier: Apache-2.0
#include "server/commands/command_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>

#include "server/commands/edits.h"

namespace kvorum::server {
namespace {

TEST(CommandTable, FindsNamesInAnyCase) {
  for (const char* name : {"get", "GET", "GeT", "kv.get", "KV.Get", "pexpiretime", "client"}) {
    ASSERT_NE(find_command(name), nullptr) << name;
  }
  for (const char* name : {"", "ge", "gett", "kv\x0eget", "GET ", "\x47\x45\x74t", "config|get"}) {
    EXPECT_EQ(find_command(name), nullptr) << name;
  }
  EXPECT_EQ(find_subcommand(*find_command("config"), "GET")->name, "config|get");
  EXPECT_EQ(find_subcommand(*find_command("config"), "nosuch"), nullptr);
}

TEST(CommandTable, EveryRowIsWhole) {
  std::set<std::string_view> names;
  for (const CommandRow* row : all_commands()) {
    EXPECT_TRUE(names.insert(row->name).second) << row->name;
    EXPECT_EQ(row->name.find_first_not_of("abcdefghijklmnopqrstuvwxyz.|-_"), row->name.npos);
    EXPECT_NE(row->arity, 0) << row->name;
    EXPECT_FALSE(row->summary.empty() || row->since.empty() || row->complexity.empty())
        << row->name;
    EXPECT_FALSE((row->flags & kWrite) && (row->flags & kReadonly)) << row->name;
    EXPECT_TRUE(row->handler != nullptr || (row->flags & kContainer)) << row->name;
    if (row->is_subcommand()) {
      const CommandRow* const container = find_command(row->name.substr(0, row->name.find('|')));
      ASSERT_NE(container, nullptr) << row->name;
      EXPECT_TRUE(container->flags & kContainer) << row->name;
    }
    const bool has_channels = row->hints != nullptr && row->hints->keys == "not_key";
    if (row->first_key > 0 && !has_channels) {
      const bool only_looks = row->group == Group::kTransactions;  // WATCH, as in Redis
      EXPECT_TRUE(only_looks || row->flags & (kWrite | kReadonly)) << row->name;
      EXPECT_GE(std::abs(row->arity), row->first_key + 1) << row->name;
    }
  }
}

// What clients of Redis know of key specs and tips.
TEST(CommandTable, HintsAreOfRedissWords) {
  const std::set<std::string> uses{"RO",     "RW",     "OW",     "RM",      "access",
                                   "update", "insert", "delete", "not_key", "variable_flags"};
  for (const CommandRow* row : all_commands()) {
    if (row->hints == nullptr) continue;
    std::string word;
    for (const std::string_view keys : {row->hints->keys, row->hints->last_keys}) {
      std::istringstream words{std::string(keys)};
      while (words >> word) EXPECT_TRUE(uses.contains(word)) << row->name << " " << word;
    }
    std::istringstream tips{std::string(row->hints->tips)};
    while (tips >> word) {
      EXPECT_TRUE(word.starts_with("nondeterministic_output") || word.find("_policy:") != word.npos)
          << row->name << " " << word;
    }
    const bool has_keys = row->first_key > 0 || row->flags & kMovableKeys;
    EXPECT_TRUE(has_keys || row->hints->keys.empty()) << row->name;
    EXPECT_TRUE(row->hints->last_keys.empty() || row->last_key != row->first_key) << row->name;
  }
}

TEST(CommandTable, Arity) {
  EXPECT_TRUE(arity_fits(*find_command("get"), 2));
  EXPECT_FALSE(arity_fits(*find_command("get"), 1));
  EXPECT_FALSE(arity_fits(*find_command("get"), 3));
  EXPECT_TRUE(arity_fits(*find_command("mget"), 2));
  EXPECT_TRUE(arity_fits(*find_command("mget"), 20));
  EXPECT_FALSE(arity_fits(*find_command("mget"), 1));
}

// docs/COMMANDS.md: `kvorum commands --markdown > docs/COMMANDS.md` after a change of a row.
TEST(CommandTable, TheReferenceIsUpToDate) {
  std::ifstream file(KVORUM_SOURCE_DIR "/docs/COMMANDS.md");
  std::stringstream text;
  text << file.rdbuf();
  EXPECT_EQ(text.str(), commands_markdown());
}

// The numbers travel between nodes: a change of this list breaks a cluster of two versions.
TEST(Edits, KeepTheirNumbers) {
  const std::vector<std::string_view> names = {
      "set",       "set-if",        "append",     "set-range", "increment",   "increment-float",
      "remove",    "get-remove",    "get-expire", "expire",    "persist",     "delete-versions",
      "cache-add", "cache-replace", "cache-join", "cache-cas", "cache-count", "cache-touch"};
  ASSERT_GE(all_edits().size(), names.size());
  for (size_t i = 0; i < names.size(); ++i) EXPECT_EQ(all_edits()[i].name, names[i]);
  EXPECT_FALSE(all_edits()[0].needs_old);
  EXPECT_FALSE(all_edits()[11].needs_old);
}

}  // namespace
}  // namespace kvorum::server

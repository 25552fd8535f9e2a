// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/commands/command_table.h"
#include "tests/server/dispatch/command_cluster.h"

namespace kvorum::server {
namespace {

using ::testing::HasSubstr;

struct Documents : ::testing::Test {
  // From the word "arguments" on.
  std::string arguments(std::string_view command) {
    const std::string reply = client.say("COMMAND", "DOCS", command);
    const size_t at = reply.find("$9\r\narguments\r\n");
    return at == reply.npos ? "" : reply.substr(at + 15);
  }
  CommandCluster cluster{1};
  TestClient client{cluster, 0};
};

std::string bulk(std::string_view text) {
  return "$" + std::to_string(text.size()) + "\r\n" + std::string(text) + "\r\n";
}

std::string named(std::string_view name, std::string_view type) {
  return bulk("name") + bulk(name) + bulk("type") + bulk(type);
}
std::string shown(std::string_view name, std::string_view type) {
  return named(name, type) + bulk("display_text") + bulk(name);
}
const std::string kKey = "*8\r\n" + shown("key", "key") + bulk("key_spec_index") + ":0\r\n";

TEST_F(Documents, ValuesAndChoices) {
  EXPECT_EQ(arguments("get"), "*1\r\n" + kKey);
  const auto pure = [](std::string_view name, std::string_view token) {
    return "*8\r\n" + shown(name, "pure-token") + bulk("token") + bulk(token);
  };
  EXPECT_EQ(arguments("expire"), "*3\r\n" + kKey + "*6\r\n" + shown("seconds", "integer") +
                                     "*8\r\n" + named("condition", "oneof") + bulk("flags") +
                                     "*1\r\n+optional\r\n" + bulk("arguments") + "*4\r\n" +
                                     pure("nx", "NX") + pure("xx", "XX") + pure("gt", "GT") +
                                     pure("lt", "LT"));
  EXPECT_EQ(arguments("incrbyfloat"), "*2\r\n" + kKey + "*6\r\n" + shown("increment", "double"));
}

TEST_F(Documents, Repetitions) {
  const std::string many = bulk("flags") + "*1\r\n+multiple\r\n";
  EXPECT_EQ(arguments("del"),
            "*1\r\n*10\r\n" + shown("key", "key") + bulk("key_spec_index") + ":0\r\n" + many);
  EXPECT_EQ(arguments("mset"), "*1\r\n*8\r\n" + named("data", "block") + many + bulk("arguments") +
                                   "*2\r\n" + kKey + "*6\r\n" + shown("value", "string"));
}

TEST_F(Documents, KeysOfTwoKinds) {
  EXPECT_THAT(arguments("rename"), HasSubstr(bulk("newkey") + bulk("key_spec_index") + ":1\r\n"));
  EXPECT_THAT(arguments("copy"),
              HasSubstr(shown("destination-db", "integer") + bulk("token") + bulk("DB")));
}

// What stands in the syntax stands in the tree.
TEST_F(Documents, NothingIsLeftOut) {
  for (const CommandRow* row : all_commands()) {
    if (row->flags & kContainer || row->arguments.empty()) continue;
    const std::string tree = arguments(row->name);
    std::string_view rest = row->arguments;
    while (!rest.empty()) {
      const size_t size = std::min(rest.find_first_of(" []|"), rest.size());
      const std::string_view word = rest.substr(0, size);
      rest.remove_prefix(std::min(size + 1, rest.size()));
      if (word.empty() || word == "...") continue;
      EXPECT_THAT(tree, HasSubstr(bulk(word))) << row->name << ": " << word;
    }
  }
}

}  // namespace
}  // namespace kvorum::server

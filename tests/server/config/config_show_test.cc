// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>

#include <string>
#include <string_view>

#include "server/config/config.h"
#include "tests/server/config/config_fixture.h"

namespace kvorum::server {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

TEST(ConfigShow, IsReadBackAsTheSameConfiguration) {
  const std::string full = std::string(kThree) +
                           "keyspaces: {default: {n: 5, w: 3}, carts: {db: 3, conflicts: lww}}\n"
                           "engine: {type: memory, memory: 1536mb}\n"
                           "debug: {clock_offset: -90s}\n"
                           "reactors: 2\n";
  for (const std::string& text : {std::string(), full}) {
    for (const char* name : {"a", "b", "stranger"}) {
      const std::string shown = show_config(config_of(text, named(name)));
      EXPECT_EQ(show_config(config_of(shown)), shown);
    }
  }
  const Config config = config_of(full, named("b"));
  const auto view = make_view(config);
  const auto again = make_view(config_of(show_config(config)));
  EXPECT_EQ(again.hash(), view.hash());
  EXPECT_EQ(again.self, view.self);
  EXPECT_THAT(show_config(config), AllOf(HasSubstr("memory: 1536mb"), HasSubstr("-90s"),
                                         HasSubstr("\"carts\": {db: 3, n: 5, r: 2, w: 3, "
                                                   "conflicts: lww, sloppy: true")));
}

TEST(ConfigShow, HidesSecrets) {
  const std::string shown = show_config(config_of("password: swordfish\ncluster: {secret: hush}"));
  EXPECT_THAT(shown, AllOf(Not(HasSubstr("swordfish")), Not(HasSubstr("hush"))));
  EXPECT_THAT(shown, AllOf(HasSubstr("password: \"********\""), HasSubstr("secret: \"********\"")));
}

TEST(ConfigShow, HidesEachOfSeveralSecretsAndCanBeReadAgain) {
  const std::string shown =
      show_config(config_of("password: [one, two]\ncluster: {secret: [three, four]}"));
  for (const char* const secret : {"one", "two", "three", "four"}) {
    EXPECT_THAT(shown, Not(HasSubstr(std::string(secret) + "\"")));
  }
  EXPECT_THAT(config_of(shown).passwords, SizeIs(2));
  EXPECT_THAT(config_of(shown).cluster.secrets, SizeIs(2));
}

TEST(ConfigShow, QuotesWhatYamlWouldMisread) {
  for (const std::string_view odd : {"a \"quoted\" \\ path: # {x}\x01",
                                     "it's",
                                     "two\nlines\r\n",
                                     "\ttab ",
                                     "*alias",
                                     "&anchor",
                                     "#comment",
                                     "a #b",
                                     "a: b",
                                     "- a",
                                     "? a",
                                     "!tag",
                                     "%a",
                                     "@a",
                                     "`a`",
                                     "{a: b}",
                                     "[a]",
                                     "|",
                                     ">",
                                     "yes",
                                     "no",
                                     "on",
                                     "true",
                                     "null",
                                     "~",
                                     "012",
                                     "0x1f",
                                     "1e3",
                                     "1_000",
                                     ".inf",
                                     "2001-12-14",
                                     "<<",
                                     "=",
                                     "---",
                                     "...",
                                     "äöü",
                                     "日本語",
                                     "🐙",
                                     "\u0085\u2028\ufeff",
                                     "\x7f",
                                     "${HOME}"}) {
    Overrides overrides;
    overrides.data = odd;
    Config config = config_of("", overrides);
    config.log.file = odd;
    config.admin.hosts = {std::string(odd), "b"};
    config.cluster.founders[0].data_directory = odd;
    const std::string shown = show_config(config);
    // A host may not have each of these letters: it shall be the reader who says so.
    const Config again = load_config(shown, "f.yaml").config;
    EXPECT_EQ(again.node.data_directory, odd) << shown;
    EXPECT_EQ(again.log.file, odd) << shown;
    EXPECT_EQ(again.cluster.founders.at(0).data_directory, odd) << shown;
    EXPECT_EQ(again.admin.hosts.back(), "b") << shown;
  }
}

TEST(ConfigShow, WhatIsNotUtf8ShowsAsAReplacement) {
  Overrides overrides;
  overrides.data = "caf\xe9";
  EXPECT_THAT(show_config(config_of("", overrides)), HasSubstr("data: \"caf\uFFFD\""));
}

}  // namespace
}  // namespace kvorum::server

// SPDX-License-Identifier: Apache-2.0
#include "server/cli/usage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>

namespace kvorum::server {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class UsageTest : public testing::Test {
 protected:
  UsageTest() {
    app.require_subcommand(1);
    CLI::App& serve = *app.add_subcommand("serve", "");
    serve.add_option("--name", name, "");
    CLI::App& config = *app.add_subcommand("config", "");
    config.require_subcommand(1);
    config.add_subcommand("check", "")->add_option("FILE", name, "")->required();
  }

  std::string said(const std::string& words) {
    try {
      app.parse(words);
    } catch (const CLI::ParseError& error) {
      return usage_text(app, error);
    }
    return "";
  }

  CLI::App app{"", "kvorum"};
  std::string name;
};

TEST_F(UsageTest, WhatIsRightSaysNothing) {
  EXPECT_EQ(said("serve --name a"), "");
  EXPECT_EQ(said("config check file"), "");
}

TEST_F(UsageTest, AnUnknownCommandIsNamedWithTheNearest) {
  EXPECT_THAT(said("sevre"), StartsWith("kvorum: there is no command 'sevre' in this version; did "
                                        "you mean 'serve'?\n`kvorum --help`"));
  EXPECT_THAT(said("join x"), HasSubstr("'join' in this version; known are serve, config\n"));
  EXPECT_THAT(said("config chekc f"), HasSubstr("did you mean 'check'?\n`kvorum config --help`"));
}

TEST_F(UsageTest, AMissingCommandListsTheChoices) {
  EXPECT_THAT(said(""), StartsWith("kvorum: name one of its commands: serve, config\n"));
  EXPECT_THAT(said("config"), StartsWith("kvorum config: name one of its commands: check\n"));
}

TEST_F(UsageTest, AnUnknownOptionIsNamedWithTheNearest) {
  EXPECT_THAT(said("serve --nmae a"),
              StartsWith("kvorum serve: there is no option --nmae; did you mean '--name'?\n"));
  EXPECT_THAT(said("--versoin"), StartsWith("kvorum: there is no option --versoin"));
}

TEST_F(UsageTest, AWordTooManyAndOneTooFew) {
  EXPECT_THAT(said("serve x"), StartsWith("kvorum serve: 'x' is a word too many\n"));
  EXPECT_THAT(said("config check"), StartsWith("kvorum config check: FILE is required\n"));
}

TEST_F(UsageTest, AFirstWordThatIsNoCommand) {
  EXPECT_THAT(unknown_command_text(app, "join").value_or(""), HasSubstr("no command 'join'"));
  EXPECT_EQ(unknown_command_text(app, "serve"), std::nullopt);
  EXPECT_EQ(unknown_command_text(app, "--help"), std::nullopt);
  EXPECT_EQ(unknown_command_text(app, ""), std::nullopt);
}

}  // namespace
}  // namespace kvorum::server

// SPDX-License-Identifier: Apache-2.0
#include "server/status/status_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace kvorum::server {
namespace {

TEST(StatusJsonTest, QueryValuesAreDecoded) {
  EXPECT_EQ(query_value("key=a%20b%2Bc&db=3", "key"), "a b+c");
  EXPECT_EQ(query_value("key=a%20b&db=3", "db"), "3");
  EXPECT_EQ(query_value("key=a+b", "key"), "a b");
  EXPECT_EQ(query_value("key=%zz%4", "key"), "%zz%4");
  EXPECT_EQ(query_value("keys=1", "key"), std::nullopt);
  EXPECT_EQ(query_value("key", "key"), std::nullopt);
  EXPECT_EQ(query_value("", "key"), std::nullopt);
}

TEST(StatusJsonTest, WhatIsEscapedComesBackAsItWas) {
  std::string bytes;
  for (int byte = 0; byte < 256; ++byte) bytes.push_back(static_cast<char>(byte));
  EXPECT_EQ(query_value("key=" + query_escaped(bytes), "key"), bytes);
}

TEST(StatusJsonTest, DatabasesAreNumbersUpToFifteen) {
  EXPECT_EQ(database_number("0"), 0);
  EXPECT_EQ(database_number("15"), 15);
  for (const char* const wrong : {"16", "-1", "", "x", "1x"}) {
    EXPECT_EQ(database_number(wrong), std::nullopt) << wrong;
  }
}

TEST(StatusJsonTest, AStatusIsADocument) {
  NodeStatus status;
  status.name = "a";
  status.id = 0xabc;
  MemberStatus& member = status.members.emplace_back();
  member.name = "a";
  member.self = true;
  member.state = cluster::PeerState::kUp;
  const boost::json::value document = boost::json::parse(status_json(status));
  EXPECT_EQ(document.at("name").as_string(), "a");
  EXPECT_EQ(document.at("id").as_string(), "0000000000000abc");
  EXPECT_EQ(document.at("members").at(0).at("state").as_string(), "up");
  EXPECT_EQ(document.at("keys").as_array().size(), 16u);
}

TEST(StatusJsonTest, AnErrorIsQuoted) {
  const boost::json::value document = boost::json::parse(error_json("no \"such\" thing"));
  EXPECT_EQ(document.at("error").as_string(), "no \"such\" thing");
}

TEST(StatusJsonTest, SecretsStayHere) {
  Config config;
  config.passwords = {"open sesame"};
  config.cluster.secrets = {"swordfish"};
  const std::string shown = config_json(config);
  EXPECT_THAT(shown, testing::Not(testing::HasSubstr("sesame")));
  EXPECT_THAT(shown, testing::Not(testing::HasSubstr("swordfish")));
}

}  // namespace
}  // namespace kvorum::server

// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tests/server/dispatch/command_cluster.h"

namespace kvorum::server {
namespace {

struct TrackingCommandsTest : ::testing::Test {
  template <class... W>
  std::string tracking(const W&... words) {
    return client.say("CLIENT", "TRACKING", words...);
  }
  CommandCluster cluster{1};
  TestClient client{cluster, 0}, other{cluster, 0};
  const std::string other_id = std::to_string(other.conversation().id());
};

TEST_F(TrackingCommandsTest, RefusesWhatRedisRefuses) {
  EXPECT_EQ(tracking("MAYBE"), "-ERR syntax error\r\n");
  EXPECT_EQ(tracking("ON", "NOTHING"), "-ERR syntax error\r\n");
  EXPECT_EQ(tracking("ON", "PREFIX"), "-ERR syntax error\r\n");
  EXPECT_EQ(tracking("ON", "REDIRECT", "x"), "-ERR value is not an integer or out of range\r\n");
  EXPECT_EQ(tracking("ON", "REDIRECT", "123456"),
            "-ERR The client ID you want redirect to does not exist\r\n");
  EXPECT_EQ(tracking("ON", "REDIRECT", other_id, "REDIRECT", other_id),
            "-ERR A client can only redirect to a single other client\r\n");
  EXPECT_EQ(tracking("ON", "PREFIX", "a"),
            "-ERR PREFIX option requires BCAST mode to be enabled\r\n");
  EXPECT_EQ(tracking("ON", "BCAST", "OPTIN"),
            "-ERR OPTIN and OPTOUT are not compatible with BCAST\r\n");
  EXPECT_EQ(tracking("ON", "OPTIN", "OPTOUT"),
            "-ERR You can't specify both OPTIN mode and OPTOUT mode\r\n");
  EXPECT_EQ(tracking("ON", "BCAST", "PREFIX", "ab", "PREFIX", "a"),
            "-ERR Prefix 'ab' overlaps with another provided prefix 'a'. Prefixes for a single "
            "client must not overlap.\r\n");
}

TEST_F(TrackingCommandsTest, RefusesToSwitchModes) {
  constexpr const char* kTail =
      " mode before disabling tracking for this client, and then re-enabling it with a different "
      "mode.\r\n";
  EXPECT_EQ(tracking("ON", "OPTIN"), "+OK\r\n");
  EXPECT_EQ(tracking("ON", "OPTOUT"), std::string("-ERR You can't switch OPTIN/OPTOUT") + kTail);
  EXPECT_EQ(tracking("ON", "BCAST"),
            "-ERR You can't switch BCAST mode on/off before disabling tracking for this client, "
            "and then re-enabling it with a different mode.\r\n");
  EXPECT_EQ(tracking("OFF"), "+OK\r\n");
  EXPECT_EQ(tracking("ON", "BCAST", "PREFIX", "a"), "+OK\r\n");
  EXPECT_EQ(tracking("ON", "BCAST", "PREFIX", "ab"),
            "-ERR Prefix 'ab' overlaps with an existing prefix 'a'. Prefixes for a single client "
            "must not overlap.\r\n");
  EXPECT_EQ(tracking("ON", "BCAST", "PREFIX", "b"), "+OK\r\n");
}

TEST_F(TrackingCommandsTest, CachingNeedsAMode) {
  const auto caching = [&](const char* word) { return client.say("CLIENT", "CACHING", word); };
  EXPECT_EQ(caching("YES"),
            "-ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN "
            "or OPTOUT mode enabled\r\n");
  tracking("ON");
  EXPECT_EQ(caching("YES"),
            "-ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.\r\n");
  EXPECT_EQ(caching("NO"),
            "-ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.\r\n");
  EXPECT_EQ(caching("MAYBE"), "-ERR syntax error\r\n");
  tracking("ON", "OPTIN");
  EXPECT_EQ(caching("YES"), "+OK\r\n");
  EXPECT_EQ(caching("NO"),
            "-ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.\r\n");
}

TEST_F(TrackingCommandsTest, TellsHowItIs) {
  EXPECT_EQ(client.say("CLIENT", "GETREDIR"), ":-1\r\n");
  EXPECT_EQ(client.say("CLIENT", "TRACKINGINFO"),
            "*6\r\n$5\r\nflags\r\n*1\r\n$3\r\noff\r\n$8\r\nredirect\r\n:-1\r\n$8\r\nprefixes\r\n*0"
            "\r\n");
  tracking("ON", "OPTIN", "NOLOOP");
  client.say("CLIENT", "CACHING", "YES");
  EXPECT_EQ(client.say("CLIENT", "TRACKINGINFO"),
            "*6\r\n$5\r\nflags\r\n*4\r\n$2\r\non\r\n$5\r\noptin\r\n$11\r\ncaching-yes\r\n$6\r\n"
            "noloop\r\n$8\r\nredirect\r\n:0\r\n$8\r\nprefixes\r\n*0\r\n");
  EXPECT_EQ(client.say("CLIENT", "GETREDIR"), ":0\r\n");
  tracking("OFF");
  tracking("ON", "REDIRECT", other_id, "BCAST", "PREFIX", "b", "PREFIX", "a");
  EXPECT_EQ(client.say("CLIENT", "GETREDIR"), ":" + other_id + "\r\n");
  EXPECT_EQ(client.say("CLIENT", "TRACKINGINFO"),
            "*6\r\n$5\r\nflags\r\n*2\r\n$2\r\non\r\n$5\r\nbcast\r\n$8\r\nredirect\r\n:" + other_id +
                "\r\n$8\r\nprefixes\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n");
  const std::string facts = client.say("CLIENT", "INFO");
  EXPECT_NE(facts.find(" flags=tB "), std::string::npos) << facts;
  EXPECT_NE(facts.find(" redir=" + other_id + " "), std::string::npos) << facts;
}

}  // namespace
}  // namespace kvorum::server

// SPDX-License-Identifier: Apache-2.0
#include "server/pubsub/pub_sub_hub.h"

#include <gtest/gtest.h>

namespace kvorum::server {
namespace {

using Kind = SubscriptionKind;
using Reactors = std::vector<uint32_t>;

struct PubSubHubTest : ::testing::Test {
  uint64_t others(const Message& message, uint32_t self) {
    return hub.others_of(message, self, &reactors);
  }
  void post(uint32_t reactor, size_t bytes) {
    const std::string payload(bytes, 'x');
    hub.post(reactor, std::make_shared<const KeptMessage>(Message{false, "c", payload}));
  }
  PubSubHub hub{3};
  Reactors reactors;
};

TEST_F(PubSubHubTest, KnowsWhichReactorsHear) {
  hub.add(Kind::kChannel, "news", 1);
  hub.add(Kind::kChannel, "news", 1);
  hub.add(Kind::kChannel, "news", 2);
  hub.add(Kind::kPattern, "n*", 2);
  hub.add(Kind::kShardChannel, "news", 0);
  EXPECT_EQ(others({false, "news", ""}, 0), 4u);
  EXPECT_EQ(reactors, Reactors({1, 2}));
  EXPECT_EQ(others({false, "news", ""}, 2), 2u);
  EXPECT_EQ(reactors, Reactors({1}));
  EXPECT_EQ(others({false, "north", ""}, 0), 1u);
  EXPECT_EQ(reactors, Reactors({2}));
  EXPECT_EQ(others({true, "news", ""}, 1), 1u) << "shard channels are others";
  EXPECT_EQ(reactors, Reactors({0}));
  EXPECT_EQ(others({false, "other", ""}, 0), 0u);
  EXPECT_TRUE(reactors.empty());
  EXPECT_EQ(hub.subscribers(Kind::kChannel, "news"), 3u);
  EXPECT_EQ(hub.subscriptions(), 5u);
}

TEST_F(PubSubHubTest, ForgetsNamesThatNobodyHears) {
  hub.add(Kind::kChannel, "b", 0);
  hub.add(Kind::kChannel, "a", 1);
  hub.add(Kind::kPattern, "*", 1);
  EXPECT_EQ(hub.names(Kind::kChannel), std::vector<std::string>({"a", "b"}));
  hub.remove(Kind::kChannel, "a", 1);
  EXPECT_EQ(hub.names(Kind::kChannel), std::vector<std::string>({"b"}));
  hub.remove(Kind::kChannel, "b", 0);
  hub.remove(Kind::kPattern, "*", 1);
  for (const Kind kind : {Kind::kChannel, Kind::kPattern, Kind::kShardChannel}) {
    EXPECT_EQ(hub.name_count(kind), 0u);
  }
  EXPECT_EQ(hub.subscriptions(), 0u);
}

TEST_F(PubSubHubTest, MailWakesItsReactorOnce) {
  std::vector<uint32_t> woken;
  hub.on_mail = [&](uint32_t reactor) { woken.push_back(reactor); };
  post(1, 1);
  post(1, 2);
  post(2, 3);
  EXPECT_EQ(woken, Reactors({1, 2}));
  KeptMessages mail;
  hub.take(1, &mail);
  ASSERT_EQ(mail.size(), 2u);
  EXPECT_EQ(mail[1]->payload, "xx");
  post(1, 1);
  EXPECT_EQ(woken, Reactors({1, 2, 1}));
}

TEST_F(PubSubHubTest, AMailboxIsBounded) {
  post(1, PubSubHub::kMailBytesMax);
  post(1, 1);
  EXPECT_EQ(hub.status().dropped, 1u);
  KeptMessages mail;
  hub.take(1, &mail);
  EXPECT_EQ(mail.size(), 1u);
  post(1, 1);
  EXPECT_EQ(hub.status().dropped, 1u);
}

}  // namespace
}  // namespace kvorum::server

// SPDX-License-Identifier: Apache-2.0
#include "server/pubsub/pub_sub.h"

#include <gtest/gtest.h>

#include "tests/server/dispatch/command_cluster.h"

namespace kvorum::server {
namespace {

using Kind = SubscriptionKind;

constexpr uint64_t kLimitBytes = 64 << 20;

std::string message(std::string_view channel, std::string_view payload, char first = '*') {
  MessageText text;
  text.write({false, channel, payload});
  std::string out;
  text.append_to(out, protocol::RespVersion::k2);
  out[0] = first;
  return out;
}

// The part that one reactor has in the messages of its node.
struct TestPart {
  TestPart(CommandCluster& cluster, PubSubHub& hub, uint32_t reactor, SubscriberLimits limits)
      : in_flight(node),
        clients(cluster.nodes[0]->coordinator, {1, 1, 64 << 20, &in_flight}),
        pub_sub(clients, {&hub, reactor, limits}) {}

  InFlight node{kLimitBytes};
  InFlightShare in_flight;
  ClientTable clients;
  PubSub pub_sub;
};

struct TestSubscriber {
  explicit TestSubscriber(TestPart& part) : home(part), state(part.in_flight) {
    state.wake = [](void* self) { ++static_cast<TestSubscriber*>(self)->wakes; };
    state.wake_owner = this;
    part.clients.add(state);
  }
  ~TestSubscriber() {
    home.pub_sub.remove(state);
    home.clients.remove(state);
  }
  void subscribe(std::string_view name, Kind kind = Kind::kChannel) {
    home.pub_sub.subscribe(state.session, kind, name);
  }
  std::string take() {
    state.woken = false;
    return std::exchange(state.replies.output(), {});
  }

  TestPart& home;
  ClientState state;
  int wakes = 0;
};

struct NotedMessenger final : Messenger {
  bool has_peers() const override { return peers > 0; }
  size_t send_to_peers(const Message& sent) override {
    put_message(frames, sent, 0);
    return missed;
  }
  size_t peers = 1, missed = 0;
  std::string frames;
};

struct PubSubTest : ::testing::Test {
  uint64_t publish(TestPart& part, std::string_view channel, std::string_view payload,
                   const SessionState* from = nullptr) {
    return part.pub_sub.publish(from, {false, channel, payload}, now_us);
  }
  uint64_t now_us = 1'000'000;
  CommandCluster cluster{1};
  PubSubHub hub{2};
  SubscriberLimits limits{.waiting_bytes_max = 400'000, .behind_bytes = 100'000, .behind_us = 50};
  TestPart one{cluster, hub, 0, limits}, other{cluster, hub, 1, limits};
};

TEST_F(PubSubTest, EachSubscriptionHearsItOnce) {
  TestSubscriber a(one), b(one), c(other);
  a.subscribe("news");
  a.subscribe("n*", Kind::kPattern);
  b.subscribe("news");
  b.subscribe("news");
  c.subscribe("?ews", Kind::kPattern);
  EXPECT_EQ(publish(one, "news", "x"), 4u);
  EXPECT_EQ(a.take(),
            message("news", "x") + "*4\r\n$8\r\npmessage\r\n$2\r\nn*\r\n$4\r\nnews\r\n$1\r\nx\r\n");
  EXPECT_EQ(b.take(), message("news", "x"));
  EXPECT_EQ(a.wakes, 1);
  EXPECT_EQ(c.take(), "");
  other.pub_sub.take_mail(now_us);
  EXPECT_EQ(c.take(), "*4\r\n$8\r\npmessage\r\n$4\r\n?ews\r\n$4\r\nnews\r\n$1\r\nx\r\n");
  EXPECT_EQ(publish(other, "else", "x"), 0u);
  EXPECT_EQ(hub.status().published, 2u);
  EXPECT_EQ(hub.status().delivered, 4u);
}

TEST_F(PubSubTest, CountsFollow) {
  TestSubscriber a(one);
  EXPECT_FALSE(a.state.session.subscriptions.any());
  a.subscribe("x");
  a.subscribe("y");
  a.subscribe("p*", Kind::kPattern);
  a.subscribe("s", Kind::kShardChannel);
  const SubscriptionCounts& counts = a.state.session.subscriptions;
  EXPECT_EQ(counts.channels, 2u);
  EXPECT_EQ(counts.patterns, 1u);
  EXPECT_EQ(counts.shard_channels, 1u);
  EXPECT_EQ(hub.status().clients, 1u);
  one.pub_sub.unsubscribe(a.state.session, Kind::kChannel, "x");
  one.pub_sub.unsubscribe(a.state.session, Kind::kChannel, "x");
  EXPECT_EQ(one.pub_sub.subscribed(a.state.session, Kind::kChannel),
            std::vector<std::string>({"y"}));
  one.pub_sub.unsubscribe_all(a.state.session);
  EXPECT_FALSE(counts.any());
  EXPECT_EQ(hub.status().clients, 0u);
  EXPECT_EQ(hub.subscriptions(), 0u);
}

TEST_F(PubSubTest, WhoGoesIsForgotten) {
  {
    TestSubscriber a(one);
    a.subscribe("news");
    a.subscribe("*", Kind::kPattern);
  }
  EXPECT_EQ(publish(one, "news", "x"), 0u);
  EXPECT_EQ(publish(other, "news", "x"), 0u);
  EXPECT_EQ(hub.subscriptions(), 0u);
}

TEST_F(PubSubTest, BetweenReactorsTheOrderStays) {
  TestSubscriber a(one);
  a.subscribe("news");
  std::string wanted;
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(publish(other, "news", std::to_string(i)), 1u);
    wanted += message("news", std::to_string(i));
  }
  one.pub_sub.take_mail(now_us);
  EXPECT_EQ(a.take(), wanted);
}

TEST_F(PubSubTest, FromOtherNodesToEachReactor) {
  NotedMessenger messenger;
  one.pub_sub.set_messenger(&messenger);
  publish(one, "news", "x");
  ASSERT_NE(messenger.frames, "");
  TestSubscriber a(one), b(other);
  a.subscribe("news");
  b.subscribe("news");
  cluster::Frame frame;
  size_t size = 0;
  ASSERT_EQ(cluster::parse_frame(messenger.frames, &frame, &size), cluster::FrameStatus::kFrame);
  const std::string sent = std::exchange(messenger.frames, {});
  ASSERT_EQ(cluster::parse_frame(sent, &frame, &size), cluster::FrameStatus::kFrame);
  EXPECT_TRUE(one.pub_sub.on_frame(cluster::LinkIndex::accepted(1), frame, now_us));
  other.pub_sub.take_mail(now_us);
  EXPECT_EQ(a.take(), message("news", "x"));
  EXPECT_EQ(b.take(), message("news", "x"));
  EXPECT_EQ(messenger.frames, "") << "it goes no further";
  EXPECT_EQ(hub.status().from_peers, 1u);
  frame.payload = "x";
  EXPECT_FALSE(one.pub_sub.on_frame(cluster::LinkIndex::accepted(1), frame, now_us));
}

TEST_F(PubSubTest, NodesThatMissItAreCounted) {
  NotedMessenger messenger;
  messenger.missed = 2;
  one.pub_sub.set_messenger(&messenger);
  publish(one, "news", "x");
  EXPECT_EQ(hub.status().dropped, 2u);
  messenger.peers = 0;
  messenger.frames.clear();
  publish(one, "news", "x");
  EXPECT_EQ(messenger.frames, "") << "a lone node encodes nothing";
}

TEST_F(PubSubTest, ThePublisherHearsItBehindItsReply) {
  TestSubscriber a(one);
  a.state.session.resp = protocol::RespVersion::k3;
  a.subscribe("news");
  EXPECT_EQ(publish(one, "news", "x", &a.state.session), 1u);
  EXPECT_EQ(a.take(), "");
  a.state.replies.writer(a.state.replies.open()) += ":1\r\n";
  a.state.replies.close(0);
  PubSub::push_deferred(a.state);
  EXPECT_EQ(a.take(), ":1\r\n" + message("news", "x", '>'));
}

TEST_F(PubSubTest, WhoTakesNothingIsClosedAtTheLimit) {
  TestSubscriber slow(one), fine(one);
  slow.subscribe("news");
  fine.subscribe("news");
  const std::string payload(10'000, 'x');
  int told = 0;
  for (; told < 100 && !slow.state.overrun; ++told) {
    slow.wakes = 0;
    publish(one, "news", payload);
    EXPECT_EQ(fine.take(), message("news", payload));
    one.clients.count(fine.state);
  }
  EXPECT_EQ(told, 40) << "with what stands around them, more than the limit";
}

TEST_F(PubSubTest, WhoIsBehindForLongIsClosed) {
  TestSubscriber slow(one);
  slow.subscribe("news");
  const std::string payload(60'000, 'x');
  publish(one, "news", payload);
  publish(one, "news", payload);
  EXPECT_EQ(slow.state.behind_since_us, now_us);
  now_us += limits.behind_us - 1;
  publish(one, "news", payload);
  EXPECT_FALSE(slow.state.overrun);
  ++now_us;
  publish(one, "news", "x");
  EXPECT_TRUE(slow.state.overrun);
  EXPECT_EQ(hub.status().overruns, 1u);
  const size_t waits = slow.state.replies.bytes();
  publish(one, "news", "x");
  EXPECT_EQ(slow.state.replies.bytes(), waits) << "nothing more is kept for it";
}

TEST_F(PubSubTest, WhoCatchesUpIsNotBehind) {
  TestSubscriber slow(one);
  slow.subscribe("news");
  publish(one, "news", std::string(120'000, 'x'));
  EXPECT_NE(slow.state.behind_since_us, 0u);
  slow.take();
  one.clients.count(slow.state);
  now_us += 10 * limits.behind_us;
  publish(one, "news", std::string(120'000, 'x'));
  EXPECT_FALSE(slow.state.overrun);
}

TEST_F(PubSubTest, WhereTheNodeHoldsMuchLessMayWait) {
  TestSubscriber slow(one);
  slow.subscribe("news");
  publish(one, "news", std::string(90'000, 'x'));
  EXPECT_FALSE(slow.state.overrun);
  HeldBytes others(one.in_flight, HeldFor::kOperations);
  others.set(kLimitBytes);
  publish(one, "news", "x");
  EXPECT_TRUE(slow.state.overrun);
}

}  // namespace
}  // namespace kvorum::server

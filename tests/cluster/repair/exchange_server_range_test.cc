// SPDX-License-Identifier: Apache-2.0
// An exchange of one partition on the asked side: nodes of its tree, and which objects of a stretch
// differ, in bounded answers, from memory and from the store.
#include <gmock/gmock.h>

#include "cluster/repair/exchange_server.h"
#include "cluster/wire/keyspace_messages.h"
#include "tests/cluster/lone_core.h"
#include "tests/engine/map_store.h"

namespace kvorum::cluster::fixtures {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr MemberIndex kAsker = 1;
constexpr SlotId kQuestion = 55;
constexpr uint32_t kPartition = 5;

// ---- nodes of the trees

struct ExchangeServerNodes : ::testing::Test {
  Frame frame_of(const TreeNodes& message, uint8_t keyspace = 0) {
    const FrameHead head{MessageType::kTreeNodes, keyspace, 0, kQuestion};
    return lone.made([&](std::string& batch) { put_tree_nodes(batch, head, message); });
  }
  TreeNodesReply nodes(const TreeNodes& message) {
    EXPECT_TRUE(server.on_message(kAsker, frame_of(message), lone.now));
    const Frame answer = lone.only(kAsker);
    EXPECT_EQ(answer.head.operation, kQuestion);
    return parsed(answer, parse_tree_nodes_reply);
  }
  // So that the tree of a partition has two levels below its root.
  void grow_tree(uint32_t partition) {
    for (const std::string& key : lone.keys_in(partition, 100)) {
      lone.put(key, lone.object_of(1, 1, "v"));
    }
    while (lone.table.trees().build(0, partition) == engine::TreeBuild::kGoesOn) {
    }
    ASSERT_EQ(lone.table.trees().depth(0, partition), 2);
  }

  LoneCore lone;
  ExchangeServer server{lone.core};
};

TEST_F(ExchangeServerNodes, NodesBelowEachParentInTheirOrder) {
  grow_tree(kPartition);
  const TreeNodesReply root =
      nodes({.partition = kPartition, .level = 1, .fan = 1, .parents = {0}});
  EXPECT_EQ(root.depth, 2);
  ASSERT_EQ(root.nodes.size(), 2u);
  EXPECT_EQ(root.nodes[0] ^ root.nodes[1], lone.table.digest(0, kPartition));
  const TreeNodesReply leaves =
      nodes({.partition = kPartition, .level = 2, .fan = 1, .parents = {0, 1}});
  ASSERT_EQ(leaves.nodes.size(), 4u);
  EXPECT_EQ(leaves.nodes[0] ^ leaves.nodes[1], root.nodes[0]);
  EXPECT_EQ(leaves.nodes[2] ^ leaves.nodes[3], root.nodes[1]);
  const TreeNodesReply last =
      nodes({.partition = kPartition, .level = 2, .fan = 1, .parents = {1}});
  EXPECT_THAT(last.nodes, ElementsAre(leaves.nodes[2], leaves.nodes[3]));
}

TEST_F(ExchangeServerNodes, OfATreeThatIsNotSoDeepOnlyItsDepthIsTold) {
  grow_tree(kPartition);
  const TreeNodesReply reply =
      nodes({.partition = kPartition, .level = 3, .fan = 3, .parents = {0}});
  EXPECT_EQ(reply.depth, 2);
  EXPECT_THAT(reply.nodes, IsEmpty());
  EXPECT_EQ(nodes({.partition = 0, .level = 1, .fan = 1, .parents = {0}}).depth, 0);
}

TEST_F(ExchangeServerNodes, QuestionsAboutNodesThatCannotBe) {
  grow_tree(kPartition);
  const std::vector<uint64_t> too_many(kTreeParentsMax + 1);
  std::vector<TreeNodes> malformed = {
      {.partition = LoneCore::kPartitions, .level = 1, .fan = 1, .parents = {0}},
      {.partition = kPartition, .level = 1, .fan = 0, .parents = {0}},
      {.partition = kPartition, .level = 5, .fan = kTreeFanMax + 1, .parents = {0}},
      {.partition = kPartition, .level = 33, .fan = 1, .parents = {0}},
      {.partition = kPartition, .level = 1, .fan = 2, .parents = {0}},
      {.partition = kPartition, .level = 2, .fan = 1, .parents = {2}},
      {.partition = kPartition, .level = 20, .fan = 1, .parents = {}},
  };
  for (uint64_t parent = 0; parent <= kTreeParentsMax; ++parent) {
    malformed.back().parents.push_back(parent);
  }
  for (const TreeNodes& message : malformed) {
    EXPECT_FALSE(server.on_message(kAsker, frame_of(message), lone.now))
        << int{message.level} << "/" << int{message.fan};
  }
  const TreeNodes good{.partition = kPartition, .level = 1, .fan = 1, .parents = {0}};
  EXPECT_FALSE(server.on_message(kAsker, frame_of(good, kKeyspacesMax), lone.now));
  EXPECT_TRUE(lone.sent_nothing());
}

// ---- stretches

// A server with what it has sent.
struct RangeServer : LoneCore {
  explicit RangeServer(const LoneShape& shape = {}) : LoneCore(shape) {}

  Frame frame_of(RangeDigests message, SlotId operation = kQuestion, uint8_t keyspace = 0) {
    std::sort(message.digests.begin(), message.digests.end());
    const FrameHead head{MessageType::kRangeDigests, keyspace, 0, operation};
    return made([&](std::string& batch) { put_range_digests(batch, head, message); });
  }
  bool send(const RangeDigests& message, SlotId operation = kQuestion) {
    return server.on_message(kAsker, frame_of(message, operation), now);
  }
  RangeDifferences ask(const RangeDigests& message) {
    EXPECT_TRUE(send(message));
    return answer();
  }
  RangeDifferences answer() {
    const Frame frame = only(kAsker);
    EXPECT_EQ(frame.head.operation, kQuestion);
    return parsed(frame, parse_range_differences);
  }
  static RangeDigests whole_partition(std::vector<uint64_t> digests = {}) {
    return {.partition = kPartition, .from = 0, .end = 0, .digests = std::move(digests)};
  }
  uint64_t digest_of(const std::string& key, const Object& object) const {
    return leaf_digest(ref(key), object, kDigestSeed);
  }
  static std::vector<std::string> keys_of(const RangeDifferences& answer) {
    std::vector<PageItem> items;
    EXPECT_TRUE(parse_page_items(answer.items, &items));
    std::vector<std::string> keys;
    for (const PageItem& item : items) keys.emplace_back(item.key);
    return keys;
  }
  // In kPartition; by their positions.
  std::vector<std::string> put_many(size_t count) {
    std::vector<std::string> keys = keys_in(kPartition, count);
    for (const std::string& key : keys) put(key, object_of(2, 1, "value"));
    return keys;
  }

  ExchangeServer server{core};
};

struct ExchangeServerRange : ::testing::Test {
  RangeServer lone;
};

TEST_F(ExchangeServerRange, EqualObjectsAreNotSpokenOf) {
  const std::vector<std::string> keys = lone.put_many(2);
  const Object object = lone.object_of(2, 1, "value");
  const RangeDifferences answer = lone.ask(RangeServer::whole_partition(
      {lone.digest_of(keys[0], object), lone.digest_of(keys[1], object)}));
  EXPECT_FALSE(answer.refused);
  EXPECT_EQ(answer.end, 0u);
  EXPECT_THAT(answer.lacked, IsEmpty());
  EXPECT_THAT(answer.items, IsEmpty());
}

TEST_F(ExchangeServerRange, WhatTheAskerLacksComesWithItsVersionsAndWithoutItsValue) {
  const std::vector<std::string> keys = lone.put_many(1);
  const RangeDifferences answer = lone.ask(RangeServer::whole_partition());
  std::vector<PageItem> items;
  ASSERT_TRUE(parse_page_items(answer.items, &items));
  ASSERT_EQ(items.size(), 1u);
  EXPECT_EQ(items[0].key, keys[0]);
  EXPECT_EQ(items[0].high, position_of(keys[0]).high);
  Object object;
  ASSERT_TRUE(decode_object(items[0].object, object));
  EXPECT_EQ(versions_digest(object), versions_digest(lone.object_of(2, 1, "value")));
  EXPECT_THAT(object.versions[0].bytes, IsEmpty());
}

TEST_F(ExchangeServerRange, WhatIsLackedHereIsNamedByItsPlaceAmongTheDigests) {
  const std::vector<std::string> keys = lone.put_many(1);
  const uint64_t own = lone.digest_of(keys[0], lone.object_of(2, 1, "value"));
  const RangeDifferences answer = lone.ask(RangeServer::whole_partition({1, own, ~uint64_t{0}}));
  EXPECT_THAT(answer.lacked, ElementsAre(0, 2));
  EXPECT_THAT(answer.items, IsEmpty());
}

TEST_F(ExchangeServerRange, TwoStatesOfAnObjectAreBoth) {
  const std::vector<std::string> keys = lone.put_many(1);
  const RangeDifferences answer = lone.ask(
      RangeServer::whole_partition({lone.digest_of(keys[0], lone.object_of(2, 9, "newer"))}));
  EXPECT_THAT(answer.lacked, ElementsAre(0));
  EXPECT_THAT(RangeServer::keys_of(answer), ElementsAre(keys[0]));
}

// The digest of a bare vector is zero, as if it were nothing: it never matches.
TEST_F(ExchangeServerRange, ABareVectorIsToldEachTime) {
  Object bare = lone.object_of(2, 1, "v");
  bare.versions.clear();
  const std::string key = lone.key_in(kPartition);
  lone.put(key, bare);
  const RangeDifferences answer = lone.ask(RangeServer::whole_partition({0}));
  EXPECT_THAT(RangeServer::keys_of(answer), ElementsAre(key));
  EXPECT_THAT(answer.lacked, ElementsAre(0));
}

TEST_F(ExchangeServerRange, OnlyTheStretchIsLookedAt) {
  const std::vector<std::string> keys = lone.put_many(5);
  RangeDigests message = RangeServer::whole_partition();
  message.from = position_of(keys[1]).high;
  message.end = position_of(keys[3]).high;
  EXPECT_THAT(RangeServer::keys_of(lone.ask(message)), ElementsAre(keys[1], keys[2]));
  message.end = 0;
  EXPECT_THAT(RangeServer::keys_of(lone.ask(message)),
              ElementsAre(keys[1], keys[2], keys[3], keys[4]));
}

TEST_F(ExchangeServerRange, ALongStretchIsAnsweredInParts) {
  const std::vector<std::string> keys = lone.put_many(ExchangeServer::kObjectsMax + 500);
  RangeDigests message = RangeServer::whole_partition();
  std::vector<std::string> seen;
  int answers = 0;
  do {
    const RangeDifferences answer = lone.ask(message);
    const std::vector<std::string> part = RangeServer::keys_of(answer);
    if (answers++ == 0) {
      EXPECT_GE(part.size(), ExchangeServer::kObjectsMax);
      EXPECT_LT(part.size(), keys.size());
    }
    seen.insert(seen.end(), part.begin(), part.end());
    ASSERT_TRUE(answer.end == 0 || answer.end > message.from);
    message.from = answer.end;
  } while (message.from != 0);
  EXPECT_EQ(seen, keys) << "each once, in their order";
  EXPECT_EQ(answers, 2);
}

TEST_F(ExchangeServerRange, AnAnswerEndsBehindSoManyBytes) {
  constexpr size_t kKeyBytes = 60'000;
  std::vector<std::string> keys;
  for (int number = 0; keys.size() < 12; ++number) {
    std::string key = std::to_string(number);
    key.resize(kKeyBytes, 'x');
    if (partition_of(position_of(key), LoneCore::kPartitionBits) != kPartition) continue;
    lone.put(key, lone.object_of(2, 1, {}));
    keys.push_back(std::move(key));
  }
  std::sort(keys.begin(), keys.end(), [](const std::string& a, const std::string& b) {
    return position_of(a).high < position_of(b).high;
  });
  const RangeDifferences answer = lone.ask(RangeServer::whole_partition());
  EXPECT_GE(answer.items.size(), ExchangeServer::kItemsBytesMax);
  EXPECT_LT(answer.items.size(), ExchangeServer::kItemsBytesMax + 2 * kKeyBytes);
  const size_t told = RangeServer::keys_of(answer).size();
  ASSERT_LT(told, keys.size());
  EXPECT_EQ(answer.end, position_of(keys[told]).high) << "from the next one on";
}

TEST_F(ExchangeServerRange, QuestionsThatCannotBe) {
  RangeDigests message = RangeServer::whole_partition();
  message.partition = LoneCore::kPartitions;
  EXPECT_FALSE(lone.send(message));
  message = RangeServer::whole_partition();
  message.from = message.end = 77;
  EXPECT_FALSE(lone.send(message)) << "an empty stretch";
  message = RangeServer::whole_partition(std::vector<uint64_t>(kRangeDigestsMax + 1));
  EXPECT_FALSE(lone.send(message)) << "too many digests";
  const Frame good = lone.frame_of(RangeServer::whole_partition({1, 2}));
  for (size_t bytes = 0; bytes < good.payload.size(); ++bytes) {
    if (bytes == 17 || bytes == 25) continue;  // fewer digests are a question, too
    EXPECT_FALSE(lone.server.on_message(kAsker, cut_to(good, bytes), lone.now)) << bytes;
  }
  std::string descending(good.payload.substr(0, 17));
  descending.append(good.payload.substr(25, 8)).append(good.payload.substr(17, 8));
  Frame frame = good;
  frame.payload = descending;
  EXPECT_FALSE(lone.server.on_message(kAsker, frame, lone.now));
  frame = good;
  frame.head.keyspace = kKeyspacesMax;
  EXPECT_FALSE(lone.server.on_message(kAsker, frame, lone.now));
  EXPECT_TRUE(lone.sent_nothing());
}

// ---- from the store

class ExchangeServerOverStore : public ::testing::Test {
 protected:
  ExchangeServerOverStore() {
    RangeServer before({.store = &store});
    keys = before.put_many(3);
    KVORUM_CHECK(before.table.commits().commit(true).ok());
    lone = std::make_unique<RangeServer>(LoneShape{.store = &store, .memory_bytes_max = 1});
  }
  RangeLoad take_load() {
    const RangeLoad load = lone->core.outbox.range_loads.at(0);
    lone->core.outbox.range_loads.clear();
    return load;
  }

  engine::testing::MapStore store;
  std::vector<std::string> keys;
  std::unique_ptr<RangeServer> lone;
};

TEST_F(ExchangeServerOverStore, WhatIsNotInMemoryIsReadFirst) {
  const Object object = lone->object_of(2, 1, "value");
  RangeDigests message = RangeServer::whole_partition({lone->digest_of(keys[0], object), 1});
  message.end = position_of(keys[2]).high;
  EXPECT_TRUE(lone->send(message));
  EXPECT_EQ(lone->core.outbox.waiting_bytes(kAsker), 0u);
  const RangeLoad load = take_load();
  EXPECT_EQ(load.reader, RangeLoad::Reader::kExchangeServer);
  EXPECT_EQ(load.partition, kPartition);
  EXPECT_EQ(load.end, message.end);
  EXPECT_EQ(load.count_min, ExchangeServer::kObjectsMax);
  const ScanPage page = read_stored_page(lone->core.parts, load);
  lone->server.on_scanned(load.operation, page);
  const RangeDifferences answer = lone->answer();
  EXPECT_THAT(answer.lacked, SizeIs(1));
  EXPECT_THAT(RangeServer::keys_of(answer), ElementsAre(keys[1]));
  lone->server.on_scanned(load.operation, page);
  EXPECT_TRUE(lone->sent_nothing()) << "once";
}

TEST_F(ExchangeServerOverStore, WhatCannotBeReadIsRefused) {
  EXPECT_TRUE(lone->send(RangeServer::whole_partition({1})));
  ScanPage page;
  page.access = engine::Access::kRefused;
  lone->server.on_scanned(take_load().operation, page);
  EXPECT_TRUE(lone->answer().refused);
}

TEST_F(ExchangeServerOverStore, SoManyWaitForTheStoreAndMalformedOnesTakeNoPlace) {
  RangeDigests malformed = RangeServer::whole_partition();
  malformed.partition = LoneCore::kPartitions;
  for (size_t count = 0; count < ExchangeServer::kServingsMax; ++count) {
    EXPECT_FALSE(lone->send(malformed));
  }
  for (SlotId operation = 1; operation < ExchangeServer::kServingsMax; ++operation) {
    EXPECT_TRUE(lone->send(RangeServer::whole_partition(), operation));
  }
  std::vector<RangeLoad> loads;
  loads.swap(lone->core.outbox.range_loads);
  EXPECT_EQ(loads.size(), ExchangeServer::kServingsMax - 1);
  EXPECT_TRUE(lone->send(RangeServer::whole_partition()));
  EXPECT_TRUE(lone->answer().refused) << "one more";
  EXPECT_THAT(lone->core.outbox.range_loads, IsEmpty());
  lone->server.on_scanned(loads[0].operation, {});
  EXPECT_EQ(lone->only(kAsker).head.operation, 1u);
  EXPECT_TRUE(lone->send(RangeServer::whole_partition()));
  EXPECT_THAT(lone->core.outbox.range_loads, SizeIs(1)) << "there is room again";
}

}  // namespace
}  // namespace kvorum::cluster::fixtures

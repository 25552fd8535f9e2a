// SPDX-License-Identifier: Apache-2.0
#include "cluster/keyspace/text_operations.h"

#include <gmock/gmock.h>

#include "tests/cluster/keyspace_cluster.h"

namespace kvorum::cluster {
namespace {

using fixtures::KeyspaceCluster;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Kind = KeyspaceRequest::Kind;

struct Texts final : SharedTexts {
  bool find(std::string_view name, std::string* text) override {
    const auto found = texts.find(std::string(name));
    if (found == texts.end()) return false;
    *text = found->second;
    return true;
  }
  void drop_all() override { texts.clear(); }

  std::map<std::string, std::string> texts;
};

struct TextOperationsTest : ::testing::Test {
  TextOperationsTest() {
    for (size_t at = 0; at < 3; ++at) {
      cluster.node(at).parts.texts = &texts[at];
      cluster.node(at).start(2);
      for (size_t other = 0; other < 3; ++other) {
        if (other == at) continue;
        cluster.node(at).machine->on_peer(cluster.node(other).view->self, true, cluster.now_at(at),
                                          version);
      }
    }
  }
  KeyspaceRequest named(std::string name) {
    KeyspaceRequest request;
    request.kind = Kind::kFindText;
    request.name = std::move(name);
    return request;
  }

  Texts texts[3];
  KeyspaceCluster cluster;
  uint16_t version = kProtocolVersion;
};

TEST_F(TextOperationsTest, ATextIsFoundWhereverItIs) {
  texts[2].texts["a"] = std::string("of a\0b", 6);
  texts[1].texts["empty"] = "";
  EXPECT_THAT(cluster.perform(0, named("a")).keys, ElementsAre(std::string("of a\0b", 6)));
  EXPECT_THAT(cluster.perform(0, named("empty")).keys, ElementsAre(""));
  EXPECT_THAT(cluster.perform(0, named("absent")).keys, IsEmpty());
  EXPECT_EQ(cluster.node(0).machine->open_operations(), 0u);
}

TEST_F(TextOperationsTest, WhoCannotBeReachedIsNotAsked) {
  texts[2].texts["a"] = "x";
  cluster.isolate(2);
  EXPECT_THAT(cluster.perform(0, named("a")).keys, IsEmpty());
  cluster.isolate(2, false);
  EXPECT_THAT(cluster.perform(0, named("a")).keys, ElementsAre("x"));
}

TEST_F(TextOperationsTest, WhoDiesOrIsSilentIsDoneWithout) {
  const uint64_t tag = cluster.submit(0, named("a"));
  cluster.isolate(1);
  cluster.node(2).silent = true;
  EXPECT_THAT(cluster.await(0, tag).keys, IsEmpty());
  EXPECT_EQ(cluster.node(0).machine->open_operations(), 0u);
}

TEST_F(TextOperationsTest, AllAreDroppedEverywhere) {
  for (Texts& of_node : texts) of_node.texts["a"] = "x";
  KeyspaceRequest request;
  request.kind = Kind::kDropTexts;
  EXPECT_EQ(cluster.perform(1, request).outcome, Outcome::kOk);
  for (const Texts& of_node : texts) EXPECT_THAT(of_node.texts, IsEmpty());
}

// It would take the question for a malformed frame, and break the link.
TEST_F(TextOperationsTest, WhoIsTooOldIsNotAsked) {
  cluster.node(0).start(3);
  for (size_t other = 1; other < 3; ++other) {
    cluster.node(0).machine->on_peer(cluster.node(other).view->self, true, cluster.now_at(0),
                                     kTextsVersion - 1);
  }
  texts[1].texts["a"] = "x";
  const uint64_t before = cluster.frames_sent();
  EXPECT_THAT(cluster.perform(0, named("a")).keys, IsEmpty());
  EXPECT_EQ(cluster.frames_sent(), before);
}

}  // namespace
}  // namespace kvorum::cluster

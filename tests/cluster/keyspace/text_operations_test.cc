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

// Of each name the longest text wins.
struct Libraries final : SharedLibraries {
  uint64_t digest() const override {
    uint64_t sum = 0;
    for (const auto& [name, text] : texts) sum += name.size() * 1000 + text.size();
    return sum;
  }
  void put_all(std::string& out) const override {
    for (const auto& [name, text] : texts) out += name + '=' + text + ';';
  }
  bool merge(std::string_view bytes) override {
    if (!bytes.empty() && bytes.back() != ';') return false;
    ++merges;
    while (!bytes.empty()) {
      const size_t equals = bytes.find('='), end = bytes.find(';');
      std::string& text = texts[std::string(bytes.substr(0, equals))];
      const std::string_view heard = bytes.substr(equals + 1, end - equals - 1);
      if (heard.size() > text.size()) text = heard;
      bytes.remove_prefix(end + 1);
    }
    return true;
  }

  std::map<std::string, std::string> texts;
  int merges = 0;
};

struct TextOperationsTest : ::testing::Test {
  TextOperationsTest() {
    for (size_t at = 0; at < 3; ++at) {
      cluster.node(at).parts.texts = &texts[at];
      cluster.node(at).parts.libraries = &libraries[at];
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
  Libraries libraries[3];
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
  cluster.settle();
  const uint64_t before = cluster.frames_sent();
  EXPECT_THAT(cluster.perform(0, named("a")).keys, IsEmpty());
  EXPECT_EQ(cluster.frames_sent(), before);
}

TEST_F(TextOperationsTest, LibrariesAreToldToAll) {
  libraries[0].texts = {{"a", "code"}};
  KeyspaceRequest request;
  request.kind = Kind::kShareLibraries;
  EXPECT_EQ(cluster.perform(0, request).outcome, Outcome::kOk);
  EXPECT_EQ(libraries[1].texts, libraries[0].texts);
  EXPECT_EQ(libraries[2].texts, libraries[0].texts);
  EXPECT_EQ(cluster.node(0).machine->open_operations(), 0u);
}

// Each has what the other lacks.
TEST_F(TextOperationsTest, NodesThatMeetBringEachOtherUpToDate) {
  cluster.isolate(2);
  libraries[0].texts = {{"a", "code"}, {"b", "longer code"}};
  libraries[2].texts = {{"b", "code"}, {"c", "code"}};
  cluster.isolate(2, false);
  cluster.settle();
  const std::map<std::string, std::string> both = {
      {"a", "code"}, {"b", "longer code"}, {"c", "code"}};
  EXPECT_EQ(libraries[0].texts, both);
  EXPECT_EQ(libraries[2].texts, both);
}

TEST_F(TextOperationsTest, NodesThatHaveTheSameSendDigestsAlone) {
  cluster.settle();  // what they said when they first met
  for (Libraries& of_node : libraries) of_node.texts = {{"a", "code"}};
  cluster.isolate(2);
  cluster.isolate(2, false);
  cluster.settle();
  for (const Libraries& of_node : libraries) EXPECT_EQ(of_node.merges, 0);
}

}  // namespace
}  // namespace kvorum::cluster

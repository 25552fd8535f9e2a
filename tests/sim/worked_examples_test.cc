// SPDX-License-Identifier: Apache-2.0
// The paper's worked examples (4.4, figure 3), to the last entry of the vectors, over whole nodes:
// clients speak RESP, frames travel, hints are handed off.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/sim/client.h"

namespace kvorum::sim {
namespace {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

constexpr uint64_t kSecond = 1'000'000;

class WorkedExamples : public ::testing::Test {
 protected:
  void begin(const Swarm& swarm) {
    cluster_ = std::make_unique<Cluster>(swarm);
    cluster_->start();
  }
  void TearDown() override { EXPECT_THAT(cluster_->violations, ElementsAre()); }

  size_t place(size_t at) const { return cluster_->node_for(key_, at); }

  struct Read {
    std::string context;
    std::vector<std::string> values;
  };
  Read get(size_t node) {
    const RespReply reply = ask(node, {"KV.GET", key_});
    Read read;
    EXPECT_EQ(reply.items.size(), 2u) << reply.text;
    if (reply.items.size() != 2) return read;
    read.context = reply.items[0].text;
    for (const RespReply& value : reply.items[1].items) read.values.push_back(value.text);
    return read;
  }
  // The node coordinates a put whose context it read itself.
  void put(size_t node, const std::string& context, const std::string& value) {
    const RespReply reply = ask(node, {"KV.PUT", key_, context, value});
    EXPECT_FALSE(reply.is_error()) << reply.text;
    cluster_->queue.run_for(kSecond / 10);
  }
  void set(size_t node, const std::string& value) {
    EXPECT_EQ(ask(node, {"SET", key_, value}).text, "OK");
    cluster_->queue.run_for(kSecond / 10);
  }
  RespReply ask(size_t node, std::vector<std::string> words) {
    Client client(*cluster_, {kSiblingsDb, 1.0, node}, 1);
    return client.run(std::move(words));
  }
  void heal() {
    cluster_->heal();
    EXPECT_TRUE(cluster_->run_until(60 * kSecond, [this] {
      return cluster_->network.all_linked() && cluster_->hints_pending() == 0;
    }));
  }

  // The vector of a node's copy, as node places in the preference list, and who wrote each version.
  std::vector<size_t> vector_of(size_t node) {
    std::vector<size_t> places;
    for (const cluster::VectorEntry& entry : own(node).vector) {
      places.push_back(place_of(entry.actor.node));
    }
    return places;
  }
  // The version that a node minted, and the entry of its node in the same copy.
  size_t author_of(size_t node, size_t version) {
    return place_of(own(node).versions[version].dot.actor.node);
  }
  Hlc entry_of(size_t node, size_t author_place) {
    for (const cluster::VectorEntry& entry : own(node).vector) {
      if (place_of(entry.actor.node) == author_place) return entry.hlc;
    }
    return {};
  }
  const cluster::Object& own(size_t node) {
    return cluster_->nodes[node]->own_object(kSiblingsDb, key_);
  }
  std::vector<std::string> held(size_t node) {
    return cluster_->own_values(node, kSiblingsDb, key_);
  }
  size_t place_of(cluster::NodeId id) const {
    const size_t node = cluster_->nodes[0]->view().find_id(id);
    for (size_t at = 0; at < cluster_->nodes.size(); ++at) {
      if (place(at) == node) return at;
    }
    return cluster_->nodes.size();
  }

  std::unique_ptr<Cluster> cluster_;
  std::string key_ = "example";
};

// D1 [Sx:1], D2 [Sx:2], D3 [Sx:2 Sy:1], D4 [Sx:2 Sz:1], D5 [Sx:3 Sy:1 Sz:1]
TEST_F(WorkedExamples, Section44EvolutionOfAnObject) {
  begin(plain_swarm(3));
  const size_t sx = place(0), sy = place(1), sz = place(2);
  put(sx, "", "D1");
  EXPECT_THAT(vector_of(sx), ElementsAre(0));
  const Hlc first = entry_of(sx, 0);
  put(sx, get(sx).context, "D2");
  for (const size_t node : {sx, sy, sz}) {
    EXPECT_THAT(held(node), ElementsAre("D2"));
    EXPECT_THAT(vector_of(node), ElementsAre(0));
    EXPECT_GT(entry_of(node, 0), first);
  }
  const Hlc second = entry_of(sx, 0);

  const Read at_sy = get(sy), at_sz = get(sz);
  EXPECT_THAT(at_sy.values, ElementsAre("D2"));
  put(sy, at_sy.context, "D3");
  EXPECT_THAT(held(sx), ElementsAre("D3"));
  EXPECT_THAT(vector_of(sx), UnorderedElementsAre(0, 1));
  put(sz, at_sz.context, "D4");

  const Read both = get(sx);
  EXPECT_THAT(both.values, UnorderedElementsAre("D3", "D4"));
  EXPECT_THAT(vector_of(sx), UnorderedElementsAre(0, 1, 2));
  EXPECT_EQ(entry_of(sx, 0), second);
  const Hlc third = entry_of(sx, 1), fourth = entry_of(sx, 2);

  put(sx, both.context, "D5");
  for (const size_t node : {sx, sy, sz}) {
    EXPECT_THAT(held(node), ElementsAre("D5"));
    EXPECT_THAT(vector_of(node), UnorderedElementsAre(0, 1, 2));
    EXPECT_EQ(author_of(node, 0), 0u);
    EXPECT_EQ(own(node).versions[0].dot.hlc, entry_of(node, 0));
    EXPECT_GT(entry_of(node, 0), second);
    EXPECT_EQ(entry_of(node, 1), third);
    EXPECT_EQ(entry_of(node, 2), fourth);
  }
}

TEST_F(WorkedExamples, Section44APartitionMakesTwoVersionsAndAContextMakesOne) {
  Swarm swarm = plain_swarm(4);
  swarm.keyspaces[kSiblingsDb].n = 2;
  swarm.options.hints_interval_ms = 30'000;  // none is delivered while the two are cut off
  begin(swarm);
  const size_t a = place(0), b = place(1);
  set(a, "foo");
  EXPECT_THAT(held(b), ElementsAre("foo"));
  set(a, "bar");
  EXPECT_THAT(held(b), ElementsAre("bar"));
  EXPECT_THAT(vector_of(b), ElementsAre(0));

  // Each side has a fallback of its own: B would read A's hint, and know of baz.
  for (const size_t node : {a, place(2)}) {
    for (const size_t other : {b, place(3)}) cluster_->cut(node, other);
  }
  cluster_->queue.run_for(kSecond);
  set(a, "baz");
  EXPECT_EQ(cluster_->hints_pending(), 1u) << "A's write is kept for B elsewhere";
  set(b, "bax");
  EXPECT_EQ(cluster_->hints_pending(), 2u);
  EXPECT_THAT(held(a), ElementsAre("baz"));
  EXPECT_THAT(vector_of(a), ElementsAre(0));
  EXPECT_THAT(held(b), ElementsAre("bax"));
  EXPECT_THAT(vector_of(b), UnorderedElementsAre(0, 1));

  heal();
  EXPECT_THAT(get(a).values, UnorderedElementsAre("baz", "bax"));
  const Read at_b = get(b);
  EXPECT_THAT(at_b.values, UnorderedElementsAre("baz", "bax"));
  put(b, at_b.context, "one");
  for (const size_t node : {a, b}) {
    EXPECT_THAT(held(node), ElementsAre("one"));
    EXPECT_THAT(vector_of(node), UnorderedElementsAre(0, 1));
    EXPECT_EQ(author_of(node, 0), 1u);
  }
}

TEST_F(WorkedExamples, Section44AnItemAddedToTheCartIsNeverLost) {
  begin(plain_swarm(3));
  const size_t a = place(0), b = place(1), c = place(2);
  cluster_->isolate(b);
  cluster_->queue.run_for(kSecond);
  put(a, "", "book");
  put(b, "", "dvd");
  EXPECT_THAT(held(a), ElementsAre("book"));
  EXPECT_THAT(held(b), ElementsAre("dvd"));
  heal();
  const Read both = get(c);
  EXPECT_THAT(both.values, UnorderedElementsAre("book", "dvd"));
  put(c, both.context, "book,dvd");
  for (const size_t node : {a, b, c}) {
    EXPECT_THAT(held(node), ElementsAre("book,dvd"));
    EXPECT_EQ(own(node).versions.size(), 1u);
  }
}

}  // namespace
}  // namespace kvorum::sim

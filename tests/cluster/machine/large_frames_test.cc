// SPDX-License-Identifier: Apache-2.0
// Large values through whole coordinators: what leaves them for the links, and how long they wait.
#include "cluster/machine/large_frames.h"

#include <gmock/gmock.h>

#include "tests/cluster/test_cluster.h"

namespace kvorum::cluster {
namespace {

constexpr size_t kMegabyte = 1 << 20;

class LargeFramesTest : public ::testing::Test {
 protected:
  LargeFramesTest() {
    for (const auto& node : cluster.nodes) node->coordinator->outbox().takes_large = true;
  }
  Outbox& outbox(size_t node) { return cluster.nodes[node]->coordinator->outbox(); }

  // Begins a SET; its small frames are delivered, its large ones wait for carry().
  uint64_t begin_set(size_t node, const std::string& key, const std::string& value) {
    Request request = test_edits::request(test_edits::kSet, value);
    request.key = cluster.ref(key);
    const uint64_t tag = next_tag_++;
    cluster.nodes[node]->coordinator->submit(request, tag, cluster.now_of(node));
    cluster.settle();
    return tag;
  }
  // The same of a value that its client's buffer holds.
  uint64_t begin_shared_set(size_t node, const std::string& key, const SharedBytes& value) {
    Request request = test_edits::request(test_edits::kSet, *value);
    request.key = cluster.ref(key);
    request.value_owner = &value;
    const uint64_t tag = next_tag_++;
    cluster.nodes[node]->coordinator->submit(request, tag, cluster.now_of(node));
    cluster.settle();
    return tag;
  }
  // What the record of a node's own copy keeps apart.
  SharedView body_of(size_t node, const std::string& key) {
    SharedView body;
    cluster.nodes[node]->table->read(cluster.ref(key), [&](const engine::RecordView& record) {
      if (record.body != nullptr) body = *record.body;
    });
    return body;
  }
  // What the links do. Returns how many frames there were.
  size_t carry(size_t from) {
    const auto sent = std::exchange(outbox(from).large, {});
    for (const Outbox::Large& one : sent) {
      ChunkSender sender;
      ChunkAssembler assembler;
      sender.add(one.frame);
      while (sender.can_send()) {
        std::string batch;
        sender.put_chunks(batch, ChunkSender::kWindowBytes, cluster.steady_us);
        hand_over(from, one.to.member(), assembler, batch);
        std::string taken;
        assembler.put_taken(taken);
        Frame frame;
        size_t size = 0;
        for (std::string_view rest = taken; !rest.empty(); rest.remove_prefix(size)) {
          must_equal(parse_frame(rest, &frame, &size), FrameStatus::kFrame);
          sender.on_taken(frame);
        }
      }
    }
    cluster.settle();
    return sent.size();
  }
  const Answer* answer(size_t node, uint64_t tag) {
    const auto found = cluster.nodes[node]->answers.find(tag);
    return found == cluster.nodes[node]->answers.end() ? nullptr : &found->second;
  }

  TestCluster cluster{3};
  const std::string large = std::string(40 * kMegabyte, 'v');

 private:
  static void must_equal(FrameStatus one, FrameStatus other) { KVORUM_CHECK(one == other); }
  void hand_over(size_t from, MemberIndex to, ChunkAssembler& assembler, std::string_view batch) {
    Frame frame;
    size_t size = 0;
    for (; !batch.empty(); batch.remove_prefix(size)) {
      must_equal(parse_frame(batch, &frame, &size), FrameStatus::kFrame);
      if (assembler.on_chunk(frame) != ChunkAssembler::Result::kWhole) continue;
      cluster.nodes[to]->coordinator->on_message(static_cast<MemberIndex>(from), assembler.whole(),
                                                 cluster.now_of(to));
      assembler.drop_whole();
    }
  }

  uint64_t next_tag_ = 1'000'000;
};

TEST_F(LargeFramesTest, ReplicasGetOneBodyThatTheyShare) {
  const size_t first = cluster.node_for("k", 0);
  const uint64_t tag = begin_set(first, "k", large);
  ASSERT_EQ(outbox(first).large.size(), 2u);
  EXPECT_EQ(outbox(first).large[0].frame.body, outbox(first).large[1].frame.body);
  EXPECT_EQ(carry(first), 2u);
  ASSERT_TRUE(answer(first, tag));
  EXPECT_EQ(answer(first, tag)->outcome, Outcome::kOk);
  for (size_t node = 0; node < 3; ++node) {
    EXPECT_TRUE(cluster.own_values(node, "k") == std::vector<std::string>{large}) << node;
  }
}

TEST_F(LargeFramesTest, AValueIsNotCopiedBetweenItsClientTheTableAndTheLinks) {
  const size_t first = cluster.node_for("k", 0);
  const SharedBytes value = share(std::string(large));
  const uint64_t tag = begin_shared_set(first, "k", value);
  ASSERT_EQ(outbox(first).large.size(), 2u);
  for (const Outbox::Large& sent : outbox(first).large) EXPECT_EQ(sent.frame.body, value);
  EXPECT_EQ(body_of(first, "k").owner, value);
  carry(first);
  ASSERT_TRUE(answer(first, tag));
  EXPECT_EQ(answer(first, tag)->outcome, Outcome::kOk);
  EXPECT_EQ(value.use_count(), 2) << "ours and the table's";
  for (size_t node = 0; node < 3; ++node) {
    EXPECT_EQ(body_of(node, "k").bytes, large) << "as it came: " << node;
  }
}

TEST_F(LargeFramesTest, AForwardedValueIsTheOneThatItsCoordinatorKeeps) {
  const size_t first = cluster.node_for("k", 0);
  const size_t asked = (first + 1) % 3;
  const SharedBytes value = share(std::string(large));
  begin_shared_set(asked, "k", value);
  ASSERT_EQ(outbox(asked).large.size(), 1u);
  EXPECT_EQ(outbox(asked).large[0].frame.body, value);
  EXPECT_EQ(carry(asked), 1u);
  ASSERT_EQ(outbox(first).large.size(), 2u);
  EXPECT_EQ(outbox(first).large[0].frame.body, body_of(first, "k").owner);
  EXPECT_EQ(body_of(first, "k").bytes, large);
}

TEST_F(LargeFramesTest, AReadSharesWhatTheTableHas) {
  const size_t first = cluster.node_for("k", 0);
  const SharedBytes value = share(std::string(large));
  begin_shared_set(first, "k", value);
  carry(first);
  std::string front;
  put_replica_read(front, 7, {cluster.ref("k"), true, false});
  Frame frame;
  size_t size = 0;
  ASSERT_EQ(parse_frame(front, &frame, &size), FrameStatus::kFrame);
  cluster.nodes[first]->coordinator->on_message(static_cast<MemberIndex>((first + 1) % 3), frame,
                                                cluster.now_of(first));
  ASSERT_EQ(outbox(first).large.size(), 1u);
  EXPECT_EQ(outbox(first).large[0].frame.body, value);
}

// It was -UNCERTAIN after a second, and given to another coordinator after a quarter of one.
TEST_F(LargeFramesTest, TheDeadlineGrowsWithTheBytes) {
  const size_t first = cluster.node_for("k", 0);
  const uint64_t tag = begin_set(first, "k", large);
  cluster.pass_ms(2'000);
  EXPECT_EQ(answer(first, tag), nullptr);
  EXPECT_EQ(cluster.nodes[first]->coordinator->counters().timeouts, 0u);
  EXPECT_EQ(carry(first), 2u);
  ASSERT_TRUE(answer(first, tag));
  EXPECT_EQ(answer(first, tag)->outcome, Outcome::kOk);
}

TEST_F(LargeFramesTest, ItEndsWhereNoBytesFlow) {
  const size_t first = cluster.node_for("k", 0);
  const uint64_t tag = begin_set(first, "k", large);
  cluster.pass_ms(12'000);
  ASSERT_TRUE(answer(first, tag));
  EXPECT_EQ(answer(first, tag)->outcome, Outcome::kUncertain);
}

TEST_F(LargeFramesTest, AsLongAsBytesFlowItDoesNotEnd) {
  const size_t first = cluster.node_for("k", 0);
  const uint64_t tag = begin_set(first, "k", large);
  const Outbox::Large& sent = outbox(first).large[0];
  ByteReader reader(std::string_view(sent.frame.front).substr(12));
  const FrameHead head{MessageType::kReplicaWrite, 0, 0, reader.u64()};
  for (int second = 0; second < 30; ++second) {
    cluster.nodes[first]->coordinator->on_flow(sent.to.member(), head, cluster.now_of(first));
    cluster.pass_ms(1'000);
  }
  EXPECT_EQ(answer(first, tag), nullptr);
  EXPECT_EQ(cluster.nodes[first]->coordinator->counters().timeouts, 0u);
  cluster.pass_ms(12'000);
  ASSERT_TRUE(answer(first, tag));
  EXPECT_EQ(answer(first, tag)->outcome, Outcome::kUncertain);
}

TEST_F(LargeFramesTest, AForwardedOneIsRunWhereItCameTo) {
  const size_t first = cluster.node_for("k", 0), second = cluster.node_for("k", 1);
  const uint64_t tag = begin_set(second, "k", large);
  cluster.pass_ms(2'000);  // slow, and not given to another one
  EXPECT_EQ(carry(second), 1u);
  EXPECT_EQ(cluster.nodes[second]->coordinator->counters().forward_retries, 0u);
  EXPECT_EQ(carry(first), 2u);
  ASSERT_TRUE(answer(second, tag));
  EXPECT_EQ(answer(second, tag)->outcome, Outcome::kOk);
  EXPECT_TRUE(cluster.own_values(first, "k") == std::vector<std::string>{large});
}

TEST_F(LargeFramesTest, ASecondWriteIsOfTheValueToo) {
  const size_t first = cluster.node_for("k", 0), second = cluster.node_for("k", 1);
  cluster.isolate(second);
  cluster.set(second, "k", "beside");
  cluster.heal_all();
  const uint64_t tag = begin_set(first, "k", large);
  while (carry(first) != 0) {
  }
  ASSERT_TRUE(answer(first, tag));
  EXPECT_EQ(answer(first, tag)->outcome, Outcome::kOk);
  EXPECT_EQ(cluster.nodes[first]->coordinator->counters().second_writes, 1u);
  EXPECT_TRUE(cluster.own_values(second, "k") == std::vector<std::string>{large});
}

TEST_F(LargeFramesTest, ALargeAnswerIsReadWhereItIsAskedFor) {
  const size_t first = cluster.node_for("k", 0), third = cluster.node_for("k", 2);
  begin_set(first, "k", large);
  carry(first);
  cluster.restart_wiped(third);
  outbox(third).takes_large = true;
  Request request;
  const std::string key = "k";  // the request borrows its bytes
  request.key = cluster.ref(key);
  cluster.nodes[third]->coordinator->submit(request, 7, cluster.now_of(third));
  size_t carried = 0;
  for (size_t round = 0; round < 4; ++round) {
    cluster.settle();
    for (size_t node = 0; node < 3; ++node) carried += carry(node);
  }
  EXPECT_GT(carried, 0u);
  ASSERT_TRUE(answer(third, 7));
  EXPECT_TRUE(answer(third, 7)->values == std::vector<std::string>{large});
}

TEST_F(LargeFramesTest, AReadWaitsAsLongAsItsAnswerFlows) {
  const size_t first = cluster.node_for("k", 0), third = cluster.node_for("k", 2);
  begin_set(first, "k", large);
  carry(first);
  cluster.restart_wiped(third);
  outbox(third).takes_large = true;
  Request request;
  const std::string key = "k";  // the request borrows its bytes
  request.key = cluster.ref(key);
  cluster.nodes[third]->coordinator->submit(request, 7, cluster.now_of(third));
  cluster.settle();
  size_t asked = 0;
  while (asked < 2 && outbox(asked).large.empty()) ++asked;
  ASSERT_FALSE(outbox(asked).large.empty());
  ByteReader reader(std::string_view(outbox(asked).large[0].frame.front).substr(12));
  const FrameHead head{MessageType::kReplicaReadReply, 0, 0, reader.u64()};
  for (int pause = 0; pause < 8; ++pause) {
    cluster.nodes[third]->coordinator->on_flow(static_cast<MemberIndex>(asked), head,
                                               cluster.now_of(third));
    cluster.pass_ms(400);
  }
  EXPECT_EQ(answer(third, 7), nullptr);
  for (size_t node = 0; node < 3; ++node) carry(node);
  ASSERT_TRUE(answer(third, 7));
  EXPECT_TRUE(answer(third, 7)->values == std::vector<std::string>{large});
}

// The window was one, and the large one was it.
TEST_F(LargeFramesTest, SmallHintsDoNotWaitForALargeOne) {
  const size_t first = cluster.node_for("k", 0), third = cluster.node_for("k", 2);
  cluster.isolate(third);
  begin_set(first, "k", large);
  carry(first);
  const std::vector<std::string> keys = {"s1", "s2", "s3", "s4", "s5"};
  for (const std::string& key : keys) ASSERT_EQ(cluster.set(first, key, "v").outcome, Outcome::kOk);
  cluster.heal_all();
  cluster.pass_ms(1'000);
  for (const std::string& key : keys) {
    EXPECT_EQ(cluster.own_values(third, key), std::vector<std::string>{"v"}) << key;
  }
  EXPECT_TRUE(cluster.own_values(third, "k").empty());
  for (size_t node = 0; node < 3; ++node) carry(node);
  EXPECT_TRUE(cluster.own_values(third, "k") == std::vector<std::string>{large});
}

}  // namespace
}  // namespace kvorum::cluster

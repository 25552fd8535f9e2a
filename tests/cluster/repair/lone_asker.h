// SPDX-License-Identifier: Apache-2.0
// Anti-entropy of one node alone: it asks, and a test answers as the other members would.
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "cluster/repair/anti_entropy.h"
#include "cluster/wire/keyspace_messages.h"
#include "tests/cluster/lone_core.h"

namespace kvorum::cluster::fixtures {

struct LoneAsker : LoneCore {
  static constexpr MemberIndex kPeer = 1;
  static constexpr uint32_t kPartition = 5;  // which this node drives with that peer
  static constexpr uint64_t kLinkUpMaxUs = 20'000, kTickUs = 100'000;

  using Depths = std::vector<std::pair<uint32_t, uint8_t>>;  // by partition, of differing ones

  explicit LoneAsker(const LoneShape& shape = {}) : LoneCore(shape) {}

  // ---- what the node is told
  void link_up(MemberIndex peer = kPeer) {
    link(peer);
    machine.on_link(peer, true, now);
  }
  void link_down(MemberIndex peer = kPeer) {
    link(peer, false);
    machine.on_link(peer, false, now);
  }
  void turn(uint64_t us) {
    pass_us(us);
    machine.on_time(now);
  }
  // Step by step, as its deadlines come.
  void live(uint64_t us) {
    const uint64_t until_us = now.steady_us + us;
    machine.on_time(now);
    while (machine.next_deadline_us() != 0 && machine.next_deadline_us() <= until_us) {
      turn(machine.next_deadline_us() - std::min(machine.next_deadline_us(), now.steady_us));
    }
    turn(until_us - now.steady_us);
  }

  // ---- what a peer answers
  ExchangeParty party(MemberIndex peer = kPeer) const {
    return {id_of(peer), run_of(peer), Hlc{5000}, true};
  }
  // With the head of the question: its operation is echoed.
  bool opened_as(const Frame& question, const ExchangeOpenReply& reply, MemberIndex from = kPeer) {
    const Frame frame = made([&](std::string& batch) {
      put_exchange_open_reply(batch, question.head.operation, reply);
    });
    return machine.on_message(from, frame, now);
  }
  bool opened(const Frame& question, std::vector<uint8_t> differing, MemberIndex from = kPeer) {
    ExchangeOpenReply reply;
    reply.peer = party(from);
    reply.differing = std::move(differing);
    return opened_as(question, reply, from);
  }
  bool rooted_as(const Frame& question, const PartitionRootsReply& reply,
                 MemberIndex from = kPeer) {
    const FrameHead head{MessageType::kPartitionRootsReply, question.head.keyspace, 0,
                         question.head.operation};
    const Frame frame =
        made([&](std::string& batch) { put_partition_roots_reply(batch, head, reply); });
    return machine.on_message(from, frame, now);
  }
  bool rooted(const Frame& question, const Depths& differing) {
    PartitionRootsReply reply;
    reply.peer = party();
    reply.peer.clock = Hlc{6000};
    reply.differing = differing;
    return rooted_as(question, reply);
  }
  bool answer_nodes(const Frame& question, const TreeNodesReply& reply, MemberIndex from = kPeer) {
    const Frame frame = made(
        [&](std::string& batch) { put_tree_nodes_reply(batch, question.head.operation, reply); });
    return machine.on_message(from, frame, now);
  }
  bool differ(const Frame& question, const RangeDifferences& reply) {
    const Frame frame = made(
        [&](std::string& batch) { put_range_differences(batch, question.head.operation, reply); });
    return machine.on_message(kPeer, frame, now);
  }
  bool ended(const Frame& question, bool refused) {
    const Frame frame = made([&](std::string& batch) {
      put_exchange_done_reply(batch, question.head.operation, refused);
    });
    return machine.on_message(kPeer, frame, now);
  }
  // The repair of a key ended: what asks is the first frame of it.
  void end_key(const Frame& frame, bool ok) {
    if (frame.head.type == MessageType::kReplicaRead) return end_pull(frame, ok);
    ReplicaWriteReply reply;
    if (!ok) reply.verdict = ReplicaVerdict::kRefused;
    keys.on_write_reply(frame.head.operation, {kPeer, reply}, now);
  }
  // The peer has what this node has, by now.
  void end_pull(const Frame& frame, bool ok) {
    ReplicaRead question;
    ASSERT_TRUE(parse_replica_read(frame, &question));
    EncodedObject bytes;
    core.own.read(question.key, [&](Record& record) { encode_object(record.object, bytes); });
    ReplicaReadReply reply;
    if (!ok) reply.verdict = ReplicaVerdict::kRefused;
    reply.full = true;
    reply.object = bytes.head;
    keys.on_read_reply(frame.head.operation, {kPeer, reply}, now);
  }

  // The same as the peer's own yes to a push, so that the machine of keys knows how long it was.
  void acknowledge(const Frame& push) { end_key(push, true); }

  // ---- the way to where something begins
  Frame open_round(MemberIndex peer = kPeer) {
    link_up(peer);
    turn(kLinkUpMaxUs);
    return only(peer);
  }
  // Keyspace 0 alone differs, in these partitions; what is sent then is left in the outbox.
  void begin_exchanges(const Depths& differing) {
    pass_ms(5000);  // nothing is young any more
    EXPECT_TRUE(opened(open_round(), {0}));
    EXPECT_TRUE(rooted(only(kPeer), differing));
  }
  // The exchange of kPartition in trees that have no levels: its range.
  Frame begin_range() {
    begin_exchanges({{kPartition, 0}});
    return only(kPeer);
  }
  void grow_tree(int depth) { build_tree(kPartition, depth); }
  // In kPartition; by their positions.
  std::vector<std::string> put_many(size_t count) {
    std::vector<std::string> names = keys_in(kPartition, count);
    for (const std::string& key : names) put(key, object_of(0, 1, "v"));
    return names;
  }
  // The digests' places that the peer lacks: all of them.
  static std::vector<uint32_t> all_of(const RangeDigests& question) {
    std::vector<uint32_t> places;
    for (uint32_t at = 0; at < question.digests.size(); ++at) places.push_back(at);
    return places;
  }
  std::string item_of(std::string_view key, Object object) const {
    for (Version& version : object.versions) version.bytes = {};
    std::string bytes, items;
    encode_object(object, bytes);
    put_page_item(items, {ref(key).position.high, key, bytes});
    return items;
  }

  std::optional<CleanExchange> noted(uint32_t partition, uint8_t keyspace = 0,
                                     MemberIndex peer = kPeer) const {
    return exchanges.latest(keyspace, partition, id_of(peer));
  }
  const CoordinatorCounters& counters() const { return core.counters; }

  KeyRepair keys{core};
  AntiEntropy machine{core, keys};
};

}  // namespace kvorum::cluster::fixtures

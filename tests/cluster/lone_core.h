// SPDX-License-Identifier: Apache-2.0
// One node without a cluster around it: a Core over memory tables and all that a machine of it may
// need, in a view of several members of which it is the first. A test plays the others: it feeds
// frames to the machine, takes those that the machine left in the outbox, and moves the time.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cluster/frontier/frontier_protocol.h"
#include "cluster/machine/core.h"
#include "cluster/ring/founding.h"

namespace kvorum::cluster::fixtures {

struct LoneShape {
  uint32_t members = 3;
  uint8_t n = 3;
  ConflictPolicy conflicts = ConflictPolicy::kSiblings;
  bool is_member = true;
  bool has_frontier = false;
  bool whole = true;
  // Of the objects' table, and of the hints'. Null: memory engines.
  engine::Store* store = nullptr;
  engine::Store* hint_store = nullptr;
  uint64_t memory_bytes_max = 0;
  uint64_t hint_bytes_max = 0;
  CoordinatorOptions options = {};
  // What its data directory has of former configurations, where nodes have to agree on theirs.
  std::optional<std::vector<Configuration>> kept = {};
  std::function<void(Founding&)> adjust_founding = {};
  std::function<void(ClusterView&)> adjust_view = {};
  std::function<void(NodeParts&)> adjust_parts = {};
};

struct LoneCore {
  static constexpr int kPartitionBits = 4;
  static constexpr uint32_t kPartitions = 1u << kPartitionBits;
  static constexpr uint64_t kWallMs = 1'700'000'000'000;
  static constexpr uint64_t kIncarnation = 100;
  static constexpr uint64_t kDigestSeed = 42;

  explicit LoneCore(const LoneShape& shape = {});

  NodeId id_of(MemberIndex member) const { return view->members.at(member).id; }
  static uint64_t run_of(MemberIndex member) { return kIncarnation + member; }
  void pass_us(uint64_t us);
  void pass_ms(uint64_t ms) { pass_us(ms * 1000); }
  // The view of now with a change: Core has it from then on.
  void publish(const std::function<void(ClusterView&)>& change);
  void link(MemberIndex peer, bool up = true) { core.health.set_linked(peer, up, now.steady_us); }

  // ---- objects
  KeyRef ref(std::string_view key, uint8_t keyspace = 0) const;
  // The nth key of a partition.
  std::string key_in(uint32_t partition, int nth = 0) const;
  // So many keys of a partition, by their positions.
  std::vector<std::string> keys_in(uint32_t partition, size_t count) const;
  // By that member, so many milliseconds after kWallMs. One author's versions follow each other.
  Version version_of(MemberIndex author, uint64_t ms, std::string_view bytes) const;
  Object object_of(MemberIndex author, uint64_t ms, std::string_view bytes) const;
  Object tombstone_of(MemberIndex author, uint64_t ms) const;
  // Replaces the own copy, as if nobody had to be asked.
  void put(std::string_view key, const Object& object, uint8_t keyspace = 0);
  // The own copy disappears, and the hash tree is not told.
  void lose(std::string_view key, uint8_t keyspace = 0);
  // Builds the hash tree of a partition from its objects: it is so deep then.
  void build_tree(uint32_t partition, int depth);
  // Puts so many objects that the tree of the partition has two levels below its root.
  void grow_two_levels(uint32_t partition);
  // What the own copy has: the bytes of its versions, `-` for a tombstone, newest first.
  std::vector<std::string> own(std::string_view key, uint8_t keyspace = 0);
  bool holds(std::string_view key, uint8_t keyspace = 0);
  // All is below it that the own copies lack.
  void raise_frontier(Hlc hlc);
  void damage(uint8_t keyspace, uint32_t partition) { whole.note_damage(keyspace, partition); }

  // ---- frames; their bytes live as long as this
  Frame made(const std::function<void(std::string& batch)>& put);
  // What was sent to the member since the last call.
  std::vector<Frame> sent(MemberIndex to);
  // The same where it is one frame.
  Frame only(MemberIndex to);
  bool sent_nothing();

  std::shared_ptr<const ClusterView> view;
  AuthorTable authors;
  HybridClock clock;
  FlushMarks marks;
  FormerPlacements former;
  WholeReplicas whole;
  CleanExchanges exchanges;
  Claims claims;
  StoredRecordCodec codec;
  engine::ObjectTable table;
  engine::ObjectTable hint_table;
  Hints hints;
  std::unique_ptr<FrontierProtocol> frontier;  // null where the shape has none
  std::unique_ptr<Agreement> agreement;        // the same
  Core core;
  Now now{1'000'000, kWallMs};

 private:
  NodeParts parts_of(const LoneShape& shape);
  std::vector<Frame> frames_in(const std::string& batch);

  std::deque<std::string> kept_;
};

// A budget that a test holds.
struct NotedBudget final : BackgroundBudget {
  uint64_t wait_us(BackgroundWork asked, size_t, Now) override {
    ++questions;
    work = asked;
    if (wait != 0) return wait;
    return batches-- > 0 ? 0 : 1000;
  }
  uint64_t wait = 0;
  int64_t batches = INT64_MAX;  // that may begin
  int questions = 0;
  BackgroundWork work = BackgroundWork::kHints;
};

// Who is told of exchanges, as the frontier is.
struct NotedGossip final : ExchangeObserver {
  void write_gossip(NodeId peer, std::string& out) override { out = "to " + std::to_string(peer); }
  void on_gossip(NodeId peer, std::string_view bytes) override {
    heard.emplace_back(peer, std::string(bytes));
  }
  void on_clean_exchange(uint8_t, uint32_t, const CleanExchange&) override {}

  std::vector<std::pair<NodeId, std::string>> heard;
};

// The frame's message, by one of the parse functions.
template <class Message>
Message parsed(const Frame& frame, bool (*parse)(const Frame&, Message*)) {
  Message message{};
  EXPECT_TRUE(parse(frame, &message));
  return message;
}

inline std::vector<MessageType> types_of(const std::vector<Frame>& frames) {
  std::vector<MessageType> types;
  for (const Frame& frame : frames) types.push_back(frame.head.type);
  return types;
}

// The frame with so many bytes of its payload.
inline Frame cut_to(const Frame& frame, size_t bytes) {
  Frame cut = frame;
  cut.payload = frame.payload.substr(0, bytes);
  return cut;
}

}  // namespace kvorum::cluster::fixtures

// SPDX-License-Identifier: Apache-2.0
// Keyspace machines of several nodes wired through their outboxes, in memory and in virtual time:
// links that break, nodes that are silent, clocks that are wrong, marks that are stored late.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/rng.h"
#include "cluster/keyspace/keyspace_machine.h"
#include "cluster/version/object_codec.h"
#include "cluster/wire/keyspace_messages.h"
#include "tests/cluster/test_members.h"

namespace kvorum::cluster::fixtures {

struct KeyspaceNode : KeyspaceSink {
  KeyspaceNode(std::shared_ptr<const ClusterView> first_view, const engine::TableOptions& options,
               int scan_cursor_bits)
      : cursor_bits(scan_cursor_bits), view(std::move(first_view)), table(options) {
    parts.table = &table;
    parts.authors = &authors;
    parts.clock = &clock;
    parts.marks = &marks;
    parts.digest_seed = 42;
    start(1);
  }

  // A new run: another incarnation, the same objects.
  void start(uint64_t incarnation) {
    parts.incarnation = incarnation;
    machine = std::make_unique<KeyspaceMachine>(
        parts, outbox, KeyspaceOptions{.timeout_ms = 1000, .scan_cursor_bits = cursor_bits});
    machine->set_sink(this);
    machine->publish(view);
  }

  void on_keyspace_complete(uint64_t tag, const KeyspaceCompletion& completion) override {
    EXPECT_EQ(completions.count(tag), 0U) << "told twice";
    Done& done = completions[tag];
    done.completion = completion;
    done.text = completion.text;
    done.completion.text = done.text;
  }
  struct Done {
    KeyspaceCompletion completion;
    std::string text;
  };

  NodeId id() const { return view->members[view->self].id; }

  const int cursor_bits;
  std::shared_ptr<const ClusterView> view;
  engine::ObjectTable table;
  AuthorTable authors;
  HybridClock clock;
  FlushMarks marks;
  NodeParts parts;
  Outbox outbox;
  std::unique_ptr<KeyspaceMachine> machine;
  std::map<uint64_t, Done> completions;
  int64_t ahead_ms = 0;  // of true time
  bool silent = false;   // takes frames and answers none
  bool stores_marks = true;
};

struct ClusterShape {
  uint32_t members = 3;
  uint8_t n = 3, r = 2, w = 2;
  uint32_t partitions = 256;
  ConflictPolicy conflicts = ConflictPolicy::kSiblings;
  int scan_cursor_bits = kScanCursorBits;
};

class KeyspaceCluster {
 public:
  explicit KeyspaceCluster(ClusterShape shape = {}) : rng_(shape.members) {
    Founding founding;
    founding.partitions = shape.partitions;
    founding.members = make_members(shape.members);
    for (KeyspacePolicy& policy : founding.keyspaces) {
      policy.n = shape.n;
      policy.r = shape.r;
      policy.w = shape.w;
      policy.conflicts = shape.conflicts;
    }
    engine::TableOptions options;
    options.partition_bits = __builtin_ctz(shape.partitions);
    for (uint32_t at = 0; at < shape.members; ++at) {
      auto view = std::make_shared<ClusterView>(found_view(founding, "n" + std::to_string(at)));
      nodes_.emplace_back(std::make_unique<KeyspaceNode>(view, options, shape.scan_cursor_bits));
    }
    for (size_t at = 0; at < nodes_.size(); ++at) by_member_.push_back(at);
    for (size_t at = 0; at < nodes_.size(); ++at) by_member_[nodes_[at]->view->self] = at;
    down_.assign(nodes_.size(), std::vector<bool>(nodes_.size(), true));
    for (size_t a = 0; a < nodes_.size(); ++a) {
      for (size_t b = a + 1; b < nodes_.size(); ++b) set_link(a, b, true);
    }
    run();
  }

  KeyspaceNode& node(size_t at) { return *nodes_[at]; }
  size_t size() const { return nodes_.size(); }
  const ClusterView& view() const { return *nodes_[0]->view; }
  uint64_t frames_sent() const { return frames_sent_; }

  Now now_at(size_t at) const {
    const int64_t true_ms = 1'000'000'000 + static_cast<int64_t>(steady_us_ / 1000);
    return {steady_us_, static_cast<uint64_t>(true_ms + nodes_[at]->ahead_ms)};
  }

  void set_link(size_t a, size_t b, bool up) {
    down_[a][b] = down_[b][a] = !up;
    if (!up) {
      std::erase_if(wire_, [&](const Letter& letter) {
        return (letter.from == a && letter.to == b) || (letter.from == b && letter.to == a);
      });
    }
    node(a).machine->on_peer(node(b).view->self, up, now_at(a));
    node(b).machine->on_peer(node(a).view->self, up, now_at(b));
    collect();
  }
  void isolate(size_t at, bool away = true) {
    for (size_t other = 0; other < nodes_.size(); ++other) {
      if (other != at) set_link(at, other, !away);
    }
  }

  // The nodes that are primaries of a key, in order of preference.
  std::vector<size_t> primaries(std::string_view key) const {
    const auto list = view().ring.preference_list(view().ring.partition_of(position_of(key)));
    std::vector<size_t> found;
    for (size_t at = 0; at < view().quorum(0).n; ++at) found.push_back(by_member_[list[at]]);
    return found;
  }

  // ---- objects: minted by one node, stored at some

  Version mint(size_t author, std::string_view bytes = "value") {
    KeyspaceNode& minting = node(author);
    Version version;
    version.dot.hlc = minting.clock.mint(minting.clock.tick(now_at(author).wall_ms));
    version.dot.actor = {minting.id(), minting.parts.incarnation, version.dot.hlc};
    version.bytes = bytes;
    return version;
  }

  void store(const std::vector<size_t>& holders, std::string_view key, const Object& object,
             uint8_t keyspace = 0) {
    for (const size_t at : holders) merge_into(node(at), {key, position_of(key), keyspace}, object);
  }

  Object write(size_t author, std::string_view key, const std::vector<size_t>& holders,
               uint8_t keyspace = 0) {
    Object object;
    update(object, {}, mint(author));
    store(holders, key, object, keyspace);
    return object;
  }

  // ---- operations

  using Kind = KeyspaceRequest::Kind;

  uint64_t submit(size_t at, const KeyspaceRequest& request) {
    const uint64_t tag = ++tags_;
    node(at).machine->submit(request, tag, now_at(at));
    collect();
    return tag;
  }

  // Runs until it is told; the longest request takes its timeout of a second.
  KeyspaceCompletion await(size_t at, uint64_t tag) {
    const uint64_t give_up_us = steady_us_ + 3'000'000;
    for (;;) {
      run();
      const auto done = node(at).completions.find(tag);
      if (done != node(at).completions.end()) return done->second.completion;
      if (steady_us_ >= give_up_us || !advance()) break;
    }
    ADD_FAILURE() << "never completed";
    return {};
  }

  KeyspaceCompletion perform(size_t at, const KeyspaceRequest& request) {
    return await(at, submit(at, request));
  }
  KeyspaceCompletion scan(size_t at, uint64_t cursor, uint32_t count = 10) {
    return perform(at, {.kind = Kind::kScan, .cursor = cursor, .count = count, .name = {}});
  }
  KeyspaceCompletion count(size_t at, uint8_t keyspace = 0) {
    return perform(at, {.kind = Kind::kCount, .keyspace = keyspace, .name = {}});
  }
  KeyspaceCompletion flush(size_t at, uint8_t keyspace = 0) {
    return perform(at, {.kind = Kind::kFlush, .keyspace = keyspace, .name = {}});
  }

  // A whole iteration; `between` runs before each further call.
  template <class Fn>
  std::vector<std::string> scan_all(size_t at, uint32_t count, Fn between) {
    std::vector<std::string> keys;
    uint64_t cursor = 0;
    for (int calls = 0; calls < 100'000; ++calls) {
      const KeyspaceCompletion page = scan(at, cursor, count);
      EXPECT_EQ(page.outcome, Outcome::kOk) << page.text;
      keys.insert(keys.end(), page.keys.begin(), page.keys.end());
      if (page.cursor == 0 || page.outcome != Outcome::kOk) return keys;
      EXPECT_GT(page.cursor, cursor);
      cursor = page.cursor;
      at = between(at);
    }
    ADD_FAILURE() << "the iteration does not end";
    return keys;
  }
  std::vector<std::string> scan_all(size_t at, uint32_t count = 10) {
    return scan_all(at, count, [](size_t same) { return same; });
  }

  // ---- time and wires

  // Delivers frames in any order of links until none is left.
  void run() {
    while (deliver_one()) {
    }
  }
  // False where there is none.
  bool deliver_one() {
    collect();
    if (wire_.empty()) return false;
    const size_t pick = rng_.below(wire_.size());
    size_t first = pick;  // frames of one link keep their order
    for (size_t at = pick; at-- > 0;) {
      if (wire_[at].from == wire_[pick].from && wire_[at].to == wire_[pick].to) first = at;
    }
    const Letter letter = std::move(wire_[first]);
    wire_.erase(wire_.begin() + static_cast<std::ptrdiff_t>(first));
    deliver(letter);
    return true;
  }
  // How many frames of a type a node has taken.
  uint64_t taken(size_t at, MessageType type) const {
    const auto found = taken_.find({at, type});
    return found == taken_.end() ? 0 : found->second;
  }

  // To the next deadline of any machine. False where there is none.
  bool advance() {
    uint64_t next = 0;
    for (const auto& each : nodes_) next = sooner_of(next, each->machine->next_deadline_us());
    if (next == 0) return false;
    steady_us_ = std::max(steady_us_ + 1, next);
    for (size_t at = 0; at < nodes_.size(); ++at) {
      const uint64_t due = node(at).machine->next_deadline_us();
      if (due != 0 && due <= steady_us_) node(at).machine->on_time(now_at(at));
    }
    return true;
  }
  void settle() {
    for (run(); advance(); run()) {
    }
  }
  void pass_ms(uint64_t ms) { steady_us_ += ms * 1000; }

 private:
  struct Letter {
    size_t from, to;
    std::string frames;
  };

  void collect() {
    for (size_t from = 0; from < nodes_.size(); ++from) {
      Outbox& outbox = node(from).outbox;
      for (const LinkIndex link : outbox.addressed()) {
        std::string frames;
        frames.swap(outbox.batch(link));
        const size_t to = by_member_[link.member()];
        if (!down_[from][to] && !node(from).silent) wire_.push_back({from, to, std::move(frames)});
      }
      outbox.clear_addressed();
      if (node(from).stores_marks) node(from).marks.set_stored(node(from).marks.generation());
    }
  }

  void deliver(const Letter& letter) {
    std::string_view rest = letter.frames;
    while (!rest.empty()) {
      Frame frame;
      size_t size = 0;
      ASSERT_EQ(parse_frame(rest, &frame, &size), FrameStatus::kFrame);
      ++frames_sent_;
      ++taken_[{letter.to, frame.head.type}];
      EXPECT_TRUE(node(letter.to).machine->on_message(node(letter.from).view->self, frame,
                                                      now_at(letter.to)));
      rest.remove_prefix(size);
    }
  }

  static void merge_into(KeyspaceNode& holder, const KeyRef& key, const Object& object) {
    std::string head;
    holder.table.update(key, [&](engine::RecordView bytes) {
      Record record;
      decode_record(bytes, holder.authors, record);
      engine::RecordChange change;
      change.digest_change = leaf_digest(key, record.object, holder.parts.digest_seed);
      record.object = merge(record.object, object);
      holder.marks.apply(key.keyspace, record.object);
      change.digest_change ^= leaf_digest(key, record.object, holder.parts.digest_seed);
      if (record.object.empty()) {
        change.action = engine::RecordChange::Action::kErase;
        return change;
      }
      EXPECT_TRUE(encode_record(record, holder.authors, head, &change));
      change.action = engine::RecordChange::Action::kStore;
      change.head = head;
      describe_record(record.object, &change);
      return change;
    });
  }

  Rng rng_;
  std::vector<std::unique_ptr<KeyspaceNode>> nodes_;
  std::vector<size_t> by_member_;
  std::vector<std::vector<bool>> down_;
  std::deque<Letter> wire_;
  uint64_t steady_us_ = 1;
  uint64_t tags_ = 0;
  uint64_t frames_sent_ = 0;
  std::map<std::pair<size_t, MessageType>, uint64_t> taken_;
};

inline std::string key_number(uint64_t number) { return "key:" + std::to_string(number); }

// Any w of a key's primaries, as after a write with one of them unreachable.
inline std::vector<size_t> some_primaries(const KeyspaceCluster& cluster, std::string_view key,
                                          Rng& rng) {
  std::vector<size_t> holders = cluster.primaries(key);
  const size_t w = cluster.view().quorum(0).w;
  while (holders.size() > w) {
    holders.erase(holders.begin() + static_cast<std::ptrdiff_t>(rng.below(holders.size())));
  }
  return holders;
}

inline std::set<std::string> fill(KeyspaceCluster& cluster, uint64_t keys, Rng& rng) {
  std::set<std::string> written;
  for (uint64_t number = 0; number < keys; ++number) {
    const std::string key = key_number(number);
    const std::vector<size_t> holders = some_primaries(cluster, key, rng);
    cluster.write(holders[0], key, holders);
    written.insert(key);
  }
  return written;
}

}  // namespace kvorum::cluster::fixtures

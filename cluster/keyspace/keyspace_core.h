// SPDX-License-Identifier: Apache-2.0
// What the operations on keyspaces share: the node's parts, the view, who can be reached, where
// answers go. Private to the keyspace machine and what it owns; lives and dies with it.
#pragma once

#include <algorithm>
#include <memory>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/slot_map.h"
#include "cluster/health/timer_queue.h"
#include "cluster/own/node_parts.h"
#include "cluster/wire/frame.h"
#include "cluster/wire/keyspace_operation.h"
#include "cluster/wire/outbox.h"

namespace kvorum::cluster {

struct KeyspaceOptions {
  uint32_t timeout_ms = 1000;
  int scan_cursor_bits = kScanCursorBits;  // tests take few, so that many keys share them
  SlotPart reactor{};                      // which of the node's coordinators it is
};

struct KeyspaceCore {
  KeyspaceCore(const NodeParts& node_parts, Outbox& node_outbox, const KeyspaceOptions& limits)
      : parts(node_parts), outbox(node_outbox), options(limits) {}

  const NodeParts parts;
  Outbox& outbox;
  KeyspaceOptions options;
  std::shared_ptr<const ClusterView> view;
  KeyspaceSink* sink = nullptr;
  std::vector<bool> linked;        // by member
  std::vector<uint16_t> versions;  // likewise: of the protocol that a linked one speaks

  MemberIndex self() const { return view->self; }
  NodeId self_id() const { return view->members[view->self].id; }
  size_t members() const { return view->members.size(); }
  bool reachable(MemberIndex member) const { return member == self() || linked[member]; }
  // The other members that can be reached.
  std::vector<MemberIndex> reachable_others() const {
    std::vector<MemberIndex> others;
    for (size_t at = 0; at < members(); ++at) {
      const auto member = static_cast<MemberIndex>(at);
      if (member != self() && linked[member]) others.push_back(member);
    }
    return others;
  }

  // Whose copies are asked: the primaries, or the readable owners of a partition that moves.
  std::span<const MemberIndex> readers(uint8_t keyspace, uint32_t partition) const {
    return view->readers(keyspace, partition);
  }
  bool is_reader(MemberIndex member, uint8_t keyspace, uint32_t partition) const {
    return view->is_reader(member, keyspace, partition);
  }
  // So many primaries hold between them every write that w of them acknowledged.
  size_t answers_needed(uint8_t keyspace) const {
    const EffectiveQuorum quorum = view->quorum(keyspace);
    return quorum.n - quorum.w + 1u;
  }

  // The primaries, and those who were some while copies still follow a former placement.
  Holders holders(uint8_t keyspace, uint32_t partition) const {
    static const FormerList kNone;
    const auto former = parts.is_moving() ? parts.former->list() : nullptr;
    return holders_of(*view, former ? *former : kNone, keyspace, partition);
  }
  // Whether the members for which `answers` holds know every acknowledged write between them.
  bool know_all(uint8_t keyspace, uint32_t partition,
                FunctionRef<bool(MemberIndex member)> answers) const {
    const auto count = [&](std::span<const MemberIndex> members) {
      size_t answered = 0;
      for (const MemberIndex member : members) answered += answers(member);
      return answered;
    };
    if (const SetsInPlay* const sets = view->sets_in_play(keyspace, partition)) {
      return std::all_of(
          sets->sets.begin(), sets->sets.begin() + static_cast<std::ptrdiff_t>(sets->readable_sets),
          [&](const OwnerSet& set) {
            const std::span owners{set.owners.begin(), set.owners.size()};
            return count(owners) >= std::min<size_t>(set.n - set.w + 1u, owners.size());
          });
    }
    if (count(readers(keyspace, partition)) < answers_needed(keyspace)) return false;
    if (!parts.is_moving()) return true;
    const auto former = parts.former->list();
    return std::all_of(former->begin(), former->end(), [&](const FormerPlacement& placement) {
      return count(placement.primaries(keyspace, partition)) >= placement.needed(keyspace);
    });
  }

  uint64_t timeout_us(const KeyspaceRequest& request) const {
    return (request.timeout_ms ? request.timeout_ms : options.timeout_ms) * 1000ULL;
  }
  void fail(uint64_t tag, Outcome outcome, std::string_view text) const {
    KeyspaceCompletion completion;
    completion.outcome = outcome;
    completion.text = text;
    KVORUM_CHECK(sink != nullptr && outcome != Outcome::kOk);
    sink->on_keyspace_complete(tag, completion);
  }
};

// How a member that was asked stands.
enum class Asked : uint8_t { kWaiting, kAnswered, kFailed };

}  // namespace kvorum::cluster

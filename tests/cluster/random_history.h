// SPDX-License-Identifier: Apache-2.0
// Membership histories for tests: founders n0, n1 ..., newcomers by number, and a Draw that makes
// changes and facts as nodes might which know different parts of one history.
#pragma once

#include <string>
#include <vector>

#include "base/rng.h"
#include "cluster/history/history.h"
#include "tests/cluster/test_members.h"

namespace kvorum::cluster::fixtures {

inline Founding make_founding(uint32_t members, uint32_t partitions = 16) {
  Founding founding;
  founding.cluster_name = "demo";
  founding.partitions = partitions;
  founding.members = make_members(members);
  return founding;
}

// As releases found it that have no other placement.
inline Founding make_unmended_founding(uint32_t members, uint32_t partitions = 16) {
  Founding founding = make_founding(members, partitions);
  founding.placement = kPlacementUnmended;
  return founding;
}

inline NodeId founder(const History& history, uint32_t number) {
  return founder_id(history.cluster_id(), "n" + std::to_string(number));
}

inline Member make_newcomer(NodeId id, std::string name) {
  Member member;
  member.id = id;
  member.name = std::move(name);
  member.peer = {"10.0.0.1", 7379};
  return member;
}

inline Change make_change(uint64_t hlc, ChangeKind kind, NodeId member) {
  Change change;
  change.id = {Hlc{hlc}, 1};
  change.kind = kind;
  change.member = member;
  return change;
}

inline Change make_join(uint64_t hlc, NodeId id, std::string name) {
  Change change = make_change(hlc, ChangeKind::kJoin, 0);
  change.described = make_newcomer(id, std::move(name));
  return change;
}

inline Change make_replace(uint64_t hlc, NodeId old, Member newcomer) {
  Change change = make_change(hlc, ChangeKind::kReplace, old);
  change.described = std::move(newcomer);
  return change;
}

inline std::string encoded(const History& history) {
  std::string bytes;
  history.encode(bytes);
  return bytes;
}

// Draws elements that follow from what a history holds.
class HistoryDraw {
 public:
  // Draws of different origins never make two changes with one id.
  HistoryDraw(uint64_t seed, NodeId origin) : rng_(seed), origin_(origin) {}

  Change change(const History& history) {
    Change change = draw_change(history);
    change.id = {Hlc{history.highest_hlc().value + 1 + rng_.below(3)}, origin_};
    return change;
  }

  // About the newest set, or about one that another fact names.
  Fact fact(const History& history) {
    std::vector<SetId> sets = history.named_sets();
    sets.insert(sets.end(), {history.newest(), history.newest(), history.cluster_id()});
    const SetId set = pick(sets);
    const auto partition = static_cast<uint32_t>(rng_.below(4));
    switch (rng_.below(8)) {
      case 0:
        return Fact::settled(partition, set);
      case 1:
        return Fact::lost(partition, set, {node(history), node(history)});
      case 2:
        return Fact::gone(node(history));
      case 3:
      case 4:
        return Fact::confirmed(partition, node(history), set, {pick(sets), pick(sets)});
      default:
        return Fact::vote(partition, node(history), set);
    }
  }

  // Some more of everything.
  void grow(History& history, size_t steps) {
    for (size_t step = 0; step < steps; ++step) {
      if (rng_.below(4) == 0) {
        history.add(change(history));
      } else {
        history.add(fact(history));
      }
    }
  }

  Rng& rng() { return rng_; }

 private:
  template <class T>
  T pick(const std::vector<T>& from) {
    return from[rng_.below(from.size())];
  }

  // A founder, or one of the newcomers 100 to 105.
  NodeId node(const History& history) {
    const uint64_t number = rng_.below(history.founding().members.size() + 6);
    const auto founders = static_cast<uint32_t>(history.founding().members.size());
    if (number >= founders) return 100 + number - founders;
    return founder(history, static_cast<uint32_t>(number));
  }

  Change draw_change(const History& history) {
    Change change;
    change.kind = static_cast<ChangeKind>(1 + rng_.below(9));
    change.member = node(history);
    if (change.admits()) {
      const NodeId id = 100 + rng_.below(6);
      change.described = make_newcomer(id, "m" + std::to_string(rng_.below(4)));
    }
    change.described.weight = static_cast<uint32_t>(1 + rng_.below(3));
    change.described.rack = rng_.below(2) == 0 ? "" : "r1";
    change.described.peer = {"10.0.0." + std::to_string(rng_.below(9)), 7379};
    change.placement = kPlacementMended;
    change.policy.db = static_cast<uint8_t>(rng_.below(2));
    change.policy.n = static_cast<uint8_t>(1 + rng_.below(4));
    change.policy.r = static_cast<uint8_t>(1 + rng_.below(change.policy.n));
    change.policy.w = static_cast<uint8_t>(1 + rng_.below(change.policy.n));
    return change;
  }

  Rng rng_;
  const NodeId origin_;
};

}  // namespace kvorum::cluster::fixtures

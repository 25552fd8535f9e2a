// SPDX-License-Identifier: Apache-2.0
// What may be demanded after deaths. A write that was acknowledged had its copies on so many
// distinct nodes, each a place of the preference list of its own: primaries, and fallbacks with a
// hint. A copy is lost when its holder, or after the hand-off the primary it was for, dies in a way
// that loses what it acknowledged; a node is primary or fallback of a key and never both, so each
// node that lost anything since the write began costs it at most one copy. A write with more copies
// than that must survive. Writes acknowledged by fewer nodes than W (writes_when_short: hint) have
// a promise of so many copies only.
#pragma once

#include <cstdint>
#include <set>
#include <vector>

namespace kvorum::sim {

// How a write was acknowledged, as KV.LASTOP tells it.
struct Copies {
  int64_t primaries = 0;
  int64_t fallbacks = 0;
  // Coordinated by the node that the client asked: run once, so it has one dot. A request that is
  // forwarded may be run by two coordinators.
  bool ran_once = false;
};

class DamageLog {
 public:
  void add(size_t node, uint64_t time_us, bool lost_objects) {
    if (lost_objects) deaths_.push_back({node, time_us});
  }

  // Copies move: what was acknowledged by more than W is held by W alone, some day.
  void set_copies_max(int64_t copies) { copies_max_ = copies; }

  bool must_survive(const Copies& copies, uint64_t began_us) const {
    return survivors(copies, began_us) > 0;
  }

  // The least number of copies that are left.
  int64_t survivors(const Copies& copies, uint64_t began_us) const {
    std::set<size_t> lost;
    for (const Entry& death : deaths_) {
      if (death.time_us >= began_us) lost.insert(death.node);
    }
    return std::min(copies.primaries + copies.fallbacks, copies_max_) -
           static_cast<int64_t>(lost.size());
  }

  bool lost_objects() const { return !deaths_.empty(); }

 private:
  struct Entry {
    size_t node;
    uint64_t time_us;
  };
  std::vector<Entry> deaths_;
  int64_t copies_max_ = INT64_MAX;
};

}  // namespace kvorum::sim

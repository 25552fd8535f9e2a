// SPDX-License-Identifier: Apache-2.0
// The machines of a coordinator by the pool of their operations: an id alone tells to which one an
// answer, a commit or a timer goes. Owns none of them. Private to cluster/.
#pragma once

#include <array>

#include "base/check.h"
#include "cluster/machine/machine.h"

namespace kvorum::cluster {

class MachineTable {
 public:
  // `machine` outlives the table. Each pool has one machine at most.
  void set(OperationPool pool, Machine& machine) {
    Machine*& entry = machines_[static_cast<size_t>(pool)];
    KVORUM_CHECK(entry == nullptr);
    entry = &machine;
  }
  static OperationPool pool_of(SlotId id) { return static_cast<OperationPool>(slot_tag(id)); }
  // Null for ids that no pool of this coordinator gave.
  Machine* find(SlotId id) const {
    const uint8_t pool = slot_tag(id);
    return pool < kOperationPools ? machines_[pool] : nullptr;
  }

  void on_link_down(MemberIndex peer, Now now) const {
    for (Machine* const machine : machines_) {
      if (machine) machine->on_link_down(peer, now);
    }
  }
  size_t open() const {
    size_t count = 0;
    for (const Machine* const machine : machines_) count += machine ? machine->open() : 0;
    return count;
  }
  size_t unfinished() const {
    size_t count = 0;
    for (const Machine* const machine : machines_) count += machine ? machine->unfinished() : 0;
    return count;
  }

 private:
  std::array<Machine*, kOperationPools> machines_{};
};

}  // namespace kvorum::cluster

// SPDX-License-Identifier: Apache-2.0
// Read repair (paper 5): after a read was answered, the primaries that turned out stale get what
// was merged. A fallback gets nothing: reads during an outage must not make hand-off work. Bounded,
// so that a replica that comes back with old data is not buried under the reads that find it out:
// what is over is skipped and counted, and mended by the next read or by anti-entropy. Private to
// cluster/; owned by the coordinator.
//
//   settled read --own copy stale, not resident--> kLoading --loaded--> start again
//     |
//     +--own copy merged; others written to--> kRepairing --all acknowledged, or silence--> release
//     +--nobody is stale, or all skipped--> release
#pragma once

#include "cluster/machine/core.h"

namespace kvorum::cluster {

class ReadRepair {
 public:
  // Of one coordinator. A repair is open until its replica acknowledged it.
  static constexpr size_t kOpenMax = 64;
  static constexpr uint64_t kBytesPerSecond = 16 * 1024 * 1024;
  static constexpr uint64_t kBurstBytes = kBytesPerSecond / 4;  // one larger object goes alone

  explicit ReadRepair(Core& core) : core_(core) {}

  // Takes over an answered read; releases the operation, now or later.
  void start(SlotId id, Operation& operation, Now now);
  void on_loaded(SlotId id, Operation& operation, bool ok, Now now);
  // Acknowledged by a replica, or given up on since its link broke.
  void on_reply(SlotId id, Operation& operation, MemberIndex from);
  void on_timer(SlotId id, Operation& operation, Now now);

 private:
  bool admit(uint64_t bytes, Now now);
  engine::Access mend_own(Operation& operation, Now now);
  void mend_others(SlotId id, Operation& operation, Now now);

  Core& core_;
  size_t open_ = 0;
  uint64_t budget_bytes_ = kBurstBytes;
  uint64_t refilled_us_ = 0;
};

}  // namespace kvorum::cluster

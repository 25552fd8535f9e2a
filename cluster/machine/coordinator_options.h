// SPDX-License-Identifier: Apache-2.0
// What a coordinator is set to.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/slot_map.h"
#include "cluster/version/edit.h"

namespace kvorum::cluster {

struct CoordinatorOptions {
  uint32_t request_timeout_ms = 1000;
  uint32_t read_repair_wait_ms = 100;
  uint32_t hints_interval_ms = 5000;
  uint32_t anti_entropy_ms = 30'000;  // between two rounds with a peer; 0: none
  uint64_t scrub_ms = 3'600'000;      // in which every tree is built anew once
  uint32_t gossip_ms = 1000;          // 0: none, and no frontier
  // Members that are told at once of a change of the history; gossip brings it to the others.
  size_t tells_max = 16;
  uint64_t value_bytes_max = kValueBytesMax;
  uint32_t siblings_max = 100;
  uint32_t clock_entries_max = 10;
  // A replica acknowledges another coordinator's write from memory, before it is committed (the
  // paper's section 6.1). A coordinator's own vote is the durable one: it awaits its commit.
  bool buffers_writes = false;
  // Which of the node's coordinators it is: the ids of its operations say so (wire/asker.h).
  SlotPart reactor{};
  bool has_control = true;  // one coordinator of a node does the background work (control.h)
};

// What a coordinator does with edits that are not begun yet. A node that stops holds them until the
// ones before are done, so that no two nodes coordinate one key, and then hands them back: its own
// clients' go to another coordinator, those of others are refused and given to one by who asked
// (forwarding.h). So it is with a node whose peers are not linked yet. What nobody else can take it
// runs all the same.
enum class Coordination : uint8_t { kRuns, kHolds, kHandsBack };

}  // namespace kvorum::cluster

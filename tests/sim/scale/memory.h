// SPDX-License-Identifier: Apache-2.0
// What the routing view of a node takes of memory: asked of the allocator before and after it was
// built, not computed. Needs glibc's mallinfo2(), and no sanitizer in its place: else all is 0.
#pragma once

#include <cstddef>
#include <cstdint>

namespace kvorum::sim {

struct ViewBytes {
  size_t view = 0;        // members, ring with its preference lists
  size_t history = 0;     // founding, changes, facts
  size_t placements = 0;  // of the newest set, from which the next view is made
  size_t moving = 0;      // more than that after `joiners` joined: sets in play, older placements
  size_t table = 0;       // of `view`, owners alone: what the paper's routing table is
};
ViewBytes view_bytes(size_t members, uint32_t partitions, size_t joiners);

}  // namespace kvorum::sim

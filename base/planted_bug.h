// SPDX-License-Identifier: Apache-2.0
// Bugs for the simulator to catch (docs/DEVELOPING.md): it compiles the sources that ask for them
// once more, with KVORUM_PLANTED_BUGS, and plants one at run time (kvorum-sim --plant NAME). In
// everything else planted() is a constant, and the compiler leaves nothing of the hooks. Asked from
// .cc files of engine/ and cluster/ alone.
#pragma once

#include <cstdint>

#include "base/time.h"

namespace kvorum {

enum class PlantedBug : uint8_t {
  kNone,
  kForgetContext,     // an update keeps the versions that its context covers
  kNoBirths,          // an actor is (node, incarnation) alone
  kKeepIncarnation,   // a node restarts as who it was, whatever it lost
  kReuseCounter,      // both: a wiped node counts on where others have heard it already
  kDropHints,         // a hint is acknowledged and not kept
  kSkipReadRepair,    // a stale replica that answered a read stays stale
  kForgetSibling,     // a merge keeps one version less than it should
  kRetryTwice,        // an edit that must not run twice is given to another coordinator
  kAcknowledgeEarly,  // a put is answered at its first vote
  kReapByTimer,       // a tombstone goes when it is old, whoever lacks it
  kClockAlone,        // a last write is as old as its node's clock says
  kRetryUnasked,      // a retry runs though its client may have stopped waiting
  kEvictAny,          // an eviction does not wait for the frontier
  kUnclaimed,         // edits do not wait for each other at different coordinators
  kStaleTree,         // a delete leaves the digest of its partition as it was
  // While the ring changes (docs/MEMBERSHIP.md):
  kUnfenced,        // a replica serves whoever asks, whatever he knows of the partition
  kConfirmUnasked,  // a new copy is whole before it was compared with the old ones
  kConfirmByOne,    // it was compared with one of them
  kDropAtOnce,      // a range goes before its owners have it
  kWriteReadable,   // W of the sets that are read is enough for a write
  kReadOldest,      // R of the oldest set in play is enough for a reading
  // Of the journal (docs/STORAGE.md):
  kRetireEarly,     // a segment is given up that has what the store beneath lacks
  kSkipPartition,   // a checkpoint passes by a partition
  kReplayShort,     // a start leaves out the journal's last batch
  kEvictJournaled,  // an object is evicted that the store beneath lacks
};

#ifdef KVORUM_PLANTED_BUGS
static constexpr bool kBugsArePlanted = true;
bool planted(PlantedBug bug);  // in tests/sim/planted.cc
#else
static constexpr bool kBugsArePlanted = false;
static constexpr bool planted(PlantedBug) { return false; }
#endif

namespace cluster {

// What kReapByTimer does, in tests/sim/reap_by_timer.cc.
class Core;
void reap_by_timer(Core& core, Now now);

}  // namespace cluster
}  // namespace kvorum

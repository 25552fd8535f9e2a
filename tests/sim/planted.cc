// SPDX-License-Identifier: Apache-2.0
#define KVORUM_PLANTED_BUGS  // the declaration that this file defines
#include "tests/sim/planted.h"

#include <atomic>

namespace kvorum {
namespace {

std::atomic<PlantedBug> the_bug{PlantedBug::kNone};

constexpr sim::PlantedBugRow kRows[] = {
    {PlantedBug::kDropHints, "drop-hints", "a hint is acknowledged and not kept", true},
    {PlantedBug::kSkipReadRepair, "skip-read-repair", "stale replicas stay as they are", true},
    {PlantedBug::kReuseCounter, "reuse-counter", "a wiped node goes on as who it was", true, false,
     false, 90},
    {PlantedBug::kReapByTimer, "reap-by-timer", "tombstones go when they are old", true},
    {PlantedBug::kForgetSibling, "forget-sibling", "a merge keeps a version too few", true},
    {PlantedBug::kRetryTwice, "retry-twice", "an INCR is retried elsewhere", true},
    {PlantedBug::kRetryUnasked, "retry-unasked", "a retry runs without leave", false},
    {PlantedBug::kAcknowledgeEarly, "acknowledge-early", "a put is answered before W", true},
    {PlantedBug::kStaleTree, "stale-tree", "a delete is missing in the digests", true},
    {PlantedBug::kEvictAny, "evict-any", "objects are evicted that others may lack", true},
    {PlantedBug::kClockAlone, "clock-alone", "a last write is as old as its clock", true},
    {PlantedBug::kUnclaimed, "unclaimed", "two nodes edit a key at once", true, true},
    {PlantedBug::kUnfenced, "unfenced", "replicas serve who knows other sets", true, false, true,
     2020},
    {PlantedBug::kConfirmUnasked, "confirm-unasked", "new copies are whole at once", true, false,
     true},
    {PlantedBug::kConfirmByOne, "confirm-by-one", "one source is enough", true, false, true, 670},
    {PlantedBug::kDropAtOnce, "drop-at-once", "ranges go before owners have them", true, false,
     true},
    {PlantedBug::kWriteReadable, "write-readable", "writes pass by the newest set", true, false,
     true, 410},
    {PlantedBug::kRetireEarly, "retire-early", "segments go too early", true},
    {PlantedBug::kSkipPartition, "skip-partition", "checkpoints pass by a partition", true},
    {PlantedBug::kReplayShort, "replay-short", "a start leaves out the last batch", true},
    {PlantedBug::kEvictJournaled, "evict-journaled", "journaled objects are evicted", true},
    // Seeds hardly meet it: tests/cluster/machine/tallies_sets_test.cc says what reads ask.
    {PlantedBug::kReadOldest, "read-oldest", "reads ask the oldest set alone", false, false, true},
    {PlantedBug::kForgetContext, "forget-context", "an update keeps what it covers", true},
    {PlantedBug::kNoBirths, "no-births", "an actor is (node, incarnation) alone", false},
    {PlantedBug::kKeepIncarnation, "keep-incarnation", "nodes restart as who they were", false},
};

}  // namespace

bool planted(PlantedBug bug) { return the_bug.load(std::memory_order_relaxed) == bug; }

std::span<const sim::PlantedBugRow> sim::planted_bugs() { return kRows; }

PlantedBug sim::planted_bug_named(std::string_view name) {
  for (const PlantedBugRow& row : kRows) {
    if (row.name == name) return row.bug;
  }
  return PlantedBug::kNone;
}

PlantedBug sim::planted_bug() { return the_bug; }
void sim::plant(PlantedBug bug) { the_bug = bug; }

}  // namespace kvorum

// SPDX-License-Identifier: Apache-2.0
// SCAN, the asking side. One call walks the ring in rounds from its cursor on: a round asks the
// primaries of a window of partitions in parallel, merges what they hold up to the smallest point
// that all of them reached, and shows the keys whose merged versions are visible.
//
//   submit -> round: ask --answers, or silence--> merge --count reached, end of ring--> completion
//               ^                                   |
//               +-------------- more ---------------+
//
// A round ends anywhere; the call only where the first bits of the position change that a cursor
// has room for (keyspace_operation.h). Where a round ends behind such a place, what lies between is
// left to the next call.
//
// A stretch counts only where n - w + 1 primaries of its partitions answered: they hold between
// them everything that was acknowledged there. Owned by the keyspace machine.
#pragma once

#include <string>
#include <vector>

#include "cluster/keyspace/keyspace_core.h"
#include "cluster/keyspace/scan_server.h"

namespace kvorum::cluster {

class ScanOperations {
 public:
  static constexpr size_t kMembersAskedMax = 8;  // per round: large clusters are walked in windows
  static constexpr uint32_t kCountMax = 1000;    // live keys asked of a member per round
  static constexpr uint32_t kCountMin = 16;      // a round for less would cost as much
  static constexpr uint32_t kRoundsMax = 64;     // per call; then it ends with few keys, or none

  ScanOperations(KeyspaceCore& core, ScanServer& server) : core_(core), server_(server) {}

  void submit(const KeyspaceRequest& request, uint64_t tag, Now now);
  // False where the items are malformed. `from` may be this node itself.
  bool on_answer(MemberIndex from, SlotId id, const ScanAnswer& answer, Now now);
  void on_peer_down(MemberIndex peer, Now now);
  void on_time(Now now);
  uint64_t next_deadline_us();
  size_t open() const { return scans_.used(); }

 private:
  struct Answer {
    MemberIndex member = kNoMember;
    Asked state = Asked::kWaiting;
    uint64_t next = 0;
    std::string items;
  };
  struct Scan {
    uint64_t tag;
    uint8_t keyspace;
    uint32_t count;
    uint32_t rounds;
    uint64_t from;      // the position where this round begins
    uint64_t boundary;  // the last one passed at which the call may end
    bool moved;         // the boundary is behind where the call began
    uint64_t deadline_us;
    uint64_t patience_us;  // per round: then the silent are given up on, if the others suffice
    uint64_t patient_until_us;
    bool impatient;
    uint32_t last_partition;  // of this round's window
    std::vector<Answer> answers;
    std::vector<MemberIndex> silent;  // not asked again in this call
    std::vector<std::string> keys;
  };
  enum class Next : uint8_t { kWait, kRound, kEnded };

  void run(SlotId id, Now now);
  bool begin_round(SlotId id, Scan& scan, Now now);
  std::vector<MemberIndex> choose_window(Scan& scan) const;
  Next end_round(SlotId id, Scan& scan, Now now);
  bool usable(const Scan& scan, MemberIndex member) const;
  bool enough(const Scan& scan, uint32_t partition) const;
  void give_up_silent(Scan& scan);
  void show_keys(Scan& scan, uint64_t end, Now now);
  // The first position of those with the same cursor.
  uint64_t boundary_of(uint64_t position) const;
  void complete(SlotId id, Scan& scan);
  void fail(SlotId id, Scan& scan);

  KeyspaceCore& core_;
  ScanServer& server_;
  SlotMap<Scan> scans_{0, core_.options.reactor};
  std::vector<PageItem> items_;  // kept for its memory
};

}  // namespace kvorum::cluster

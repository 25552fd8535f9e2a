// SPDX-License-Identifier: Apache-2.0
// Drops from the table what a raised flush mark covers, a bounded number of records per turn, and
// gives their memory back. Objects that are not in memory are looked up in the store: the digests
// of partitions count them, and a mark is only forgotten once nothing is left that it covers.
// Whichever of a node's machines looks first claims the raise; meanwhile every reader applies the
// marks by itself. Owned by the keyspace machine.
//
//   claim --> partition by partition: ObjectTable::sweep() --not all in memory--> RangeLoad
//                  ^                                                                 |
//                  +------------ on_scanned(): swept on a store thread <-------------+
#pragma once

#include <cstdint>
#include <deque>
#include <string>

#include "cluster/keyspace/keyspace_core.h"
#include "cluster/own/marked_record.h"
#include "cluster/own/scan_page.h"

namespace kvorum::cluster {

class MarkSweeper {
 public:
  // Records looked at per turn, about half a millisecond. A partition is never split.
  static constexpr uint64_t kRecordsPerTurn = 4096;
  static constexpr size_t kStoredPerPage = 256;
  static constexpr uint64_t kRetryUs = 1'000'000;  // after the store failed

  explicit MarkSweeper(KeyspaceCore& core) : core_(core), record_(core.parts) {}

  // Claims what was raised.
  void look(Now now);
  void on_time(Now now);
  // Of a RangeLoad of this reader.
  void on_scanned(const ScanPage& page, Now now);
  uint64_t next_deadline_us() const;

 private:
  struct Sweep {
    uint8_t keyspace;
    uint64_t claimed;
    uint32_t partition = 0;
  };

  struct Unsynced {
    uint8_t keyspace;
    uint64_t claimed;
    engine::Ticket ticket;
  };

  void turn(Now now);
  void settle(Now now);
  void finish(Now now);
  void read_stored(Position from);

  KeyspaceCore& core_;
  std::deque<Sweep> sweeps_;
  std::deque<Unsynced> unsynced_;  // swept
  uint64_t due_us_ = 0;            // 0: nothing to do, or a page is awaited
  uint64_t look_at_us_ = 0;        // whether what was swept is synced
  bool reading_ = false;
  MarkedRecord record_;
};

}  // namespace kvorum::cluster

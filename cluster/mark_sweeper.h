// SPDX-License-Identifier: Apache-2.0
// Gives memory back after a flush: drops from the table what a raised mark covers, a bounded number
// of records per turn. Whichever of a node's machines looks first claims the raise. Only a matter
// of memory and counts: every reader applies the marks by itself. Owned by the keyspace machine.
#pragma once

#include <cstdint>
#include <deque>
#include <string>

#include "cluster/keyspace_core.h"
#include "cluster/object_codec.h"

namespace kvorum::cluster {

class MarkSweeper {
 public:
  // Records looked at per turn, about half a millisecond. A partition is never split.
  static constexpr uint64_t kRecordsPerTurn = 4096;

  explicit MarkSweeper(KeyspaceCore& core) : core_(core) {}

  // Claims what was raised.
  void look();
  // One turn. True while there is more to do.
  bool sweep();
  bool active() const { return !sweeps_.empty(); }

 private:
  struct Sweep {
    uint8_t keyspace;
    uint64_t claimed;
    uint32_t partition;
  };

  engine::RecordChange change_of(const KeyRef& key, std::string_view bytes);

  KeyspaceCore& core_;
  std::deque<Sweep> sweeps_;
  Record record_;
  std::string head_;
};

}  // namespace kvorum::cluster

// SPDX-License-Identifier: Apache-2.0
// Hinted hand-off (paper 4.6): hints are scanned periodically and written to the primary they are
// for as soon as it can be reached. A hint goes only once its target acknowledged all of it.
// Bounded in flight; one coordinator of a node does it. Private to cluster/; owned by the
// coordinator.
#pragma once

#include "cluster/core.h"

namespace kvorum::cluster {

class HintReplay {
 public:
  static constexpr size_t kInFlightMax = 256;
  static constexpr size_t kBatchBytesMax = 4 * 1024 * 1024;

  explicit HintReplay(Core& core) : core_(core) {}

  void on_link_up(Now now);
  void on_time(Now now);
  void on_reply(SlotId id, Operation& operation, const ReplicaWriteReply& reply);
  void on_timer(SlotId id, Operation& operation, Now now);
  uint64_t next_deadline_us() const { return due_us_; }

 private:
  struct Found {
    MemberIndex target;
    std::string key;
    Position position;
    uint8_t keyspace;
    std::string object;  // portable form
  };
  std::vector<Found> gather();
  void send(Found& hint, Now now);
  void finish(SlotId id);

  Core& core_;
  uint64_t due_us_ = 0;  // of the next scan; 0: no hints were seen
  uint32_t partition_ = 0;
  Position from_;
  size_t in_flight_ = 0;
  bool postponed_ = false;  // this pass left hints out for their size
};

}  // namespace kvorum::cluster

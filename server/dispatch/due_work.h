// SPDX-License-Identifier: Apache-2.0
// What a dispatcher has to do without new input: KEYS over several scans, commands whose stage is
// done, edits that follow a read, delayed flush_alls, and connections whose attempt to log in
// waits. The reactor's thread only.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cluster/coordinator/coordinator.h"
#include "server/connection/client_table.h"
#include "server/connection/open_calls.h"

namespace kvorum::server {

class DueWork {
 public:
  static constexpr size_t kFlushesMax = 1024;

  // All outlive it.
  DueWork(cluster::Coordinator& coordinator, ClientTable& clients, OpenCalls& calls)
      : coordinator_(coordinator), clients_(clients), calls_(calls) {}

  // The call's keyspace request is submitted again from the cursor.
  void scan_on(SlotId call, uint64_t cursor) { scans_.push_back({call, cursor}); }
  // The call's read is followed by an edit of its key. REQUIRES: the call keeps its key, and its
  // completion was settled.
  void edit_after(SlotId call, cluster::EditCode code, std::string argument) {
    follow_ups_.push_back({call, code, std::move(argument)});
  }
  // All that was sent of a stage is there: the StageRunner goes on with it.
  void stage_on(SlotId gathering) { stages_.push_back(gathering); }
  // The call's script takes too long where its key is: the StageRunner runs it elsewhere.
  void script_on(SlotId call, std::string_view task) {
    scripts_.push_back({call, std::string(task)});
  }
  struct LongScript {
    SlotId call = 0;
    std::string task;
  };
  std::vector<LongScript> take_scripts() { return std::exchange(scripts_, {}); }
  // The next of them; false where there is none.
  bool take_stage(SlotId* gathering) {
    if (stages_.empty()) return false;
    *gathering = stages_.back();
    stages_.pop_back();
    return true;
  }
  // All keyspaces are flushed then; not where kFlushesMax are scheduled already.
  void flush_at(uint64_t due_us);
  // The client's next request is run again then. It reads no further meanwhile; others go on.
  void postpone(ClientState& client, uint64_t again_at_us);

  // How many clients wait for their time.
  size_t postponed() const;

  // May complete calls, whose replies go out with the turn.
  void run(Now now);
  // Something that waits for no time: run() goes on with it.
  bool has_work() const {
    return !scans_.empty() || !stages_.empty() || !scripts_.empty() || !follow_ups_.empty();
  }
  // Steady microseconds of what waits for its time; 0: nothing does.
  uint64_t next_deadline_us() const;

 private:
  void run_scans(Now now);
  void run_follow_ups(Now now);
  void run_flushes(Now now);
  void wake_postponed(Now now);

  struct Scan {
    SlotId call = 0;
    uint64_t cursor = 0;
  };
  struct FollowUp {
    SlotId call = 0;
    cluster::EditCode code = 0;
    std::string argument;
  };
  struct Postponed {
    uint64_t due_us = 0;
    SlotId client = 0;
  };
  // It still waits for that; else it has gone, or was let go on sooner.
  bool waits(const Postponed& one) const;

  cluster::Coordinator& coordinator_;
  ClientTable& clients_;
  OpenCalls& calls_;
  std::vector<Scan> scans_;
  std::vector<SlotId> stages_;
  std::vector<LongScript> scripts_;
  std::vector<FollowUp> follow_ups_;
  std::vector<uint64_t> flushes_due_us_;
  std::vector<Postponed> postponed_;  // one for each connection that waits, and some that do not
  size_t sweep_at_ = 64;              // so many of them
};

}  // namespace kvorum::server

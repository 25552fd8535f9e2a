// SPDX-License-Identifier: Apache-2.0
// Carries out commands of several stages (server/commands/stages.h): plans a stage, sends its
// operations, and goes on when they are done, to the reply.
//
//   start -> plan a stage -> send -> (all there) -> plan the next stage -> ... -> reply
//                              ^          |
//                              +-- a part is done: more of it is sent
//
// What completes while operations are sent is taken at once; else a completion, which may not call
// the coordinator, leaves the stage to DueWork. The reactor's thread only.
#pragma once

#include "cluster/coordinator/coordinator.h"
#include "server/commands/command.h"
#include "server/connection/client_table.h"
#include "server/connection/open_calls.h"
#include "server/dispatch/completions.h"
#include "server/dispatch/due_work.h"
#include "server/pubsub/pub_sub.h"
#include "server/tracking/tracking.h"

namespace kvorum::server {

class StageRunner {
 public:
  // Operations of one command that are open at a time.
  static constexpr size_t kOpenMax = 1024;

  // All outlive it.
  struct Parts {
    cluster::Coordinator& coordinator;
    ClientTable& clients;
    OpenCalls& calls;
    DueWork& due;
    NodeFacts& facts;
    Completions& completions;
    const cluster::HybridClock& clock;
    const DispatcherOptions& options;
    PubSub& pub_sub;
    Tracking& tracking;
  };
  explicit StageRunner(const Parts& parts) : parts_(parts) {}

  // REQUIRES: nothing else with keys of this client is under way. Takes over the plan's words.
  void start(ClientState& client, const CallShape& shape, Plan& plan, Now now);
  // Goes on with the stages that are done.
  void run(Now now);

 private:
  void go_on(SlotId id, Now now);
  bool plan_next(StagedRun& run, Now now);
  void adopt(const DueWork::LongScript& script, Now now);
  void begin(SlotId id, StagedRun& run, Now now);
  void send(SlotId id, StagedRun& run, Now now);
  void send_keyspace(SlotId id, StagedRun& run, Now now);
  void hand_over(SlotId id, StagedRun& run);
  void send_one(SlotId id, StagedRun& run, ClientState* client, Now now);
  void end(SlotId id, const protocol::Reply& reply);
  void give_back(StagedRun& run);

  const Parts parts_;
};

}  // namespace kvorum::server

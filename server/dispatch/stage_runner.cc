// SPDX-License-Identifier: Apache-2.0
#include "server/dispatch/stage_runner.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "server/commands/command_table.h"
#include "server/connection/outcome_reply.h"

namespace kvorum::server {

using protocol::Reply;

namespace {

constexpr size_t kStagesMax = 8;  // more would be a command that never ends

}  // namespace

void StageRunner::start(ClientState& client, const CallShape& shape, Plan& plan, Now now) {
  KVORUM_CHECK(!client.keyspace_pending && client.operations_pending == 0);
  SlotId id = 0;
  StagedRun& run = parts_.calls.open_staged(&id);
  run.shape = shape;
  run.next = plan.next_stage;
  run.words.swap(plan.stage_words);
  run.done.reserve(kStagesMax);  // what plans borrow stays where it is
  run.r = client.session.r;
  run.w = client.session.w;
  client.keyspace_pending = true;
  ++client.operations_pending;
  if (plan_next(run, now)) return go_on(id, now);
  end(id, run.plan.reply);
}

void StageRunner::run(Now now) {
  SlotId id = 0;
  while (parts_.due.take_stage(&id)) go_on(id, now);
}

void StageRunner::go_on(SlotId id, Now now) {
  Gathering* const gathering = parts_.calls.find_gathering(id);
  KVORUM_CHECK(gathering != nullptr && gathering->staged != nullptr);
  StagedRun& run = *gathering->staged;
  for (;;) {
    send(id, run, now);
    if (run.open > 0) return;
    if (!run.error.empty()) return end(id, Reply::preformatted(run.error));
    run.done.push_back(std::move(run.results));
    if (!plan_next(run, now)) return end(id, run.plan.reply);
  }
}

// False where the plan is the reply.
bool StageRunner::plan_next(StagedRun& run, Now now) {
  KVORUM_CHECK(run.done.size() < kStagesMax);
  Plan& plan = run.plan;
  plan.reset();
  plan.other_keyspace = -1;
  const uint64_t now_ms = parts_.clock.reading(now.wall_ms).ms();
  const StageCall call{run.words, run.done, parts_.facts, run.shape.keyspace, now_ms};
  run.next(call, plan);
  if (plan.kind == Plan::Kind::kReply) return false;
  KVORUM_CHECK(plan.kind == Plan::Kind::kOperations && !plan.requests.empty());
  for (const cluster::Request& request : plan.requests) {
    if (request.key.key.size() <= kKeyBytesMax) continue;
    plan.fail(kKeyTooLong);
    return false;
  }
  run.sent = 0;
  run.results.clear();
  run.results.resize(plan.requests.size());
  return true;
}

// As many operations as may be open.
void StageRunner::send(SlotId id, StagedRun& run, Now now) {
  Plan& plan = run.plan;
  ClientState* const client = parts_.clients.find(run.shape.client);
  run.is_running = true;
  run.go_on_at = kOpenMax / 2;
  while (run.sent < plan.requests.size() && run.open < kOpenMax && run.error.empty()) {
    send_one(id, run, client, now);
  }
  if (!run.error.empty()) run.sent = plan.requests.size();
  run.is_running = false;
}

void StageRunner::send_one(SlotId id, StagedRun& run, ClientState* client, Now now) {
  cluster::Request& request = run.plan.requests[run.sent];
  const cluster::ClusterView& view = parts_.coordinator.view();
  const int other = run.plan.other_keyspace;
  request.key.keyspace = other < 0 ? run.shape.keyspace : static_cast<uint8_t>(other);
  request.key.position = position_of(request.key.key, view.partitioner);
  const uint8_t copies = view.quorum(request.key.keyspace).n;
  request.r = std::min(run.r, copies);
  request.w = std::min(run.w, copies);
  request.strict_w = request.w != 0;

  CallShape shape = run.shape;
  shape.keyspace = request.key.keyspace;
  shape.item = 0;  // the whole command is
  shape.gathering = id;
  shape.gathering_place = run.sent++;
  ++run.open;
  SlotId call_id = 0;
  Call& call = parts_.calls.open(shape, &call_id);
  call.kind = request.kind;
  if (parts_.pub_sub.tells_changes() && request.kind == cluster::Request::Kind::kEdit) {
    const uint64_t now_ms = parts_.clock.reading(now.wall_ms).ms();
    call.change = parts_.pub_sub.change_of(request, all_commands()[shape.command]->name, now_ms);
    call.key = request.key.key;
  }
  if (client) {
    ++client->operations_pending;
    if (client->causal && request.kind == cluster::Request::Kind::kEdit) {
      client->causal->forget(request.key);
    }
  }
  parts_.coordinator.submit(request, call_id, now);
}

void StageRunner::end(SlotId id, const Reply& reply) {
  Gathering* const gathering = parts_.calls.find_gathering(id);
  StagedRun& run = *gathering->staged;
  if (ClientState* const client = parts_.clients.find(run.shape.client)) {
    KVORUM_CHECK(client->keyspace_pending && client->operations_pending > 0);
    KVORUM_CHECK(client->reserved_bytes >= run.held_bytes);
    client->reserved_bytes -= run.held_bytes;
    client->keyspace_pending = false;
    --client->operations_pending;
  }
  parts_.completions.answer_staged(run.shape, reply);
  parts_.calls.release_staged(id, *gathering);
}

}  // namespace kvorum::server

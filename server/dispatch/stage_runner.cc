// SPDX-License-Identifier: Apache-2.0
#include "server/dispatch/stage_runner.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "server/commands/command_table.h"
#include "server/connection/outcome_reply.h"
#include "server/eval/script_stages.h"

namespace kvorum::server {

using protocol::Reply;

namespace {

constexpr size_t kStagesMax = 8;  // more would be a command that never ends

constexpr std::string_view kBusy =
    "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.";

// What a client that tracks may cache of it. A script may answer what it reads.
bool reads_only(const CallShape& shape) {
  const CommandRow& row = *all_commands()[shape.command];
  return (row.flags & kReadonly) != 0 || row.group == Group::kScripting;
}

}  // namespace

void StageRunner::start(ClientState& client, const CallShape& shape, Plan& plan, Now now) {
  KVORUM_CHECK(!client.keyspace_pending && client.operations_pending == 0);
  SlotId id = 0;
  StagedRun& run = parts_.calls.open_staged(&id);
  run.shape = shape;
  run.next = plan.next_stage;
  run.words.swap(plan.stage_words);
  client.keyspace_pending = true;
  ++client.operations_pending;
  begin(id, run, now);
}

// The call stays open, and so its key is in use, until the script is done.
void StageRunner::adopt(const DueWork::LongScript& script, Now now) {
  const Call* const call = parts_.calls.find(script.call);
  KVORUM_CHECK(call != nullptr);
  SlotId id = 0;
  StagedRun& run = parts_.calls.open_staged(&id);
  run.shape = *call;
  run.of_call = script.call;
  run.next = run_script;
  run.state = staged_script(script.task, ScriptPlace::kElsewhere);
  begin(id, run, now);
}

void StageRunner::begin(SlotId id, StagedRun& run, Now now) {
  run.done.reserve(kStagesMax);  // what plans borrow stays where it is
  if (const ClientState* const client = parts_.clients.find(run.shape.client)) {
    run.r = client->session.r;
    run.w = client->session.w;
  }
  plan_next(run, now) ? go_on(id, now) : end(id, run.plan.reply);
}

void StageRunner::run(Now now) {
  for (const DueWork::LongScript& script : parts_.due.take_scripts()) adopt(script, now);
  SlotId id = 0;
  while (parts_.due.take_stage(&id)) go_on(id, now);
}

void StageRunner::go_on(SlotId id, Now now) {
  Gathering* const gathering = parts_.calls.find_gathering(id);
  KVORUM_CHECK(gathering != nullptr && gathering->staged != nullptr);
  StagedRun& run = *gathering->staged;
  for (;;) {
    if (run.plan.work) return hand_over(id, run);
    run.plan.kind == Plan::Kind::kKeyspace ? send_keyspace(id, run, now) : send(id, run, now);
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
  plan.starts_over = false;
  plan.work.reset();
  const uint64_t now_ms = parts_.clock.reading(now.wall_ms).ms();
  const StageCall call{run.words,          run.state,      run.done, parts_.facts,
                       run.shape.keyspace, run.shape.resp, now_ms};
  run.next(call, plan);
  if (plan.starts_over) {
    run.done.clear();
    give_back(run);
  }
  if (plan.work) return true;
  if (plan.kind == Plan::Kind::kReply) return false;
  run.sent = 0;
  run.results.clear();
  if (plan.kind == Plan::Kind::kKeyspace) {
    run.results.resize(1);
    return true;
  }
  KVORUM_CHECK(plan.kind == Plan::Kind::kOperations && !plan.requests.empty());
  for (const cluster::Request& request : plan.requests) {
    if (request.key.key.size() <= kKeyBytesMax) continue;
    plan.fail(kKeyTooLong);
    return false;
  }
  run.results.resize(plan.requests.size());
  return true;
}

// To a thread of its own. What it makes stands in the command's state.
void StageRunner::hand_over(SlotId id, StagedRun& run) {
  const std::shared_ptr<EndableWork> work = run.plan.work;
  const auto done = [this, id] {
    Gathering* const gathering = parts_.calls.find_gathering(id);
    KVORUM_CHECK(gathering != nullptr && gathering->staged != nullptr);
    gathering->staged->plan.work.reset();
    gathering->staged->results.clear();
    parts_.due.stage_on(id);
  };
  if (parts_.options.long_work == nullptr) {
    work->run();
    done();
  } else if (!parts_.options.long_work->do_elsewhere(work, done)) {
    end(id, Reply::error(kBusy));
  }
}

void StageRunner::send_keyspace(SlotId id, StagedRun& run, Now now) {
  if (run.sent > 0) return;
  CallShape shape = run.shape;
  shape.item = 0;
  shape.gathering = id;
  SlotId call_id = 0;
  Call& call = parts_.calls.open(shape, &call_id);
  call.keyspace_request = run.plan.keyspace_request;
  call.keyspace_request.keyspace = run.shape.keyspace;
  run.open = run.sent = 1;
  run.is_running = true;
  parts_.coordinator.submit(call.keyspace_request, call_id, now);
  run.is_running = false;
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
  if (parts_.pub_sub.tells_changes()) [[unlikely]] {
    const uint64_t now_ms = parts_.clock.reading(now.wall_ms).ms();
    PubSub::note_request(request, all_commands()[shape.command]->name, now_ms, call);
  }
  if (client && client->tracked) [[unlikely]]
    parts_.tracking.begin(*client, reads_only(shape), request, call);
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
  give_back(run);
  ClientState* const client = parts_.clients.find(run.shape.client);
  if (run.of_call != 0) {
    parts_.completions.settle_staged(run.of_call);
  } else if (client) {
    KVORUM_CHECK(client->keyspace_pending && client->operations_pending > 0);
    client->keyspace_pending = false;
    --client->operations_pending;
  }
  parts_.completions.answer_staged(run.shape, reply);
  parts_.calls.release_staged(id, *gathering);
}

// What the stages read is held no more.
void StageRunner::give_back(StagedRun& run) {
  if (ClientState* const client = parts_.clients.find(run.shape.client)) {
    KVORUM_CHECK(client->reserved_bytes >= run.held_bytes);
    client->reserved_bytes -= run.held_bytes;
  }
  run.held_bytes = 0;
}

}  // namespace kvorum::server

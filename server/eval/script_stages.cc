// SPDX-License-Identifier: Apache-2.0
#include "server/eval/script_stages.h"

#include <algorithm>
#include <utility>

#include "base/ascii.h"
#include "base/bytes.h"
#include "server/commands/words.h"
#include "server/connection/outcome_reply.h"
#include "server/eval/script_bodies.h"
#include "server/eval/script_run.h"
#include "server/tracking/monitors.h"
#include "server/transaction/edit_batch.h"

namespace kvorum::server {
namespace {

using protocol::Reply;

constexpr std::string_view kGaveWay = "ERR script gave way to other writers";
constexpr std::string_view kGaveWayMidway =
    "UNCERTAIN script gave way to other writers after it had written a part of its keys";
constexpr std::string_view kKilled =
    "ERR Error running script: Script killed by user with SCRIPT KILL.";
constexpr std::string_view kTooLongInTransaction =
    "ERR the script takes too long to run within a transaction";
constexpr std::string_view kMalformed = "ERR a script was malformed";

// And shows what it called.
void publish_all(std::string_view said, NodeFacts& facts) {
  ByteReader reader(said);
  while (!reader.done() && reader.ok()) {
    const auto kind = static_cast<ScriptCalls::Said>(reader.u8());
    Message message;
    message.is_sharded = kind == ScriptCalls::Said::kShardMessage;
    message.channel = reader.bytes();
    message.payload = reader.bytes();
    if (!reader.ok()) return;
    if (kind != ScriptCalls::Said::kMonitorLine) {
      facts.pub_sub().publish_soon(message);
    } else if (Monitors* const monitors = facts.monitors()) {
      monitors->show_behind(message.channel);
    }
  }
}

// Of a script that ran where its key is.
Reply edit_reply(uint8_t code, std::string_view bytes, NodeFacts& facts) {
  if (code != kScriptSaid) return script_reply(bytes);
  ByteReader reader(bytes);
  const std::string_view reply = reader.bytes();
  publish_all(reader.rest(), facts);
  return script_reply(reply);
}

class StagedScript final : public StageState {
 public:
  enum class Phase : uint8_t {
    kBegins,
    kRunsInPlace,
    kReads,
    kRuns,
    kCompares,
    kWritesFirst,
    kWritesRest
  };

  StagedScript(std::string task, ScriptPlace place) : place_(place), task_(std::move(task)) {}

  void next(const StageCall& call, Plan& plan) {
    switch (phase_) {
      case Phase::kBegins:
        run_ = std::make_shared<ScriptRun>(std::move(task_), call.facts.value_bytes_max());
        if (!run_->is_valid()) return plan.fail(kMalformed);
        if (place_ == ScriptPlace::kAtItsKey && run_->keys().size() == 1) return try_in_place(plan);
        return read(call, plan);
      case Phase::kRunsInPlace:
        if (call.results()[0].reply_code == kScriptTooLong) return read(call, plan);
        return plan.answer(
            edit_reply(call.results()[0].reply_code, call.results()[0].bytes(), call.facts));
      case Phase::kReads:
        if (!run_->take_snapshots(call.results(), call.now_ms)) return plan.fail(kMalformed);
        return begin_run(call, plan);
      case Phase::kRuns:
        if (run_->was_killed()) return plan.fail(kKilled);
        return compare(call, plan);
      case Phase::kCompares:
        if (gave_way(call)) return begin_again(call, plan);
        return write_first(plan);
      case Phase::kWritesFirst:
        if (gave_way(call)) return begin_again(call, plan);
        return write_rest(call, plan);
      case Phase::kWritesRest:
        if (gave_way(call)) return plan.fail(kGaveWayMidway);
        return answer(call, plan);
    }
  }

 private:
  static bool gave_way(const StageCall& call) {
    return std::any_of(call.results().begin(), call.results().end(), [](const StageResult& result) {
      return result.reply_code == kBatchGaveWay;
    });
  }

  void try_in_place(Plan& plan) {
    phase_ = Phase::kRunsInPlace;
    plan.edit(run_->keys()[0], kEditScript, nullptr).argument = run_->bytes();
  }

  void begin_again(const StageCall& call, Plan& plan) {
    if (++attempts_ >= kAttemptsMax) return plan.fail(kGaveWay);
    plan.starts_over = true;
    read(call, plan);
  }

  void read(const StageCall& call, Plan& plan) {
    phase_ = Phase::kReads;
    if (run_->keys().empty()) {
      run_->take_snapshots({}, call.now_ms);
      return begin_run(call, plan);
    }
    for (const std::string_view key : run_->keys()) {
      plan.edit(key, kEditScript, nullptr).value = kSnapshotOfKey;
    }
  }

  // At first on the reactor: nearly all scripts end there.
  void begin_run(const StageCall& call, Plan& plan) {
    phase_ = Phase::kRuns;
    if (run_->run_here()) return compare(call, plan);
    plan.work = run_;
  }

  void plan_effect(size_t key, Plan& plan) {
    cluster::Request& request = plan.edit(run_->keys()[key], kEditBatch, nullptr);
    request.argument = run_->effect(key);
  }

  // Keys that were read alone are compared where others are written.
  void compare(const StageCall& call, Plan& plan) {
    changed_.clear();
    for (size_t key = 0; key < run_->keys().size(); ++key) {
      if (run_->was_changed(key)) changed_.push_back(key);
    }
    if (changed_.empty()) return answer(call, plan);
    phase_ = Phase::kCompares;
    if (changed_.size() == run_->keys().size()) return write_first(plan);
    for (size_t key = 0; key < run_->keys().size(); ++key) {
      if (!run_->was_changed(key)) plan_effect(key, plan);
    }
  }

  void write_first(Plan& plan) {
    phase_ = Phase::kWritesFirst;
    plan_effect(changed_[0], plan);
  }

  void write_rest(const StageCall& call, Plan& plan) {
    if (changed_.size() == 1) return answer(call, plan);
    phase_ = Phase::kWritesRest;
    for (size_t at = 1; at < changed_.size(); ++at) plan_effect(changed_[at], plan);
  }

  void answer(const StageCall& call, Plan& plan) const {
    publish_all(run_->said(), call.facts);
    plan.answer(script_reply(run_->reply()));
  }

  const ScriptPlace place_;
  Phase phase_ = Phase::kBegins;
  std::string task_;
  std::shared_ptr<ScriptRun> run_;
  std::vector<size_t> changed_;
  int attempts_ = 0;
};

}  // namespace

std::unique_ptr<StageState> staged_script(std::string task, ScriptPlace place) {
  return std::make_unique<StagedScript>(std::move(task), place);
}

void run_script(const StageCall& call, Plan& plan) {
  if (call.state == nullptr && !find_body(call, plan)) return;
  static_cast<StagedScript&>(*call.state).next(call, plan);
}

void run_function(const StageCall& call, Plan& plan) {
  if (call.state == nullptr && !begin_function(call, plan)) return;
  static_cast<StagedScript&>(*call.state).next(call, plan);
}

Reply script_reply(std::string_view resp) {
  if (!resp.starts_with('-')) return Reply::preformatted(resp);
  return Reply::error_owned(std::string(resp.substr(1, resp.size() - 3)));
}

Reply finish_script(const FinishInput& input) {
  if (input.completion.reply_code == kScriptTooLong) return Reply::error(kTooLongInTransaction);
  return edit_reply(input.completion.reply_code, input.completion.reply_bytes, input.facts);
}

bool are_together(std::span<const std::string_view> keys, NodeFacts& facts, Plan& plan) {
  const cluster::ClusterView& view = facts.view();
  const auto partition_of = [&](std::string_view key) {
    return view.ring.partition_of(position_of(key, view.partitioner));
  };
  for (const std::string_view key : keys) {
    if (partition_of(key) == partition_of(keys[0])) continue;
    plan.fail(kCrossSlot);
    return false;
  }
  return true;
}

}  // namespace kvorum::server

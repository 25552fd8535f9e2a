// SPDX-License-Identifier: Apache-2.0
#include "server/eval/script_run.h"

#include <unordered_set>
#include <utility>

namespace kvorum::server {

ScriptRun::ScriptRun(std::string task, uint64_t value_bytes_max)
    : bytes_(std::move(task)), value_bytes_max_(value_bytes_max) {
  valid_ = get_script_task(bytes_, &task_);
  std::unordered_set<std::string_view> seen;
  for (const std::string_view key : task_.keys.all()) {
    if (seen.insert(key).second) distinct_.push_back(key);
  }
}

bool ScriptRun::take_snapshots(const std::vector<StageResult>& results, uint64_t now_ms) {
  snapshots_.clear();
  for (const StageResult& result : results) {
    KeySnapshot snapshot;
    snapshots_.emplace_back(result.bytes());
    if (!get_snapshot(snapshots_.back(), &snapshot)) return false;
  }
  now_ms_ = now_ms;
  return snapshots_.size() == distinct_.size();
}

// Anew for each run: one that was broken off has changed them.
void ScriptRun::copy_keys() {
  copies_.clear();
  for (size_t at = 0; at < distinct_.size(); ++at) {
    KeySnapshot snapshot;
    get_snapshot(snapshots_[at], &snapshot);
    copies_.emplace_back(distinct_[at], snapshot, now_ms_, value_bytes_max_);
  }
}

void ScriptRun::run_with(const ScriptBudget& budget) {
  copy_keys();
  ScriptKeys keys;
  for (Copy& copy : copies_) keys.add(copy.key);
  reply_.clear();
  task_.now_us = std::max(task_.now_us, now_ms_ * 1000);
  ScriptEngine& engine = ScriptEngine::of_this_thread();
  end_ = engine.run(task_, keys, {budget, value_bytes_max_}, reply_);
  said_ = engine.said();
}

bool ScriptRun::run_here() {
  run_with({kInstructionsOnReactor, nullptr});
  return end_ == ScriptEnd::kDone;
}

void ScriptRun::run() { run_with({UINT64_MAX, &killed_}); }

}  // namespace kvorum::server

// SPDX-License-Identifier: Apache-2.0
// A script on copies of its keys: what was read of them, the run, and what it did to each. The run
// may be another thread's; whoever waits for it touches nothing of it meanwhile.
#pragma once

#include <atomic>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "server/commands/stages.h"
#include "server/eval/edit_script.h"
#include "server/script/script_engine.h"

namespace kvorum::server {

class ScriptRun final : public EndableWork {
 public:
  // `task` is a ScriptTask as bytes.
  explicit ScriptRun(std::string task, uint64_t value_bytes_max);

  bool is_valid() const { return valid_; }
  const std::string& bytes() const { return bytes_; }
  // Each key once, in the order in which they were declared.
  const std::vector<std::string_view>& keys() const { return distinct_; }

  // What was read of the keys, in their order. False where a snapshot is malformed.
  bool take_snapshots(const std::vector<StageResult>& results, uint64_t now_ms);
  // With the budget of a reactor. False where that is not enough.
  bool run_here();

  // EndableWork, with no budget.
  void run() override;
  void end() override { killed_ = true; }

  bool was_killed() const { return end_ == ScriptEnd::kKilled; }
  // As RESP.
  const std::string& reply() const { return reply_; }
  // What it published (ScriptCalls::said()).
  const std::string& said() const { return said_; }
  bool was_changed(size_t key) const { return copies_[key].key.local().stored(); }
  // An edit of kEditBatch that does what was done to the key, where it is as it was read.
  const std::string& effect(size_t key) { return copies_[key].key.kept().bytes(); }

 private:
  // A key as it was read, which edits borrow from.
  struct Copy {
    Copy(std::string_view name, const KeySnapshot& snapshot, uint64_t now_ms,
         uint64_t value_bytes_max)
        : ref{name, {}, 0},
          visible(snapshot.visible),
          input{ref, object, visible, now_ms, 0, snapshot.may_be_evicted, {}, {}, value_bytes_max},
          key(input, snapshot.digest) {}
    Copy(const Copy&) = delete;

    KeyRef ref;
    cluster::Object object;
    LocalKey::Visible visible;
    EditInput input;
    ScriptKey key;
  };
  void run_with(const ScriptBudget& budget);
  void copy_keys();

  const std::string bytes_;
  const uint64_t value_bytes_max_;
  ScriptTask task_;
  bool valid_ = false;
  std::vector<std::string_view> distinct_;
  std::vector<std::string> snapshots_;
  uint64_t now_ms_ = 0;
  std::deque<Copy> copies_;
  ScriptEnd end_ = ScriptEnd::kDone;
  std::string reply_, said_;
  std::atomic<bool> killed_ = false;
};

}  // namespace kvorum::server

// SPDX-License-Identifier: Apache-2.0
// Puts of a lone replica (N = 1): written within submit(), answered at once or at the commit. What
// a plain SET leaves behind until the disk has it is a few words in a queue, in the order of
// tickets, in place of a whole operation. Private to cluster/; owned by the coordinator.
#pragma once

#include <cstdint>
#include <vector>

#include "cluster/put/edit_runner.h"

namespace kvorum::cluster {

struct LoneCommit {
  engine::Ticket ticket = 0;
  uint64_t tag = 0;
  uint64_t started_us = 0;
  int64_t reply_number = 0;
  uint8_t reply_code = 0;
};

// A queue that keeps its memory.
class LoneCommits {
 public:
  bool empty() const { return head_ == waiting_.size(); }
  size_t size() const { return waiting_.size() - head_; }
  const LoneCommit& front() const { return waiting_[head_]; }
  void push(const LoneCommit& commit) { waiting_.push_back(commit); }
  LoneCommit pop() {
    const LoneCommit first = waiting_[head_++];
    if (head_ == waiting_.size()) {
      waiting_.clear();
      head_ = 0;
    } else if (head_ >= kCompactMin && 2 * head_ >= waiting_.size()) {
      waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(head_));
      head_ = 0;
    }
    return first;
  }

 private:
  static constexpr size_t kCompactMin = 1024;
  std::vector<LoneCommit> waiting_;
  size_t head_ = 0;
};

class LonePuts {
 public:
  LonePuts(Core& core, EditRunner& edits) : core_(core), edits_(edits) {}

  // An edit of a key that only this node holds: done at once. False where the request needs an
  // operation (nothing was done then).
  bool write_at_once(const Request& request, uint64_t tag, Now now);
  // A round of commits ended: answers what waited for it.
  void on_committed(engine::Ticket ticket, bool ok, Now now);
  // A disk that hangs must not hang the client.
  void on_time(Now now);
  uint64_t next_deadline_us() const;
  size_t waiting() const { return commits_.size(); }

 private:
  void answer(Now now);
  void await_commit(Now now, engine::Ticket ticket);
  void await_as_operation(Now now, engine::Ticket ticket);
  void answer_first(Outcome outcome, Now now);

  Core& core_;
  EditRunner& edits_;
  Operation lone_;  // used for one after the other
  LoneCommits commits_;
};

}  // namespace kvorum::cluster

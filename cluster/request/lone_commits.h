// SPDX-License-Identifier: Apache-2.0
// Answers of a lone replica that wait for their commit, in the order of their tickets: what a plain
// SET leaves behind until the disk has it, in place of a whole operation. Private to cluster/.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/table/object_table.h"

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

}  // namespace kvorum::cluster

// SPDX-License-Identifier: Apache-2.0
#include "server/flow/large_pace.h"

namespace kvorum::server {

void LargePace::served(uint64_t operations, uint64_t now_us) {
  const uint64_t began_us = window_began_us_.load(std::memory_order_relaxed);
  if (now_us >= began_us + kWindowUs) {
    window_began_us_.store(now_us, std::memory_order_relaxed);
    in_window_.store(operations, std::memory_order_relaxed);
  } else {
    operations += in_window_.fetch_add(operations, std::memory_order_relaxed);
  }
  if (operations >= kBusyOperations) {
    busy_until_us_.store(now_us + kWindowUs, std::memory_order_relaxed);
  }
}

uint64_t LargePace::wait_us(size_t bytes, uint64_t now_us) {
  if (!is_busy(now_us)) return 0;
  const uint64_t cost_us = bytes * 1'000'000 / bytes_per_second_;
  uint64_t paid_us = paid_until_us_.load(std::memory_order_relaxed);
  do {
    if (paid_us > now_us) return paid_us - now_us;
  } while (!paid_until_us_.compare_exchange_weak(paid_us,
                                                 std::max(paid_us, now_us - kLateUs) + cost_us));
  return 0;
}

bool Pacer::may_move(Paced& who, size_t bytes) {
  const uint64_t now_us = clock_.now().steady_us;
  const bool has_turn = waiting_.empty() || !told_.empty();
  const uint64_t wait_us = has_turn ? pace_.wait_us(bytes, now_us) : 1;  // behind the others
  if (wait_us == 0) return true;
  add(who, now_us + wait_us);
  return false;
}

void Pacer::wait_for_turn(Paced& who) {
  const uint64_t now_us = clock_.now().steady_us;
  add(who, std::max(now_us + 1, pace_.free_at_us()));
}

void Pacer::add(Paced& who, uint64_t due_us) {
  if (waiting_.empty()) due_us_ = due_us;
  if (std::find(waiting_.begin(), waiting_.end(), &who) == waiting_.end()) waiting_.push_back(&who);
}

// In the order in which they came. Who has to wait again comes last.
void Pacer::on_time(uint64_t now_us) {
  if (waiting_.empty() || now_us < due_us_) return;
  told_.swap(waiting_);
  for (size_t at = 0; at < told_.size(); ++at) {
    if (told_[at] != nullptr) told_[at]->on_pace();
  }
  told_.clear();
}

void Pacer::forget(const Paced& who) {
  std::erase(waiting_, &who);
  std::replace(told_.begin(), told_.end(), const_cast<Paced*>(&who), static_cast<Paced*>(nullptr));
}

}  // namespace kvorum::server

// SPDX-License-Identifier: Apache-2.0
// How full the journal is, and how it fares.
#include <algorithm>

#include "engine/journal/journaled_store.h"

namespace kvorum::engine {
namespace {

template <typename Unit>
uint64_t count_of(std::chrono::steady_clock::duration time) {
  return static_cast<uint64_t>(std::chrono::duration_cast<Unit>(time).count());
}

}  // namespace

void JournaledStore::note_used() {
  bool due = journal_.used_bytes() >= options_.capacity_bytes / kEighths * kDueEighths;
  if (due && begin_again_at_ && Clock::now() < *begin_again_at_) due = false;
  if (due) begin_again_at_.reset();
  due_.store(due, std::memory_order_relaxed);
  const bool pressed = pressure_now() > 0;
  if (!pressed) {
    pressed_since_.reset();
  } else if (!pressed_since_) {
    pressed_since_ = Clock::now();
  }
}

JournalStats JournaledStore::stats() const {
  JournalStats stats;
  {
    const MutexLock guard(mutex_);
    stats.capacity_bytes = options_.capacity_bytes;
    stats.used_bytes = journal_.used_bytes();
    stats.allocated_bytes = journal_.allocated_bytes();
    stats.appended_bytes = journal_.appended_bytes();
    stats.changes = changes_ - changes_ended_;
    stats.checkpoints = checkpoints_;
    stats.checkpoint_runs = checkpoint_runs();
    const Clock::time_point now = Clock::now();
    if (stats.checkpoint_runs) {
      stats.checkpoint_ms = count_of<std::chrono::milliseconds>(now - begun_at_);
    }
    stats.last_checkpoint_ms = count_of<std::chrono::milliseconds>(last_took_);
    stats.stalled_us = count_of<std::chrono::microseconds>(stalled_);
    stats.pressure = pressure_now();
    if (pressed_since_) {
      stats.pressed_ms = count_of<std::chrono::milliseconds>(now - *pressed_since_);
    }
  }
  stats.slowed_us = slowed_us_.load(std::memory_order_relaxed);
  const MutexLock guard(trouble_mutex_);
  stats.store_error = trouble_.message();
  return stats;
}

double JournaledStore::pressure() const {
  const MutexLock guard(mutex_);
  return pressure_now();
}

double JournaledStore::pressure_now() const {
  if (write_waits_) return 1;
  const uint64_t from = options_.capacity_bytes / kEighths * kSlowEighths;
  const uint64_t used = journal_.used_bytes();
  if (used <= from) return 0;
  const double part =
      static_cast<double>(used - from) / static_cast<double>(options_.capacity_bytes - from);
  return std::min(part, 1.0);
}

}  // namespace kvorum::engine

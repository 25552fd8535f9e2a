// SPDX-License-Identifier: Apache-2.0
#include "server/node/node_watch.h"

#include <pthread.h>

#include <chrono>

namespace kvorum::server {
namespace {

constexpr auto kPause = std::chrono::milliseconds(100);
constexpr uint64_t kPausesPerLook = 10;

}  // namespace

NodeWatch::NodeWatch(Sources sources) : sources_(std::move(sources)) {
  thread_ = std::thread([this] { run(); });
  pthread_setname_np(thread_.native_handle(), "watch");
}

NodeWatch::~NodeWatch() {
  {
    const MutexLock guard(lock_);
    ending_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void NodeWatch::expect_repair() {
  const MutexLock guard(lock_);
  repair_expected_ = true;
}

// False: it is time to end.
bool NodeWatch::waits() {
  const auto until = std::chrono::steady_clock::now() + kPause;
  const MutexLock guard(lock_);
  while (!ending_ && wake_.wait_until(lock_, until)) {
  }
  if (std::exchange(repair_expected_, false)) watch_.expect_repair();
  return !ending_;
}

void NodeWatch::run() {
  for (uint64_t pauses = 1; waits(); ++pauses) {
    sources_.measure_memory();
    if (pauses % kPausesPerLook == 0) look();
  }
}

void NodeWatch::look() {
  sources_.measure_disk();
  look_at_turns();
  for (const StatusLine& line : watch_.look(sources_.status(), sources_.wall_ms())) {
    write_log(line.level, line.text);
  }
}

// By looks, not by a clock: a process that stood still has no reactor that is stuck.
void NodeWatch::look_at_turns() {
  const std::vector<uint64_t> now = sources_.turns();
  turns_.resize(now.size());
  int stuck = kNobody;
  for (size_t i = 0; i < now.size(); ++i) {
    Turns& turns = turns_[i];
    turns.looks = now[i] == turns.seen ? turns.looks + 1 : 0;
    turns.seen = now[i];
    if (turns.looks >= kStuckLooks) stuck = static_cast<int>(i);
  }
  if (stuck != kNobody && stuck_ == kNobody) {
    log_error("reactor {} has not run for {} s", stuck, kStuckLooks);
  }
  stuck_ = stuck;
}

}  // namespace kvorum::server

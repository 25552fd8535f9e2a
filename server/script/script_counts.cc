// SPDX-License-Identifier: Apache-2.0
#include "server/script/script_counts.h"

#include <atomic>
#include <vector>

#include "base/mutex.h"

namespace kvorum::server {
namespace {

struct Register {
  Mutex mutex;
  std::vector<const ScriptCounts*> all KVORUM_GUARDED_BY(mutex);
  std::atomic<uint64_t (*)()> clock{nullptr};
};

// Never destroyed: threads may end after main().
Register& counts_register() {
  static Register& made = *new Register;
  return made;
}

}  // namespace

ScriptCounts::ScriptCounts() {
  Register& all = counts_register();
  const MutexLock lock(all.mutex);
  all.all.push_back(this);
}

ScriptCounts::~ScriptCounts() {
  Register& all = counts_register();
  const MutexLock lock(all.mutex);
  std::erase(all.all, this);
}

uint64_t ScriptCounts::begin(size_t command) {
  uint64_t (*const clock)() = counts_register().clock.load(std::memory_order_relaxed);
  if (clock == nullptr || !sampler_.wants(counts_.commands[command])) return 0;
  return clock();
}

void ScriptCounts::end(size_t command, bool failed, uint64_t began_ns) {
  counts_.commands[command].calls.add();
  if (failed) counts_.commands[command].failed.add();
  if (began_ns != 0) counts_.note_time(command, counts_register().clock.load()() - began_ns);
}

void ScriptCounts::each(FunctionRef<void(const TrafficCounts&)> fn) {
  Register& all = counts_register();
  const MutexLock lock(all.mutex);
  for (const ScriptCounts* const counts : all.all) fn(counts->counts_);
}

void ScriptCounts::set_clock(uint64_t (*steady_ns)()) { counts_register().clock.store(steady_ns); }

}  // namespace kvorum::server

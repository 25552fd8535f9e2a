// SPDX-License-Identifier: Apache-2.0
// The lock of one partition: held for tens of nanoseconds by reactors and the commit thread. Spins
// briefly, then sleeps in the kernel (std::atomic::wait), so that a preempted holder costs no CPU.
#pragma once

#include <atomic>

#include "base/held_lock.h"
#include "base/thread_safety.h"

namespace kvorum {

class KVORUM_CAPABILITY("spin lock") SpinLock {
 public:
  void lock() KVORUM_ACQUIRE() {
    unsigned expected = kFree;
    if (state_.compare_exchange_strong(expected, kHeld, std::memory_order_acquire)) return;
    lock_slow();
  }
  void unlock() KVORUM_RELEASE() {
    if (state_.exchange(kFree, std::memory_order_release) == kContended) state_.notify_one();
  }

 private:
  static constexpr unsigned kFree = 0, kHeld = 1, kContended = 2;
  static constexpr int kSpinsMax = 100;

  static void pause_briefly() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
  }

  void lock_slow() {
    for (int spin = 0; spin < kSpinsMax; ++spin) {
      unsigned expected = kFree;
      if (state_.compare_exchange_weak(expected, kHeld, std::memory_order_acquire)) return;
      pause_briefly();
    }
    while (state_.exchange(kContended, std::memory_order_acquire) != kFree) {
      state_.wait(kContended, std::memory_order_relaxed);
    }
  }
  std::atomic<unsigned> state_{kFree};
};

using SpinLockGuard = HeldLock<SpinLock>;

}  // namespace kvorum

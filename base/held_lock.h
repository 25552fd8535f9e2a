// SPDX-License-Identifier: Apache-2.0
// A lock that is held, by one alone, as long as this lives: std::lock_guard in words that clang
// checks (thread_safety.h).
#pragma once

#include "base/thread_safety.h"

namespace kvorum {

template <class Lock>
class KVORUM_SCOPED_CAPABILITY HeldLock {
 public:
  explicit HeldLock(Lock& lock) KVORUM_ACQUIRE(lock) : lock_(lock) { lock_.lock(); }
  ~HeldLock() KVORUM_RELEASE() { lock_.unlock(); }
  HeldLock(const HeldLock&) = delete;
  HeldLock& operator=(const HeldLock&) = delete;

 private:
  Lock& lock_;
};

}  // namespace kvorum

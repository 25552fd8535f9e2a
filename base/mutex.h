// SPDX-License-Identifier: Apache-2.0
// std::mutex, std::shared_mutex and std::condition_variable with what thread_safety.h needs: the
// standard library's own say nothing of which lock they are.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <shared_mutex>

#include "base/held_lock.h"
#include "base/thread_safety.h"

namespace kvorum {

class KVORUM_CAPABILITY("mutex") Mutex {
 public:
  void lock() KVORUM_ACQUIRE() { mutex_.lock(); }
  void unlock() KVORUM_RELEASE() { mutex_.unlock(); }

 private:
  friend class ConditionVariable;
  std::mutex mutex_;
};

using MutexLock = HeldLock<Mutex>;

// Waits with the mutex given back, and has it again afterwards. Whoever waits looks in a loop
// whether what it waits for is there: a wait may end without a reason.
class ConditionVariable {
 public:
  void notify_one() { variable_.notify_one(); }
  void notify_all() { variable_.notify_all(); }

  void wait(Mutex& mutex) KVORUM_REQUIRES(mutex) {
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
    variable_.wait(lock);
    lock.release();
  }
  // False where the time came first.
  bool wait_until(Mutex& mutex, std::chrono::steady_clock::time_point time) KVORUM_REQUIRES(mutex) {
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
    const bool notified = variable_.wait_until(lock, time) == std::cv_status::no_timeout;
    lock.release();
    return notified;
  }

 private:
  std::condition_variable variable_;
};

// Many may hold it shared, or one alone.
class KVORUM_CAPABILITY("shared mutex") SharedMutex {
 public:
  void lock() KVORUM_ACQUIRE() { mutex_.lock(); }
  void unlock() KVORUM_RELEASE() { mutex_.unlock(); }
  void lock_shared() KVORUM_ACQUIRE_SHARED() { mutex_.lock_shared(); }
  void unlock_shared() KVORUM_RELEASE_SHARED() { mutex_.unlock_shared(); }

 private:
  std::shared_mutex mutex_;
};

class KVORUM_SCOPED_CAPABILITY SharedLock {
 public:
  explicit SharedLock(SharedMutex& mutex) KVORUM_ACQUIRE_SHARED(mutex) : mutex_(mutex) {
    mutex_.lock_shared();
  }
  ~SharedLock() KVORUM_RELEASE() { mutex_.unlock_shared(); }
  SharedLock(const SharedLock&) = delete;
  SharedLock& operator=(const SharedLock&) = delete;

 private:
  SharedMutex& mutex_;
};

using AloneLock = HeldLock<SharedMutex>;

}  // namespace kvorum

// SPDX-License-Identifier: Apache-2.0
// One block of memory for the one handler of its kind that an object has in flight, so that waiting
// for a socket allocates nothing. Owned by the object that waits, outlives the wait, one thread.
#pragma once

#include <cstddef>
#include <new>

#include "base/check.h"

namespace kvorum::server {

class HandlerMemory {
 public:
  static constexpr size_t kBytes = 256;

  void* take(size_t bytes) {
    KVORUM_CHECK(!used_ && bytes <= kBytes);
    used_ = true;
    return &storage_;
  }
  void give_back() { used_ = false; }

 private:
  alignas(std::max_align_t) std::byte storage_[kBytes];
  bool used_ = false;
};

template <class T>
class HandlerAllocator {
 public:
  using value_type = T;

  explicit HandlerAllocator(HandlerMemory& memory) : memory_(&memory) {}
  template <class U>
  HandlerAllocator(const HandlerAllocator<U>& other) : memory_(other.memory_) {}  // NOLINT: rebind

  T* allocate(size_t count) { return static_cast<T*>(memory_->take(count * sizeof(T))); }
  void deallocate(T*, size_t) { memory_->give_back(); }

  template <class U>
  bool operator==(const HandlerAllocator<U>& other) const {
    return memory_ == other.memory_;
  }

 private:
  template <class U>
  friend class HandlerAllocator;
  HandlerMemory* memory_;
};

}  // namespace kvorum::server

// SPDX-License-Identifier: Apache-2.0
#include "base/large_memory.h"

#include <new>
#include <vector>

#include "base/memory_thread.h"
#include "base/mutex.h"

namespace kvorum {
namespace {

void* map(size_t bytes) {
  constexpr int kKind = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  return ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, kKind, -1, 0);
}

// Fronts for large memory, with their pages: who begins to write need not wait for those. None are
// kept before the first one was asked for.
class WarmMemory {
 public:
  static WarmMemory& instance() {
    static WarmMemory* const memory = new WarmMemory;
    return *memory;
  }

  void* take() {
    post_to_memory_thread([this] { refill(); });
    const MutexLock guard(mutex_);
    if (spare_.empty()) return map(kLargeMemoryBytes);
    void* const taken = spare_.back();
    spare_.pop_back();
    return taken;
  }

 private:
  static constexpr size_t kSpare = 4;

  void refill() {
    for (;;) {
      {
        const MutexLock guard(mutex_);
        if (spare_.size() >= kSpare) return;
      }
      void* const memory = map(kLargeMemoryBytes);
      if (memory == MAP_FAILED) return;
      wish_large_pages(memory, kLargeMemoryBytes);
      populate_pages(memory, kLargeMemoryBytes);
      const MutexLock guard(mutex_);
      spare_.push_back(memory);
    }
  }

  Mutex mutex_;
  std::vector<void*> spare_ KVORUM_GUARDED_BY(mutex_);
};

char* checked(void* memory, size_t bytes) {
  if (memory == MAP_FAILED) throw std::bad_alloc();
  wish_large_pages(memory, bytes);
  return static_cast<char*>(memory);
}

}  // namespace

MappedMemory::MappedMemory(size_t bytes) : size_(to_whole_pages(bytes)) {
  if (size_ < kLargeMemoryBytes) {
    memory_ = checked(map(size_), size_);
    return;
  }
  void* const warm = WarmMemory::instance().take();
  memory_ = checked(::mremap(warm, kLargeMemoryBytes, size_, MREMAP_MAYMOVE), size_);
}

MappedMemory::~MappedMemory() {
  if (memory_ != nullptr) ::munmap(memory_, size_);
}

void MappedMemory::resize(size_t bytes) {
  const size_t wanted = to_whole_pages(bytes);
  memory_ = checked(::mremap(memory_, size_, wanted, MREMAP_MAYMOVE), wanted);
  size_ = wanted;
}

}  // namespace kvorum

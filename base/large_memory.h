// SPDX-License-Identifier: Apache-2.0
// Memory for values of many megabytes: asked for in large pages, and a MappedMemory of the system
// itself, not of the allocator, which would copy it to make it longer, and hold up others who
// allocate while it gives it back. Any thread, each memory one at a time.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

namespace kvorum {

inline constexpr size_t kLargeMemoryBytes = 4 * 1024 * 1024;

inline constexpr uintptr_t kPageBytes = 4096;

constexpr size_t to_whole_pages(size_t bytes) {
  return (bytes + kPageBytes - 1) & ~(kPageBytes - 1);
}

struct Pages {
  char* first;
  size_t bytes;  // 0: none
};
// Those that the memory has all of.
inline Pages whole_pages_in(void* memory, size_t bytes) {
  const auto begin = reinterpret_cast<uintptr_t>(memory);
  const uintptr_t first = to_whole_pages(begin);
  const uintptr_t end = (begin + bytes) & ~(kPageBytes - 1);
  return {reinterpret_cast<char*>(first), first < end ? end - first : 0};
}

// A wish: where the system does not grant it, nothing is lost.
inline void wish_large_pages(void* memory, size_t bytes) {
  const Pages pages = whole_pages_in(memory, bytes);
  if (pages.bytes != 0) ::madvise(pages.first, pages.bytes, MADV_HUGEPAGE);
}

// Room for so many more bytes, where they are many: exactly, and not copied again as the last ones
// are appended. Of few the string takes care.
inline void make_large_room(std::string& bytes, size_t more) {
  if (more < kLargeMemoryBytes || bytes.capacity() - bytes.size() >= more) return;
  bytes.reserve(bytes.size() + more);
  wish_large_pages(bytes.data(), bytes.capacity());
}

class MappedMemory {
 public:
  MappedMemory() = default;
  // Not written yet, so not there yet, but for the front of a large one. Throws std::bad_alloc.
  explicit MappedMemory(size_t bytes);
  MappedMemory(MappedMemory&& other) noexcept
      : memory_(std::exchange(other.memory_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  MappedMemory& operator=(MappedMemory&& other) noexcept {
    std::swap(memory_, other.memory_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~MappedMemory();

  char* data() const { return memory_; }
  size_t size() const { return size_; }
  explicit operator bool() const { return memory_ != nullptr; }
  // Keeps the content, as far as there is room; it may move, but is not copied.
  void resize(size_t bytes);
  // So much of a new one has its pages already.
  size_t warm_bytes() const { return size_ < kLargeMemoryBytes ? 0 : kLargeMemoryBytes; }

 private:
  char* memory_ = nullptr;
  size_t size_ = 0;
};

}  // namespace kvorum

// SPDX-License-Identifier: Apache-2.0
// Memory for values of many megabytes, which are copied within the turn of a thread that others
// wait for: asked for in large pages, a first copy takes a quarter of the time. Any thread.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <string>

namespace kvorum {

inline constexpr size_t kLargeMemoryBytes = 4 * 1024 * 1024;

// A wish: where the system does not grant it, nothing is lost.
inline void wish_large_pages(void* memory, size_t bytes) {
  constexpr uintptr_t kPage = 4096;
  const uintptr_t first = (reinterpret_cast<uintptr_t>(memory) + kPage - 1) & ~(kPage - 1);
  const uintptr_t end = (reinterpret_cast<uintptr_t>(memory) + bytes) & ~(kPage - 1);
  if (first < end) ::madvise(reinterpret_cast<void*>(first), end - first, MADV_HUGEPAGE);
}

// Room for so many more bytes, where they are many: exactly, and not copied again as the last ones
// are appended. Of few the string takes care.
inline void make_large_room(std::string& bytes, size_t more) {
  if (more < kLargeMemoryBytes || bytes.capacity() - bytes.size() >= more) return;
  bytes.reserve(bytes.size() + more);
  wish_large_pages(bytes.data(), bytes.capacity());
}

}  // namespace kvorum

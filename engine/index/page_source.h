// SPDX-License-Identifier: Apache-2.0
// Where the partitions of one ObjectTable get their pages from: aligned blocks of one size, cut
// from chunks that the kernel may back with huge pages (a lookup touches memory at random; fewer
// misses of the TLB make it faster). Freed pages are used again by any partition; past a reserve
// their memory goes back to the kernel at once. Any thread.
#pragma once

#include <cstddef>
#include <vector>

#include "base/spin_lock.h"

namespace kvorum::engine {

class PageSource {
 public:
  explicit PageSource(size_t page_bytes);  // a power of two
  ~PageSource();                           // no page may be in use
  PageSource(const PageSource&) = delete;
  PageSource& operator=(const PageSource&) = delete;

  // Aligned to its size; the contents are arbitrary.
  void* take();
  void give_back(void* page);

 private:
  static constexpr size_t kChunkBytes = 2 * 1024 * 1024;
  static constexpr size_t kReserveBytesMax = 8 * 1024 * 1024;

  void add_chunk() KVORUM_REQUIRES(lock_);

  const size_t page_bytes_;
  const size_t reserve_bytes_max_;
  SpinLock lock_;
  std::vector<void*> chunks_ KVORUM_GUARDED_BY(lock_);
  // Pages of the last chunk that were never used.
  char* fresh_ KVORUM_GUARDED_BY(lock_) = nullptr;
  char* fresh_end_ KVORUM_GUARDED_BY(lock_) = nullptr;
  std::vector<void*> reserve_ KVORUM_GUARDED_BY(lock_);   // free, still backed by memory
  std::vector<void*> returned_ KVORUM_GUARDED_BY(lock_);  // free, their memory given back
};

}  // namespace kvorum::engine

// SPDX-License-Identifier: Apache-2.0
#include "engine/index/page_source.h"

#include <sys/mman.h>
#include <unistd.h>

#include <bit>
#include <cstdint>

#include "base/check.h"

namespace kvorum::engine {

// Only whole pages of the kernel can be given back: of smaller ones a neighbour would lose its
// bytes.
PageSource::PageSource(size_t page_bytes)
    : page_bytes_(page_bytes),
      reserve_bytes_max_(page_bytes % static_cast<size_t>(::sysconf(_SC_PAGESIZE)) == 0
                             ? kReserveBytesMax
                             : ~size_t{0}) {
  KVORUM_CHECK(std::has_single_bit(page_bytes) && page_bytes <= kChunkBytes);
}

PageSource::~PageSource() {
  for (void* chunk : chunks_) ::munmap(chunk, kChunkBytes);
}

void* PageSource::take() {
  const SpinLockGuard guard(lock_);
  for (std::vector<void*>* free_pages : {&reserve_, &returned_}) {
    if (free_pages->empty()) continue;
    void* page = free_pages->back();
    free_pages->pop_back();
    return page;
  }
  if (fresh_ == fresh_end_) add_chunk();
  KVORUM_CHECK(fresh_ < fresh_end_);
  void* page = fresh_;
  fresh_ += page_bytes_;
  return page;
}

void PageSource::give_back(void* page) {
  KVORUM_CHECK((reinterpret_cast<uintptr_t>(page) & (page_bytes_ - 1)) == 0);
  {
    const SpinLockGuard guard(lock_);
    if (reserve_.size() * page_bytes_ < reserve_bytes_max_) {
      reserve_.push_back(page);
      return;
    }
  }
  ::madvise(page, page_bytes_, MADV_DONTNEED);
  const SpinLockGuard guard(lock_);
  returned_.push_back(page);
}

// Twice the size is mapped, so that an aligned chunk is within; the rest is unmapped.
void PageSource::add_chunk() {
  void* mapped = ::mmap(nullptr, 2 * kChunkBytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  KVORUM_CHECK(mapped != MAP_FAILED);
  char* begin = static_cast<char*>(mapped);
  const size_t offset = reinterpret_cast<uintptr_t>(begin) % kChunkBytes;
  const size_t before = offset == 0 ? 0 : kChunkBytes - offset;
  char* chunk = begin + before;
  if (before > 0) ::munmap(begin, before);
  ::munmap(chunk + kChunkBytes, kChunkBytes - before);
  ::madvise(chunk, kChunkBytes, MADV_HUGEPAGE);
  chunks_.push_back(chunk);
  fresh_ = chunk;
  fresh_end_ = chunk + kChunkBytes;
}

}  // namespace kvorum::engine

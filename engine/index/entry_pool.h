// SPDX-License-Identifier: Apache-2.0
// Memory for the entries of one partition, under its lock. Small sizes come in steps of 8 bytes
// from pages (a general allocator steps by 32 above 128, which costs a tenth of a usual object); a
// page goes back to its source when its last entry went. Larger sizes come from the allocator, in
// its own steps of a quarter of a power of two.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "engine/index/page_source.h"

namespace kvorum::engine {

class EntryPool {
 public:
  static constexpr size_t kStepBytes = 8;
  static constexpr size_t kSmallBytesMax = 256;

  static constexpr size_t kPageBytes = 8192;

  // The source gives pages of kPageBytes and outlives the pool.
  explicit EntryPool(PageSource* source) : source_(source) {}
  ~EntryPool();  // everything must have been released
  EntryPool(const EntryPool&) = delete;
  EntryPool& operator=(const EntryPool&) = delete;

  // The size really reserved for `bytes`.
  static size_t class_bytes(size_t bytes);

  void* allocate(size_t bytes);
  // `bytes` as it was allocated, or any size of the same class.
  void release(void* block, size_t bytes);
  // In whole blocks, without what pages hold free.
  uint64_t used_bytes() const { return used_bytes_; }
  // What pages hold beside used blocks.
  uint64_t spare_bytes() const { return spare_bytes_; }

 private:
  struct Page;
  // Pages that have a free block; pages without one stand in no list.
  struct PageList {
    Page* first = nullptr;
  };

  Page* add_page(size_t size);
  static void link(PageList& list, Page* page);
  static void unlink(PageList& list, Page* page);

  PageSource* const source_;
  std::array<PageList, kSmallBytesMax / kStepBytes> lists_{};
  uint64_t used_bytes_ = 0, spare_bytes_ = 0;
};

}  // namespace kvorum::engine

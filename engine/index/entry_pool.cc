// SPDX-License-Identifier: Apache-2.0
#include "engine/index/entry_pool.h"

#include <bit>
#include <cstdlib>
#include <new>

#include "base/check.h"
#include "base/large_memory.h"

namespace kvorum::engine {
namespace {

constexpr int kLargeStepsLog = 2;  // steps per power of two above kSmallBytesMax

}  // namespace

struct EntryPool::Page {
  Page* next = nullptr;
  Page* previous = nullptr;
  void* free_block = nullptr;            // each free block holds the address of the next
  uint32_t fresh_offset = sizeof(Page);  // blocks from here on were never used
  uint32_t used = 0;

  bool full(size_t size) const { return free_block == nullptr && fresh_offset + size > kPageBytes; }
  static Page* of(void* block) {
    return reinterpret_cast<Page*>(reinterpret_cast<uintptr_t>(block) & ~(kPageBytes - 1));
  }
};

EntryPool::~EntryPool() { KVORUM_CHECK(used_bytes_ == 0 && spare_bytes_ == 0); }

size_t EntryPool::class_bytes(size_t bytes) {
  if (bytes <= kSmallBytesMax) return (bytes + kStepBytes - 1) & ~(kStepBytes - 1);
  const size_t step = std::bit_ceil(bytes) >> (kLargeStepsLog + 1);
  KVORUM_DEBUG_CHECK(step >= kStepBytes && std::has_single_bit(step));
  return (bytes + step - 1) & ~(step - 1);
}

void* EntryPool::allocate(size_t bytes) {
  KVORUM_CHECK(bytes > 0);
  const size_t size = class_bytes(bytes);
  used_bytes_ += size;
  if (size > kSmallBytesMax) {
    void* block = std::malloc(size);
    KVORUM_CHECK(block != nullptr);
    if (size >= kLargeMemoryBytes) wish_large_pages(block, size);
    return block;
  }
  PageList& list = lists_[size / kStepBytes - 1];
  Page* page = list.first != nullptr ? list.first : add_page(size);
  spare_bytes_ -= size;
  void* block = page->free_block;
  if (block != nullptr) {
    page->free_block = *static_cast<void**>(block);
  } else {
    block = reinterpret_cast<char*>(page) + page->fresh_offset;
    page->fresh_offset += static_cast<uint32_t>(size);
    KVORUM_CHECK(page->fresh_offset <= kPageBytes);
  }
  ++page->used;
  if (page->full(size)) unlink(list, page);
  return block;
}

void EntryPool::release(void* block, size_t bytes) {
  const size_t size = class_bytes(bytes);
  KVORUM_CHECK(used_bytes_ >= size);
  used_bytes_ -= size;
  if (size > kSmallBytesMax) {
    std::free(block);
    return;
  }
  PageList& list = lists_[size / kStepBytes - 1];
  Page* page = Page::of(block);
  KVORUM_CHECK(page->used > 0);
  if (page->full(size)) link(list, page);
  spare_bytes_ += size;
  *static_cast<void**>(block) = page->free_block;
  page->free_block = block;
  if (--page->used > 0) return;
  unlink(list, page);
  spare_bytes_ -= kPageBytes;
  source_->give_back(page);
}

EntryPool::Page* EntryPool::add_page(size_t size) {
  Page* page = new (source_->take()) Page;
  spare_bytes_ += kPageBytes;
  link(lists_[size / kStepBytes - 1], page);
  return page;
}

void EntryPool::link(PageList& list, Page* page) {
  KVORUM_CHECK(page->next == nullptr && page->previous == nullptr && page != list.first);
  page->previous = nullptr;
  page->next = list.first;
  if (list.first != nullptr) list.first->previous = page;
  list.first = page;
}

void EntryPool::unlink(PageList& list, Page* page) {
  KVORUM_CHECK(page->previous != nullptr || list.first == page);  // it stands in the list
  (page->previous != nullptr ? page->previous->next : list.first) = page->next;
  if (page->next != nullptr) page->next->previous = page->previous;
  page->next = page->previous = nullptr;
}

}  // namespace kvorum::engine

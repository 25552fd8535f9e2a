// SPDX-License-Identifier: Apache-2.0
#include "base/large_memory.h"

#include <new>

namespace kvorum {
namespace {

size_t whole_pages(size_t bytes) {
  constexpr size_t kPage = 4096;
  return (bytes + kPage - 1) & ~(kPage - 1);
}

char* checked(void* memory, size_t bytes) {
  if (memory == MAP_FAILED) throw std::bad_alloc();
  wish_large_pages(memory, bytes);
  return static_cast<char*>(memory);
}

}  // namespace

MappedMemory::MappedMemory(size_t bytes) : size_(whole_pages(bytes)) {
  constexpr int kKind = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  memory_ = checked(::mmap(nullptr, size_, PROT_READ | PROT_WRITE, kKind, -1, 0), size_);
}

MappedMemory::~MappedMemory() {
  if (memory_ != nullptr) ::munmap(memory_, size_);
}

void MappedMemory::resize(size_t bytes) {
  const size_t wanted = whole_pages(bytes);
  memory_ = checked(::mremap(memory_, size_, wanted, MREMAP_MAYMOVE), wanted);
  size_ = wanted;
}

}  // namespace kvorum

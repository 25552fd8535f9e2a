// SPDX-License-Identifier: Apache-2.0
#include "cluster/version/author_table.h"

#include "base/atomic_raise.h"
#include "base/check.h"

namespace kvorum::cluster {

bool AuthorTable::find(uint64_t node, uint64_t incarnation, uint32_t size, Index* index) const {
  KVORUM_CHECK(size <= kAuthorsMax);  // so that each candidate is an Index
  const auto matches = [&](uint32_t candidate) {
    const Author& author = at(static_cast<Index>(candidate));
    return author.node == node && author.incarnation == incarnation;
  };
  const uint32_t guess = last_found_.load(std::memory_order_relaxed);
  if (guess < size && matches(guess)) {
    *index = static_cast<Index>(guess);
    return true;
  }
  // Newest first: old incarnations pile up at the front.
  for (uint32_t candidate = size; candidate-- > 0;) {
    if (matches(candidate)) {
      last_found_.store(candidate, std::memory_order_relaxed);
      *index = static_cast<Index>(candidate);
      return true;
    }
  }
  return false;
}

bool AuthorTable::intern(uint64_t node, uint64_t incarnation, Index* index) {
  if (find(node, incarnation, size(), index)) return true;
  const SpinLockGuard guard(lock_);
  const uint32_t size = size_.load(std::memory_order_relaxed);
  if (find(node, incarnation, size, index)) return true;
  if (size >= kAuthorsMax) return false;
  auto& chunk = chunks_[size >> kChunkBits];
  if (!chunk.load(std::memory_order_relaxed)) {
    KVORUM_CHECK(owned_.size() == size >> kChunkBits);  // they are filled one after the other
    owned_.push_back(std::make_unique<Chunk>());
    chunk.store(owned_.back().get(), std::memory_order_release);
  }
  Author& author = (*chunk.load(std::memory_order_relaxed))[size & (kChunkSize - 1)];
  author.node = node;
  author.incarnation = incarnation;
  size_.store(size + 1, std::memory_order_release);
  *index = static_cast<Index>(size);
  return true;
}

void AuthorTable::saw(Index index, Hlc hlc) {
  KVORUM_CHECK(index < size());
  Chunk& chunk = *chunks_[index >> kChunkBits].load(std::memory_order_acquire);
  raise_to(chunk[index & (kChunkSize - 1)].highest_hlc, hlc.value);
}

}  // namespace kvorum::cluster

// SPDX-License-Identifier: Apache-2.0
// Interned (node, incarnation) pairs of one process, so that a stored version names its author in
// two bytes. Shared by all reactors: look-ups take no lock, an author once interned keeps its index
// and its address. Also remembers the highest HLC seen of each author, which a flush mark and the
// start of a run's clock need.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/check.h"
#include "base/spin_lock.h"
#include "base/time.h"

namespace kvorum::cluster {

struct Author {
  uint64_t node = 0;
  uint64_t incarnation = 0;
  std::atomic<uint64_t> highest_hlc{0};
};

class AuthorTable {
 public:
  using Index = uint16_t;
  static constexpr uint32_t kAuthorsMax = 65535;

  // Nothing is ever removed; past kAuthorsMax the node refuses what it cannot name (false).
  bool intern(uint64_t node, uint64_t incarnation, Index* index);
  const Author& at(Index index) const {
    KVORUM_CHECK(index < size());
    return (
        *chunks_[index >> kChunkBits].load(std::memory_order_acquire))[index & (kChunkSize - 1)];
  }
  void saw(Index index, Hlc hlc);
  uint32_t size() const { return size_.load(std::memory_order_acquire); }

 private:
  static constexpr int kChunkBits = 8;
  static constexpr uint32_t kChunkSize = 1u << kChunkBits;
  using Chunk = std::array<Author, kChunkSize>;

  bool find(uint64_t node, uint64_t incarnation, uint32_t size, Index* index) const;

  std::array<std::atomic<Chunk*>, 256> chunks_{};
  std::atomic<uint32_t> size_{0};
  mutable std::atomic<uint32_t> last_found_{0};
  SpinLock lock_;  // of additions
  std::vector<std::unique_ptr<Chunk>> owned_ KVORUM_GUARDED_BY(lock_);
};

}  // namespace kvorum::cluster

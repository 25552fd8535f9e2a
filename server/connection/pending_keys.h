// SPDX-License-Identifier: Apache-2.0
// Which keys a connection's unanswered operations touch. Operations of a pipeline run side by side,
// but a client may rely on its own order for one key: a read waits for the write before it, and the
// other way round. Plain writes of one key follow each other without waiting, since they take the
// same way in order. Keys are told apart by their ring position. Owned by a connection; the
// reactor's thread only. A small open-addressing table, empty until an operation stays open.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace kvorum::server {

enum class KeyUse : uint8_t {
  kRead,
  kBlindWrite,  // replaces the value whatever it was
  kEdit,        // depends on the value before it
};

class PendingKeys {
 public:
  // An operation that uses the key so must wait for one that is under way.
  bool must_wait(uint64_t place, KeyUse use) const;
  void add(uint64_t place, KeyUse use);
  // One that was added.
  void remove(uint64_t place, KeyUse use);
  size_t size() const { return size_; }

 private:
  static constexpr size_t kSlotsFirst = 32;
  static constexpr size_t kSlotsKept = 16384;  // more than these are given back when all is done

  struct Slot {
    uint64_t place = 0;
    uint32_t uses[3] = {0, 0, 0};  // by KeyUse; all zero: free
    bool is_free() const { return (uses[0] | uses[1] | uses[2]) == 0; }
  };
  size_t home_of(uint64_t place) const {
    return static_cast<size_t>(place * 0x9e3779b97f4a7c15ULL >> 32) & (slots_.size() - 1);
  }
  size_t find(uint64_t place) const;
  void grow();
  void close_gap(size_t gap);

  std::vector<Slot> slots_;  // a power of two, at most half of them used
  size_t used_ = 0;
  size_t size_ = 0;
};

}  // namespace kvorum::server

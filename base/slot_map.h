// SPDX-License-Identifier: Apache-2.0
// A pool of reusable objects with generation-tagged ids: an id that was released never finds a
// later tenant of its slot, so a late reply or a stale timer is recognised by its id alone.
// Objects keep their address and, when released, their memory (buffers inside keep capacity).
// Not thread-safe: one pool belongs to one machine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/check.h"

namespace kvorum {

// 0 is never a valid id.
using SlotId = uint64_t;

template <class T>
class SlotMap {
 public:
  // The object is as its last tenant left it: the caller resets it.
  T& acquire(SlotId* id) {
    uint32_t index;
    if (free_.empty()) {
      index = slots_++;
      if (index % kChunkSlots == 0) chunks_.push_back(std::make_unique<Slot[]>(kChunkSlots));
    } else {
      index = free_.back();
      free_.pop_back();
    }
    Slot& slot = slot_at(index);
    slot.used = true;
    ++used_;
    *id = (static_cast<uint64_t>(slot.generation) << 32) | index;
    return slot.value;
  }

  T* find(SlotId id) {
    const uint32_t index = static_cast<uint32_t>(id);
    if (index >= slots_) return nullptr;
    Slot& slot = slot_at(index);
    return slot.used && slot.generation == static_cast<uint32_t>(id >> 32) ? &slot.value : nullptr;
  }

  void release(SlotId id) {
    KVORUM_CHECK(find(id) != nullptr);
    Slot& slot = slot_at(static_cast<uint32_t>(id));
    slot.used = false;
    if (++slot.generation == 0) slot.generation = 1;
    free_.push_back(static_cast<uint32_t>(id));
    --used_;
  }

  size_t used() const { return used_; }

  // Calls fn(id, object) for each object in use, in slot order. fn may release that object.
  template <class Fn>
  void for_each(Fn fn) {
    for (uint32_t index = 0; index < slots_; ++index) {
      Slot& slot = slot_at(index);
      if (slot.used) fn((static_cast<uint64_t>(slot.generation) << 32) | index, slot.value);
    }
  }

 private:
  struct Slot {
    T value;
    uint32_t generation = 1;
    bool used = false;
  };
  static constexpr uint32_t kChunkSlots = 64;
  Slot& slot_at(uint32_t index) { return chunks_[index / kChunkSlots][index % kChunkSlots]; }

  std::vector<std::unique_ptr<Slot[]>> chunks_;
  uint32_t slots_ = 0;  // that had a tenant
  std::vector<uint32_t> free_;
  size_t used_ = 0;
};

}  // namespace kvorum

// SPDX-License-Identifier: Apache-2.0
// A pool of reusable objects with generation-tagged ids: an id that was released never finds a
// later tenant of its slot, so a late reply or a stale timer is recognised by its id alone.
// Objects keep their address and, when released, their memory (buffers inside keep capacity).
// Not thread-safe: one pool belongs to one machine.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
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
      index = static_cast<uint32_t>(slots_.size());
      slots_.emplace_back();
    } else {
      index = free_.back();
      free_.pop_back();
    }
    Slot& slot = slots_[index];
    slot.used = true;
    ++used_;
    *id = (static_cast<uint64_t>(slot.generation) << 32) | index;
    return slot.value;
  }

  T* find(SlotId id) {
    const uint32_t index = static_cast<uint32_t>(id);
    if (index >= slots_.size()) return nullptr;
    Slot& slot = slots_[index];
    return slot.used && slot.generation == static_cast<uint32_t>(id >> 32) ? &slot.value : nullptr;
  }

  void release(SlotId id) {
    KVORUM_CHECK(find(id) != nullptr);
    Slot& slot = slots_[static_cast<uint32_t>(id)];
    slot.used = false;
    if (++slot.generation == 0) slot.generation = 1;
    free_.push_back(static_cast<uint32_t>(id));
    --used_;
  }

  size_t used() const { return used_; }

  // Calls fn(id, object) for each object in use, in slot order. fn may release that object.
  template <class Fn>
  void for_each(Fn fn) {
    for (uint32_t index = 0; index < slots_.size(); ++index) {
      Slot& slot = slots_[index];
      if (slot.used) fn((static_cast<uint64_t>(slot.generation) << 32) | index, slot.value);
    }
  }

 private:
  struct Slot {
    T value;
    uint32_t generation = 1;
    bool used = false;
  };
  std::deque<Slot> slots_;
  std::vector<uint32_t> free_;
  size_t used_ = 0;
};

}  // namespace kvorum

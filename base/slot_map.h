// SPDX-License-Identifier: Apache-2.0
// A pool of reusable objects with generation-tagged ids: an id that was released never finds a
// later tenant of its slot, so a late reply or a stale timer is recognised by its id alone.
// Objects keep their address and, when released, their memory (buffers inside keep capacity).
// A pool has a tag, which each of its ids carries: ids of several pools can share one space. Pools
// of one tag, those of several threads, have each a part of the indices: an id tells whose it is.
// Not thread-safe: one pool belongs to one machine.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/check.h"

namespace kvorum {

// Generation (32 bits), the pool's tag (4), index (28), whose highest bits are the number of the
// pool's part, as many as that takes. 0 is never a valid id.
using SlotId = uint64_t;
inline constexpr int kSlotTagShift = 28;
inline constexpr uint8_t kSlotTags = 16;
constexpr uint8_t slot_tag(SlotId id) { return (id >> kSlotTagShift) & (kSlotTags - 1); }

struct SlotPart {
  uint32_t number = 0, of = 1;
};
// Of the index, behind the number of one of so many parts.
constexpr int slot_index_bits(uint32_t parts) { return kSlotTagShift - std::bit_width(parts - 1); }
// The number of the part; not below `parts` in ids that no pool gave.
constexpr uint32_t slot_part(SlotId id, uint32_t parts) {
  constexpr uint32_t kIndexMask = (uint32_t{1} << kSlotTagShift) - 1;
  return (static_cast<uint32_t>(id) & kIndexMask) >> slot_index_bits(parts);
}

template <class T>
class SlotMap {
 public:
  // `tag` is below kSlotTags.
  explicit SlotMap(uint8_t tag = 0, SlotPart part = {})
      : tag_bits_((uint32_t{tag} << kSlotTagShift) | (part.number << slot_index_bits(part.of))),
        slots_max_(uint32_t{1} << slot_index_bits(part.of)) {
    KVORUM_CHECK(tag < kSlotTags && part.number < part.of);
  }

  // The object is as its last tenant left it: the caller resets it.
  T& acquire(SlotId* id) {
    uint32_t index;
    if (free_.empty()) {
      KVORUM_CHECK(slots_ < slots_max_);
      index = slots_++;
      if (index % kChunkSlots == 0) chunks_.push_back(std::make_unique<Slot[]>(kChunkSlots));
    } else {
      index = free_.back();
      free_.pop_back();
    }
    Slot& slot = slot_at(index);
    slot.used = true;
    ++used_;
    *id = id_of(slot, index);
    return slot.value;
  }

  T* find(SlotId id) {
    Slot* const slot = slot_of(id);
    return slot != nullptr ? &slot->value : nullptr;
  }

  void release(SlotId id) {
    Slot* const slot = slot_of(id);
    KVORUM_CHECK(slot != nullptr);
    slot->used = false;
    if (++slot->generation == 0) slot->generation = 1;
    free_.push_back(index_of(id));
    --used_;
  }

  // Another id for the same object: the one before finds nothing any more.
  SlotId renew(SlotId id) {
    Slot* const slot = slot_of(id);
    KVORUM_CHECK(slot != nullptr);
    if (++slot->generation == 0) slot->generation = 1;
    return id_of(*slot, index_of(id));
  }

  // Calls fn(object) of the id's slot, whoever has it now, for its addresses alone
  // (base/prefetch.h); not where there is no such slot.
  template <class Fn>
  void peek(SlotId id, Fn fn) const {
    if (index_of(id) < slots_) fn(slot_at(index_of(id)).value);
  }
  // The same of the object that acquire() gives next, where it had a tenant before.
  template <class Fn>
  void peek_next(Fn fn) const {
    if (!free_.empty()) fn(slot_at(free_.back()).value);
  }

  size_t used() const { return used_; }

  // Calls fn(id, object) for each object in use, in slot order. fn may release that object.
  template <class Fn>
  void for_each(Fn fn) {
    for (uint32_t index = 0; index < slots_; ++index) {
      Slot& slot = slot_at(index);
      if (slot.used) fn(id_of(slot, index), slot.value);
    }
  }

 private:
  struct Slot {
    uint32_t generation = 1;  // before the object: in the line that its first members stand in
    bool used = false;
    T value;
  };
  static constexpr uint32_t kChunkSlots = 64;

  SlotId id_of(const Slot& slot, uint32_t index) const {
    return (static_cast<uint64_t>(slot.generation) << 32) | tag_bits_ | index;
  }
  // Not below slots_ where the id is of another pool, or part.
  uint32_t index_of(SlotId id) const { return static_cast<uint32_t>(id) ^ tag_bits_; }
  // Null where the id has ended, or is of another pool.
  Slot* slot_of(SlotId id) {
    const uint32_t index = index_of(id);
    if (index >= slots_) return nullptr;
    Slot& slot = slot_at(index);
    return slot.used && slot.generation == static_cast<uint32_t>(id >> 32) ? &slot : nullptr;
  }
  const Slot& slot_at(uint32_t index) const {
    return chunks_[index / kChunkSlots][index % kChunkSlots];
  }
  Slot& slot_at(uint32_t index) { return chunks_[index / kChunkSlots][index % kChunkSlots]; }

  std::vector<std::unique_ptr<Slot[]>> chunks_;
  const uint32_t tag_bits_;   // and the part's
  const uint32_t slots_max_;  // of the part
  uint32_t slots_ = 0;        // that had a tenant
  std::vector<uint32_t> free_;
  size_t used_ = 0;
};

}  // namespace kvorum

// SPDX-License-Identifier: Apache-2.0
#include "server/connection/pending_keys.h"

#include "base/check.h"

namespace kvorum::server {

// Where the place stands, or the free slot where it would.
size_t PendingKeys::find(uint64_t place) const {
  size_t at = home_of(place);
  while (!slots_[at].is_free() && slots_[at].place != place) at = (at + 1) & (slots_.size() - 1);
  return at;
}

bool PendingKeys::must_wait(uint64_t place, KeyUse use) const {
  if (size_ == 0) return false;
  const auto& [found, uses] = slots_[find(place)];
  const uint32_t reads = uses[static_cast<size_t>(KeyUse::kRead)];
  const uint32_t blind_writes = uses[static_cast<size_t>(KeyUse::kBlindWrite)];
  const uint32_t edits = uses[static_cast<size_t>(KeyUse::kEdit)];
  switch (use) {
    case KeyUse::kRead:
      return blind_writes + edits > 0;
    case KeyUse::kBlindWrite:
      return reads + edits > 0;
    case KeyUse::kEdit:
      break;
  }
  return reads + blind_writes + edits > 0;
}

void PendingKeys::add(uint64_t place, KeyUse use) {
  if (used_ * 2 >= slots_.size()) grow();
  Slot& slot = slots_[find(place)];
  if (slot.is_free()) {
    slot.place = place;
    ++used_;
  }
  ++slot.uses[static_cast<size_t>(use)];
  ++size_;
}

void PendingKeys::remove(uint64_t place, KeyUse use) {
  const size_t at = find(place);
  uint32_t& uses = slots_[at].uses[static_cast<size_t>(use)];
  KVORUM_CHECK(uses > 0);
  --uses;
  --size_;
  if (!slots_[at].is_free()) return;
  --used_;
  close_gap(at);
  if (used_ == 0 && slots_.size() > kSlotsKept) slots_ = std::vector<Slot>();
}

// Moves back what stands behind the gap only because the gap was taken.
void PendingKeys::close_gap(size_t gap) {
  const size_t mask = slots_.size() - 1;
  for (size_t at = (gap + 1) & mask; !slots_[at].is_free(); at = (at + 1) & mask) {
    const size_t wanted_distance = (at - home_of(slots_[at].place)) & mask;
    if (wanted_distance < ((at - gap) & mask)) continue;
    slots_[gap] = slots_[at];
    slots_[at] = Slot();
    gap = at;
  }
}

void PendingKeys::grow() {
  std::vector<Slot> old(slots_.empty() ? kSlotsFirst : slots_.size() * 2);
  slots_.swap(old);
  for (const Slot& slot : old) {
    if (!slot.is_free()) slots_[find(slot.place)] = slot;
  }
}

}  // namespace kvorum::server

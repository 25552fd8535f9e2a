// SPDX-License-Identifier: Apache-2.0
// Which coordinator of a node asked: an answer echoes the operation of the question, and an
// operation tells it. So several coordinators may ask on one link. Other nodes echo operations
// without knowing what is in them. Pure.
#pragma once

#include <cstdint>
#include <optional>

#include "base/slot_map.h"
#include "cluster/wire/frame.h"

namespace kvorum::cluster {

// Of a kProbe: when it was asked, and by which coordinator.
constexpr SlotId probe_operation(uint64_t asked_us, SlotPart coordinator) {
  return asked_us * coordinator.of + coordinator.number;
}
constexpr uint64_t probe_asked_us(SlotId operation, SlotPart coordinator) {
  return operation / coordinator.of;
}

// Which of so many coordinators the frame, or what it answers, came from; none where any of them
// may take it: what nodes tell each other answers no operation.
constexpr std::optional<uint32_t> asker_of(const FrameHead& head, uint32_t coordinators) {
  if (head.operation == 0) return std::nullopt;
  if (head.type == MessageType::kProbeReply) {
    return static_cast<uint32_t>(head.operation % coordinators);
  }
  // Exchanges are begun by the coordinator that has the control, the first.
  if (head.type >= MessageType::kExchangeOpen && head.type < MessageType::kGossip) {
    return 0;
  }
  const uint32_t number = slot_part(head.operation, coordinators);
  if (number >= coordinators) return std::nullopt;  // nobody's: whoever takes it drops it
  return number;
}

}  // namespace kvorum::cluster

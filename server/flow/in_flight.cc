// SPDX-License-Identifier: Apache-2.0
#include "server/flow/in_flight.h"

namespace kvorum::server {

void ClientMemory::add(const ClientMemory& other) {
  held_bytes += other.held_bytes;
  largest_input = std::max(largest_input, other.largest_input);
  largest_output = std::max(largest_output, other.largest_output);
  output_closed += other.output_closed;
  idle_closed += other.idle_closed;
  largest.insert(largest.end(), other.largest.begin(), other.largest.end());
  std::sort(largest.begin(), largest.end(),
            [](const Holder& a, const Holder& b) { return a.bytes > b.bytes; });
  if (largest.size() > kLargestMax) largest.resize(kLargestMax);
}

InFlightStatus status_of(const InFlight& node) {
  InFlightStatus status;
  status.used = node.used();
  status.limit = node.limit();
  for (size_t kind = 0; kind < kHeldKinds; ++kind) {
    status.by_kind[kind] = node.used(static_cast<HeldFor>(kind));
  }
  status.client_part = InFlightShare::part_max(node.limit());
  return status;
}

}  // namespace kvorum::server

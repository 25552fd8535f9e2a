// SPDX-License-Identifier: Apache-2.0
// File descriptors are shared by clients, peers, the admin address and the store, and whoever opens
// one too many takes it from the others: without descriptors the store cannot open its files and
// refuses everybody's writes. So the limit of the process is divided up at the start. Pure but for
// descriptor_limit() and raise_descriptor_limit().
#pragma once

#include <cstdint>

#include "base/status.h"

namespace kvorum::server {

struct DescriptorNeeds {
  bool durable = true;  // LevelDB, for objects and hints
  uint32_t reactors = 1;
  uint64_t links = 0;      // that the node dials; as many come from the other members
  uint64_t listeners = 4;  // sockets that listen
  uint32_t clients = 10000;
};

struct DescriptorPlan {
  uint32_t clients = 0;    // the most that there may be; limits.clients where all fits
  uint32_t admin = 0;      // connections of the admin address
  uint32_t strangers = 0;  // connections to a reactor's peer port that did not prove themselves yet
  uint64_t reserved = 0;   // for all but the clients
};

// The error says how many the node needs at least.
Result<DescriptorPlan> plan_descriptors(uint64_t limit, const DescriptorNeeds& needs);

// Of this process; a very large number where there is none.
uint64_t descriptor_limit();
// The soft limit becomes the hard one, as other servers do it.
void raise_descriptor_limit();

}  // namespace kvorum::server

// SPDX-License-Identifier: Apache-2.0
#include "server/dispatch/reactor_facts.h"

#include "server/config/config_kinds.h"

namespace kvorum::server {

bool ReactorFacts::can_evict_by(std::string_view policy) const {
  const auto* const known = find_eviction(policy);
  return known != nullptr &&
         (known->value == engine::EvictionPolicy::kNone || from_.parts.table->may_evict());
}

}  // namespace kvorum::server

// SPDX-License-Identifier: Apache-2.0
#include "server/dispatch/reactor_facts.h"

#include "cluster/version/object_codec.h"
#include "server/config/config_kinds.h"

namespace kvorum::server {

bool ReactorFacts::can_evict_by(std::string_view policy) const {
  const auto* const known = find_eviction(policy);
  return known != nullptr &&
         (known->value == engine::EvictionPolicy::kNone || from_.parts.table->may_evict());
}

bool ReactorFacts::is_full_for(uint8_t keyspace, std::string_view key) const {
  if (!is_full()) [[likely]]
    return false;
  const cluster::ClusterView& known = view();
  const uint32_t partition = known.ring.partition_of(position_of(key, known.partitioner));
  return known.is_member() && known.is_owner(known.self, keyspace, partition);
}

void ReactorFacts::show_own_copy(uint8_t keyspace, std::string_view key,
                                 FunctionRef<void(const cluster::Object&)> fn) const {
  const KeyRef place{key, position_of(key, view().partitioner), keyspace};
  from_.parts.table->read(place, [&](engine::RecordView bytes) {
    cluster::Record record;
    decode_record(bytes, *from_.parts.authors, record);
    fn(record.object);
  });
}

}  // namespace kvorum::server

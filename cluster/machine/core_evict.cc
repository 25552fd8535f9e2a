// SPDX-License-Identifier: Apache-2.0
// Eviction: a live value is forgotten without a tombstone. It may be, as a tombstone may, once it
// lies below the frontier of its copy: every other primary has it or something newer, so what is
// older can only come from where it is dead (object.h, drop_dead()).
#include "cluster/machine/core.h"
#include "cluster/version/planted_bug.h"

namespace kvorum::cluster {
namespace {

bool has_value(const Object& object) {
  for (const Version& version : object.versions) {
    if (version.type != TypeTag::kTombstone) return true;
  }
  return false;
}

}  // namespace

void Core::make_room() {
  const bool alone = view->members.size() == 1;
  parts.table->evict([&](const KeyRef& key, engine::RecordView bytes) {
    engine::RecordChange change;
    decode_record(bytes, *parts.authors, evicted);
    const Hlc frontier = frontier_of(key);
    const bool safe = alone || evictable(evicted.object, frontier);
    if (!safe && !planted(PlantedBug::kEvictAny)) return change;
    change.action = engine::RecordChange::Action::kErase;
    change.digest_change = leaf_digest(key, evicted.object, parts.digest_seed);
    ++(has_value(evicted.object) ? counters.evicted_keys : counters.tombstones_reaped);
    if (!alone) tell_evicted(key, frontier);
    return change;
  });
}

// As a repair of this copy would, which has nothing of the key now. It need not arrive: exchanges
// and reads do the same. But replicas that evict different keys would differ in many, and what
// differs keeps the frontier back.
void Core::tell_evicted(const KeyRef& entry, Hlc frontier) {
  const KeyRef key{entry.key, position_of(entry.key, view->partitioner), entry.keyspace};
  std::string nothing;
  encode_object(Object{}, nothing);
  const ReplicaWrite message{.key = key, .repair = true, .frontier = frontier, .object = nothing};
  for (const MemberIndex member : primaries(key)) {
    if (member == self() || !health.linked(member)) continue;
    put_replica_write(outbox.frames(member), 0, message);  // nothing waits for the answer
  }
}

}  // namespace kvorum::cluster

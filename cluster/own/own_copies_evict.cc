// SPDX-License-Identifier: Apache-2.0
// Eviction: a live value is forgotten without a tombstone. It may be, as a tombstone may, once it
// lies below the frontier of its copy: every other primary has it or something newer, so what is
// older can only come from where it is dead (object.h, drop_dead()).
#include "base/planted_bug.h"
#include "cluster/own/own_copies.h"
#include "cluster/wire/replica_messages.h"

namespace kvorum::cluster {
void OwnCopies::make_room() {
  const bool alone = view_->members.size() == 1;
  node_.table->evict([&](const KeyRef& key, engine::RecordView bytes) {
    engine::RecordChange change;
    decode_record(bytes, *node_.authors, evicted_);
    const Hlc frontier = frontier_of(key);
    const bool safe = alone || evictable(evicted_.object, frontier);
    if (!safe && !planted(PlantedBug::kEvictAny)) return change;
    change.action = engine::RecordChange::Action::kErase;
    change.digest_change = leaf_digest(key, evicted_.object, node_.digest_seed);
    ++(has_value(evicted_.object) ? counters_.evicted_keys : counters_.tombstones_reaped);
    if (node_.tells_changes()) outbox_.changed.note(key.key, 0);
    if (!alone) tell_evicted(key, frontier);
    if (tells_evicted_) [[unlikely]]
      note_evicted(key);
    return change;
  });
}

// The record is in evicted_.
void OwnCopies::note_evicted(const KeyRef& entry) {
  if (!has_value(evicted_.object) || evicted_keys_.size() >= kEvictedToldMax) return;
  EvictedKey told{.key = std::string(entry.key), .keyspace = entry.keyspace};
  for (const Version& version : evicted_.object.versions) {
    const uint64_t written_ms = version.dot.hlc.ms();
    if (written_ms < told.written_ms) continue;
    told.bytes = version.bytes.size();
    told.deadline_ms = version.deadline_ms;
    told.written_ms = written_ms;
  }
  evicted_keys_.push_back(std::move(told));
}

// As a repair of this copy would, which has nothing of the key now. It need not arrive: exchanges
// and reads do the same. But replicas that evict different keys would differ in many, and what
// differs keeps the frontier back.
void OwnCopies::tell_evicted(const KeyRef& entry, Hlc frontier) {
  const KeyRef key{entry.key, position_of(entry.key, view_->partitioner), entry.keyspace};
  std::string nothing;
  encode_object(Object{}, nothing);
  const ReplicaWrite message{.key = key, .repair = true, .frontier = frontier, .object = nothing};
  for (const MemberIndex member : view_->owners(key.keyspace, partition_for(key))) {
    if (member == view_->self || !health_.linked(member)) continue;
    put_replica_write(outbox_.frames(member), 0, message);  // nothing waits for the answer
  }
}

}  // namespace kvorum::cluster

// SPDX-License-Identifier: Apache-2.0
// The planted bug of the many stores that drop a tombstone after a grace period.
#define KVORUM_PLANTED_BUGS
#include <algorithm>

#include "base/planted_bug.h"
#include "cluster/machine/core.h"

namespace kvorum::cluster {
namespace {

constexpr uint64_t kGraceMs = 1000;

bool is_old_tombstone(const Object& object, uint64_t now_ms) {
  return !object.versions.empty() &&
         std::all_of(object.versions.begin(), object.versions.end(), [&](const Version& version) {
           return version.type == TypeTag::kTombstone && version.dot.hlc.ms() + kGraceMs < now_ms;
         });
}

}  // namespace

void reap_by_timer(Core& core, Now now) {
  const uint64_t now_ms = core.clock_ms(now);
  const auto change_of = [&](const KeyRef& key, engine::RecordView bytes) {
    engine::RecordChange change;
    Record record;
    decode_record(bytes, *core.parts.authors, record);
    if (!is_old_tombstone(record.object, now_ms)) return change;
    change.action = engine::RecordChange::Action::kErase;
    change.digest_change = leaf_digest(key, record.object, core.parts.digest_seed);
    return change;
  };
  const uint32_t partitions = 1u << core.parts.table->partition_bits();
  for (uint8_t keyspace = 0; keyspace < kKeyspacesMax; ++keyspace) {
    for (uint32_t partition = 0; partition < partitions; ++partition) {
      if (core.parts.table->record_count(keyspace, partition) == 0) continue;
      core.parts.table->sweep(keyspace, partition, change_of);
    }
  }
}

}  // namespace kvorum::cluster

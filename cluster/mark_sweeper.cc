// SPDX-License-Identifier: Apache-2.0
#include "cluster/mark_sweeper.h"

namespace kvorum::cluster {

void MarkSweeper::look() {
  for (uint8_t keyspace = 0; keyspace < kKeyspacesMax; ++keyspace) {
    const auto claimed = core_.parts.marks->claim_sweep(keyspace);
    if (claimed) sweeps_.push_back({keyspace, *claimed, 0});
  }
}

bool MarkSweeper::sweep() {
  uint64_t records = 0;
  const uint32_t partitions = 1u << core_.parts.table->partition_bits();
  while (!sweeps_.empty() && records < kRecordsPerTurn) {
    Sweep& current = sweeps_.front();
    if (current.partition == partitions) {
      core_.parts.marks->finish_sweep(current.keyspace, current.claimed);
      sweeps_.pop_front();
      continue;
    }
    records += 1 + core_.parts.table->record_count(current.keyspace, current.partition);
    core_.parts.table->sweep(
        current.keyspace, current.partition,
        [this](const KeyRef& key, std::string_view bytes) { return change_of(key, bytes); });
    ++current.partition;
  }
  return active();
}

engine::RecordChange MarkSweeper::change_of(const KeyRef& key, std::string_view bytes) {
  engine::RecordChange change;
  decode_record(bytes, *core_.parts.authors, record_);
  Object& object = record_.object;
  const uint64_t before = leaf_digest(key, object, core_.parts.digest_seed);
  if (!core_.parts.marks->apply(key.keyspace, object)) return change;
  change.frees = true;
  if (object.empty()) {
    change.action = engine::RecordChange::Action::kErase;
    change.digest_change = before;
  } else if (encode_record(record_, *core_.parts.authors, head_, &change.body)) {
    change.action = engine::RecordChange::Action::kStore;
    change.head = head_;
    change.digest_change = before ^ leaf_digest(key, object, core_.parts.digest_seed);
    describe_record(object, &change);
  }
  return change;
}

}  // namespace kvorum::cluster

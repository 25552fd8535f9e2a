// SPDX-License-Identifier: Apache-2.0
#include "cluster/own/marked_record.h"

namespace kvorum::cluster {

engine::RecordChange MarkedRecord::change_of(const KeyRef& key, engine::RecordView bytes) {
  engine::RecordChange change;
  decode_record(bytes, *parts_.authors, record_);
  Object& object = record_.object;
  const uint64_t before = leaf_digest(key, object, parts_.digest_seed);
  if (!parts_.marks->apply(key.keyspace, object)) return change;
  change.frees = true;
  if (object.empty()) {
    change.action = engine::RecordChange::Action::kErase;
    change.digest_change = before;
  } else if (encode_record(record_, *parts_.authors, head_, &change)) {
    change.action = engine::RecordChange::Action::kStore;
    change.head = head_;
    change.digest_change = before ^ leaf_digest(key, object, parts_.digest_seed);
    describe_record(object, &change);
  }
  return change;
}

engine::RecordChange DroppedRecord::change_of(const KeyRef& key, engine::RecordView bytes) {
  engine::RecordChange change;
  decode_record(bytes, *parts_.authors, record_);
  change.action = engine::RecordChange::Action::kErase;
  change.frees = true;
  change.digest_change = leaf_digest(key, record_.object, parts_.digest_seed);
  return change;
}

}  // namespace kvorum::cluster

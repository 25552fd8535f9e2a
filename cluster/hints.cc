// SPDX-License-Identifier: Apache-2.0
#include "cluster/hints.h"

#include "base/bytes.h"
#include "cluster/planted_bug.h"

namespace kvorum::cluster {
namespace {

constexpr size_t kPrefixBytes = 9;

std::string table_key(const HintKey& hint) {
  std::string bytes;
  bytes.reserve(kPrefixBytes + hint.key.key.size());
  put_u64(bytes, hint.target);
  put_u8(bytes, hint.key.keyspace);
  bytes.append(hint.key.key);
  return bytes;
}

KeyRef table_ref(std::string_view name) { return KeyRef{name, position_of(name), 0}; }

HintKey parse_table_key(const KeyRef& stored, Partitioner partitioner) {
  ByteReader reader(stored.key);
  HintKey hint;
  hint.target = reader.u64();
  hint.key.keyspace = reader.u8();
  hint.key.key = reader.rest();
  hint.key.position = position_of(hint.key.key, partitioner);
  return hint;
}

}  // namespace

bool Hints::update(const HintKey& hint, FunctionRef<bool(Record& record)> fn) {
  const std::string name = table_key(hint);
  std::string head;
  const auto change_record = [&](std::string_view bytes) {
    Record record;
    decode_record(bytes, *authors_, record);
    engine::RecordChange change;
    if (!fn(record) || planted(PlantedBug::kDropHints)) return change;
    if (!encode_record(record, *authors_, head, &change.body)) return change;
    change.action = engine::RecordChange::Action::kStore;
    change.head = head;
    change.live = true;
    return change;
  };
  const engine::UpdateResult result = table_->update(table_ref(name), change_record);
  return result.access == engine::Access::kDone;
}

bool Hints::store(const HintKey& hint, const Object& object) {
  return update(hint, [&](Record& record) {
    record.object = merge(record.object, object);
    return true;
  });
}

void Hints::read(const HintKey& hint, FunctionRef<void(const Record& record)> fn) const {
  const std::string name = table_key(hint);
  table_->read(table_ref(name), [&](std::string_view bytes) {
    if (bytes.data() == nullptr) return;
    Record record;
    decode_record(bytes, *authors_, record);
    fn(record);
  });
}

void Hints::remove_delivered(const HintKey& hint, const VersionVector& delivered) {
  const std::string name = table_key(hint);
  table_->update(table_ref(name), [&](std::string_view bytes) {
    engine::RecordChange change;
    if (bytes.data() == nullptr) return change;
    Record record;
    decode_record(bytes, *authors_, record);
    if (delivered.covers_all(record.object.vector)) {
      change.action = engine::RecordChange::Action::kErase;
    }
    return change;
  });
}

void Hints::walk(uint32_t* partition, Position* from, size_t count_min,
                 FunctionRef<void(const HintKey& hint, const Object& object)> fn) const {
  size_t shown = 0;
  for (; *partition < partitions() && shown < count_min; ++*partition) {
    const auto show = [&](const engine::ScanItem& item) {
      ++shown;
      Record record;
      decode_record(item.record, *authors_, record);
      fn(parse_table_key(item.key, partitioner_), record.object);
    };
    const engine::ScanEnd end = table_->scan({0, *partition, *from, count_min - shown}, show);
    if (!end.done) {
      *from = end.next;
      return;
    }
    *from = {};
  }
}

uint64_t Hints::pending() const {
  uint64_t count = 0;
  for (uint32_t partition = 0; partition < partitions(); ++partition) {
    count += table_->record_count(0, partition);
  }
  return count;
}

}  // namespace kvorum::cluster

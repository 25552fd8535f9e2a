// SPDX-License-Identifier: Apache-2.0
// Records of the engine's tests: | live 1 | deadline 8 | value |, the same in memory and on disk,
// so the codec only reads the facts. The digest of a record is a hash of key and record.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/hash.h"
#include "engine/table/object_table.h"

namespace kvorum::engine::testing {

inline KeyRef key_ref(std::string_view key, uint8_t keyspace = 0,
                      Partitioner partitioner = Partitioner::kMd5) {
  return {key, position_of(key, partitioner), keyspace};
}

inline std::string record_head(bool live, uint64_t deadline_ms) {
  std::string head;
  put_u8(head, live ? 1 : 0);
  put_u64(head, deadline_ms);
  return head;
}
inline std::string make_record(std::string_view value, bool live = true, uint64_t deadline_ms = 0) {
  return record_head(live, deadline_ms).append(value);
}
inline std::string_view value_of(std::string_view record) { return record.substr(9); }

inline uint64_t digest_of(std::string_view key, std::string_view record) {
  return record.data() == nullptr ? 0 : hash_seeded(record, xxh64(key));
}

class TestCodec : public RecordCodec {
 public:
  uint64_t digest(const KeyRef& key, RecordView record) const override {
    return digest_of(key.key, record);
  }
  void to_portable(RecordView record, std::string& out) const override { out.append(record.bytes); }
  bool from_portable(const KeyRef& key, std::string_view portable, std::string& head,
                     RecordChange* facts) const override {
    ByteReader reader(portable);
    facts->live = reader.u8() != 0;
    facts->deadline_ms = reader.u64();
    facts->digest_change = digest_of(key.key, portable);
    if (!reader.ok()) return false;
    head.assign(portable.substr(0, 9));
    facts->body = reader.rest();
    return true;
  }
};

// Stores a whole record as a client of the table would.
inline UpdateResult put_record(ObjectTable& table, const KeyRef& key, const std::string& record,
                               uint64_t deadline_ms) {
  return table.update(key, [&](std::string_view old) {
    RecordChange change;
    change.action = RecordChange::Action::kStore;
    change.live = record[0] != 0;
    change.head = std::string_view(record).substr(0, 9);
    change.body = value_of(record);
    change.deadline_ms = deadline_ms;
    change.digest_change = digest_of(key.key, old) ^ digest_of(key.key, record);
    return change;
  });
}
inline UpdateResult put(ObjectTable& table, const KeyRef& key, std::string_view value) {
  return put_record(table, key, make_record(value), 0);
}
inline UpdateResult put_until(ObjectTable& table, const KeyRef& key, std::string_view value,
                              uint64_t deadline_ms) {
  return put_record(table, key, make_record(value, true, deadline_ms), deadline_ms);
}
inline UpdateResult put_tombstone(ObjectTable& table, const KeyRef& key) {
  return put_record(table, key, make_record("", false), 0);
}

inline UpdateResult erase(ObjectTable& table, const KeyRef& key) {
  return table.update(key, [&](std::string_view old) {
    RecordChange change;
    change.action = RecordChange::Action::kErase;
    change.frees = true;
    change.digest_change = digest_of(key.key, old);
    return change;
  });
}

// The value, or nothing; the access must be kDone.
inline std::optional<std::string> get(const ObjectTable& table, const KeyRef& key,
                                      Access* access = nullptr) {
  std::optional<std::string> value;
  const Access got = table.read(key, [&](std::string_view record) {
    if (record.data() != nullptr) value = value_of(record);
  });
  if (access != nullptr) *access = got;
  return value;
}

}  // namespace kvorum::engine::testing

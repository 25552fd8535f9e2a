// SPDX-License-Identifier: Apache-2.0
#include "cluster/copies/hints.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/check.h"
#include "base/planted_bug.h"

namespace kvorum::cluster {
namespace {

constexpr size_t kPrefixBytes = 9;
constexpr int kPartitionBits = 6;

// recover() takes no other.
std::string table_key(const HintKey& hint) {
  KVORUM_CHECK(hint.target != 0 && hint.key.keyspace < kKeyspacesMax);
  std::string bytes;
  bytes.reserve(kPrefixBytes + hint.key.key.size());
  put_u64(bytes, hint.target);
  put_u8(bytes, hint.key.keyspace);
  bytes.append(hint.key.key);
  return bytes;
}

KeyRef table_ref(std::string_view name) { return KeyRef{name, position_of(name), 0}; }

HintKey parse_table_key(std::string_view name, Partitioner partitioner) {
  ByteReader reader(name);
  HintKey hint;
  hint.target = reader.u64();
  hint.key.keyspace = reader.u8();
  hint.key.key = reader.rest();
  hint.key.position = position_of(hint.key.key, partitioner);
  return hint;
}

// What the ledger wants to know of a hint. One without versions is as old as what it removes.
HintLedger::Facts facts_of(const Object& object, size_t name_bytes, size_t record_bytes) {
  HintLedger::Facts facts;
  facts.bytes = name_bytes + record_bytes + HintLedger::kOverheadBytes;
  std::optional<Hlc> oldest;
  const auto look_at = [&](Hlc hlc) { oldest = oldest ? std::min(*oldest, hlc) : hlc; };
  for (const Version& version : object.versions) look_at(version.dot.hlc);
  for (const Version& version : object.outvoted) look_at(version.dot.hlc);
  if (object.versions.empty()) {
    for (const VectorEntry& entry : object.vector) look_at(entry.hlc);
  }
  facts.oldest = oldest.value_or(Hlc{});
  return facts;
}

}  // namespace

engine::TableOptions Hints::table_options(uint64_t hash_seed) {
  engine::TableOptions options;
  options.partition_bits = kPartitionBits;
  options.partitioner = Partitioner::kMd5;
  options.hash_seed = hash_seed;
  return options;
}

void Hints::recover() {
  KVORUM_CHECK(ledger_.count() == 0);
  for (uint32_t partition = 0; partition < 1u << table_->partition_bits(); ++partition) {
    const auto show = [&](const engine::ScanItem& item) {
      const std::string name(item.key.key);
      const HintKey hint = parse_table_key(name, options_.partitioner);
      // What no node of ours has written stays where it is.
      if (name.size() < kPrefixBytes || hint.target == 0) return;
      if (hint.key.keyspace >= kKeyspacesMax) return;
      Record record;
      decode_record(item.record, *authors_, record);
      const HintLedger::Facts facts = facts_of(record.object, name.size(), item.record.size());
      KVORUM_CHECK(ledger_.note({hint.target, name, nullptr, &facts, false}));  // it is here
    };
    table_->scan({0, partition, {}, SIZE_MAX}, show);
  }
}

engine::UpdateResult Hints::change(const HintKey& hint, FunctionRef<bool(Record& record)> fn,
                                   bool bounded) {
  const std::string name = table_key(hint);
  std::string head;
  bool refused = false;
  const auto change_record = [&](engine::RecordView bytes) {
    Record record;
    decode_record(bytes, *authors_, record);
    const HintLedger::Facts before = facts_of(record.object, name.size(), bytes.size());
    engine::RecordChange change;
    if (!fn(record) || planted(PlantedBug::kDropHints)) return change;
    refused = !encode_record(record, *authors_, head, &change);
    if (!refused) {
      const HintLedger::Facts after =
          facts_of(record.object, name.size(), head.size() + change.body.size());
      refused =
          !ledger_.note({hint.target, name, bytes.absent() ? nullptr : &before, &after, bounded});
    }
    if (refused) return engine::RecordChange{};
    change.action = engine::RecordChange::Action::kStore;
    change.head = head;
    change.live = true;
    change.oldest_changed = oldest_above(record.object, {});
    return change;
  };
  const engine::UpdateResult result = table_->update(table_ref(name), change_record);
  if (refused) return {engine::Access::kFull, 0};
  return result;
}

engine::UpdateResult Hints::update(const HintKey& hint, FunctionRef<bool(Record& record)> fn) {
  return change(hint, fn, true);
}

engine::UpdateResult Hints::store(const HintKey& hint, const Object& object) {
  const auto merge_in = [&](Record& record) {
    record.object = merge(record.object, object);
    return true;
  };
  return change(hint, merge_in, true);
}

engine::UpdateResult Hints::store_moved(const HintKey& hint, const Object& object) {
  const auto merge_in = [&](Record& record) {
    record.object = merge(record.object, object);
    return true;
  };
  return change(hint, merge_in, false);
}

void Hints::read(const HintKey& hint, FunctionRef<void(const Record& record)> fn) const {
  if (pending() == 0) return;
  const std::string name = table_key(hint);
  table_->read(table_ref(name), [&](engine::RecordView bytes) {
    if (bytes.absent()) return;
    Record record;
    decode_record(bytes, *authors_, record);
    fn(record);
  });
}

bool Hints::remove_delivered(const HintKey& hint, const VersionVector& delivered) {
  const std::string name = table_key(hint);
  bool gone = false;
  const engine::UpdateResult result =
      table_->update(table_ref(name), [&](engine::RecordView bytes) {
        engine::RecordChange change;
        gone = bytes.absent();
        if (gone) return change;
        Record record;
        decode_record(bytes, *authors_, record);
        if (!delivered.covers_all(record.object.vector)) return change;
        const HintLedger::Facts before = facts_of(record.object, name.size(), bytes.size());
        KVORUM_CHECK(ledger_.note({hint.target, name, &before, nullptr, false}));  // never refused
        change.action = engine::RecordChange::Action::kErase;
        gone = true;
        return change;
      });
  return gone && result.access == engine::Access::kDone;
}

bool Hints::show_next(NodeId target, std::optional<HintPlace>* place, Shown fn) const {
  for (;;) {
    std::optional<HintPlace> next =
        ledger_.first_from(target, place->value_or(HintPlace{}), !place->has_value());
    if (!next) return false;
    *place = std::move(next);
    const std::string& name = (*place)->name;
    bool shown = false;
    table_->read(table_ref(name), [&](engine::RecordView bytes) {
      if (bytes.absent()) return;  // delivered in between
      Record record;
      decode_record(bytes, *authors_, record);
      const HintKey hint = parse_table_key(name, options_.partitioner);
      KVORUM_CHECK(hint.target == target);  // its place is among those of this one
      fn(hint, record.object);
      shown = true;
    });
    if (shown) return true;
  }
}

void Hints::walk(Shown fn) const {
  for (const NodeId target : ledger_.targets()) {
    std::optional<HintPlace> place;
    while (show_next(target, &place, fn)) {
    }
  }
}

}  // namespace kvorum::cluster

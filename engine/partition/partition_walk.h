// SPDX-License-Identifier: Apache-2.0
// Walking the resident objects of a partition in position order. The lock is held for one bucket at
// a time; between buckets the walk goes on by place, so growth and updates in between do no harm.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/function_ref.h"
#include "base/position.h"
#include "engine/index/record_view.h"
#include "engine/partition/partition_table.h"

namespace kvorum::engine {

// A stretch of a partition: from a position (inclusive) until at least count_min objects were
// shown.
struct ScanRange {
  uint8_t keyspace = 0;
  uint32_t partition = 0;
  Position from;
  size_t count_min = 0;
  uint64_t end = 0;  // of position.high, exclusive; 0: the partition's end
};

struct ScanItem {
  KeyRef key;         // borrowed during the call
  RecordView record;  // borrowed during the call
};

struct ScanEnd {
  Access access = Access::kDone;
  bool done = true;  // the partition's end was reached
  Position next;     // where to go on, if not done
};

class PartitionWalk {
 public:
  static constexpr size_t kLongBucketStretch = 64;  // entries of a long bucket under one lock

  struct Shown {
    KeyRef key;
    Entry* entry;
  };

  // Over the objects of the partition at and behind `from`.
  PartitionWalk(const PartitionTable& table, Position from)
      : from_(from.high), place_(table.place_from(from)) {}

  bool done() const { return place_ >= BucketIndex::kPlacesEnd; }
  // The place at which next() begins, kPlacesEnd when done.
  uint64_t place() const { return place_; }
  // The objects of the next bucket (of a long one, of a part that splits no ties), in position
  // order; they hold until the lock is given back or the partition changes. Always of the same
  // partition.
  std::vector<Shown>& next(const PartitionTable& table) KVORUM_REQUIRES(table.lock());

 private:
  const uint64_t from_;
  uint64_t place_;
  std::vector<Entry*> entries_;
  std::vector<Shown> shown_;
};

// ObjectTable::scan() of one partition. Takes its lock.
ScanEnd scan_resident(const PartitionTable& table, const ScanRange& range,
                      FunctionRef<void(const ScanItem&)> fn);

}  // namespace kvorum::engine

// SPDX-License-Identifier: Apache-2.0
// Hints: writes kept here for a primary that could not be reached (paper 4.6), in an ObjectTable of
// their own. A hint's name there is [target node u64][keyspace u8][key], so a second hint for one
// target and key merges into the first. Shared by a node's reactors, as the table is.
#pragma once

#include <string>

#include "cluster/member.h"
#include "cluster/object_codec.h"
#include "engine/object_table.h"

namespace kvorum::cluster {

struct HintKey {
  NodeId target = 0;
  KeyRef key;  // of the object, borrowed
};

class Hints {
 public:
  // `partitioner` is that of the objects' keys.
  Hints(engine::ObjectTable* table, AuthorTable* authors, Partitioner partitioner)
      : table_(table), authors_(authors), partitioner_(partitioner) {}

  // Runs fn on the hint's record under its lock; what fn leaves in it is stored. fn returns whether
  // it changed anything. False where the table is full.
  bool update(const HintKey& hint, FunctionRef<bool(Record& record)> fn);
  // Merges an object into the hint for a target.
  bool store(const HintKey& hint, const Object& object);
  // fn is called with the record, if there is one.
  void read(const HintKey& hint, FunctionRef<void(const Record& record)> fn) const;
  // Removes the hint if its object still has exactly this vector: the target has all of it.
  void remove_delivered(const HintKey& hint, const VersionVector& delivered);

  // Shows hints from a place in ring order, at least count_min unless the end came first; sets
  // `from` to where to go on, `partition` to partitions() at the end.
  void walk(uint32_t* partition, Position* from, size_t count_min,
            FunctionRef<void(const HintKey& hint, const Object& object)> fn) const;

  uint64_t pending() const;
  uint32_t partitions() const { return 1u << table_->partition_bits(); }

 private:
  engine::ObjectTable* table_;
  AuthorTable* authors_;
  Partitioner partitioner_;
};

}  // namespace kvorum::cluster

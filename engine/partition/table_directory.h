// SPDX-License-Identifier: Apache-2.0
// The partitions of one ObjectTable, by keyspace and number, and what they share. Read without a
// lock; a partition's table is added at its first use and never goes before the directory does. Any
// thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/check.h"
#include "base/position.h"
#include "engine/partition/partition_table.h"
#include "engine/partition/table_shared.h"

namespace kvorum::engine {

class TableDirectory {
 public:
  explicit TableDirectory(const TableOptions& options);
  ~TableDirectory();

  TableShared& shared() { return shared_; }
  const TableShared& shared() const { return shared_; }
  const TableOptions& options() const { return shared_.options; }

  // Null where the partition was never used.
  PartitionTable* find(uint8_t keyspace, uint32_t partition) const {
    return places_[place_of(keyspace, partition)].load(std::memory_order_acquire);
  }
  PartitionTable* find(const KeyRef& key) const {
    return find(key.keyspace, partition_of(key.position, options().partition_bits));
  }
  // Makes the table of one that was not.
  PartitionTable& get(uint8_t keyspace, uint32_t partition);
  PartitionTable& get(const KeyRef& key) {
    return get(key.keyspace, partition_of(key.position, options().partition_bits));
  }
  // A partition without table holds nothing, if the store was read.
  bool absent_is_known() const {
    return options().store == nullptr || shared_.warmed.load(std::memory_order_acquire);
  }

  // Those that there are, in the order of creation: at(0) to at(count() - 1), where one that is
  // just being made is null.
  size_t count() const { return count_.load(std::memory_order_acquire); }
  PartitionTable* at(size_t index) const {
    KVORUM_CHECK(index < size_);
    return made_[index].load(std::memory_order_acquire);
  }
  template <class Fn>  // Fn(PartitionTable&)
  void for_each(Fn fn) const {
    const size_t count = this->count();
    for (size_t index = 0; index < count; ++index) {
      PartitionTable* const table = at(index);
      if (table != nullptr) fn(*table);
    }
  }

 private:
  size_t place_of(uint8_t keyspace, uint32_t partition) const {
    const size_t place = (size_t{keyspace} << options().partition_bits) + partition;
    KVORUM_CHECK(place < size_);
    return place;
  }

  TableShared shared_;
  const size_t size_;
  const std::unique_ptr<std::atomic<PartitionTable*>[]> places_;
  const std::unique_ptr<std::atomic<PartitionTable*>[]> made_;  // those of places_, without gaps
  std::atomic<size_t> count_{0};
};

}  // namespace kvorum::engine

// SPDX-License-Identifier: Apache-2.0
// A stretch of a partition as the store has it, corrected by what the table has: for scans and
// trees of partitions that are not all in memory. Of a body that is in a file nothing is read.
//
//   read_store() without the lock --> overlay() under it --> records(), tree_items()
//
// The partition may change between the two: whoever calls compares departures().
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/shared_bytes.h"
#include "base/status.h"
#include "engine/index/record_view.h"
#include "engine/partition/partition_table.h"
#include "engine/partition/partition_walk.h"
#include "engine/table/store_health.h"

namespace kvorum::engine {

class StoreScan {
 public:
  struct Stored {
    std::string bytes;  // of the head alone, where the body stands apart
    SharedView body{};  // of one that is in a file only where it is in memory
    FileReference file{};

    RecordView view() const { return {bytes, body.empty() ? nullptr : &body}; }
    // Nothing is in two files.
    bool operator==(const Stored& other) const {
      if (bytes != other.bytes || !(file == other.file)) return false;
      return file.exists() || body.bytes == other.body.bytes;
    }
  };
  struct Found {
    std::optional<Stored> record;  // none where it was erased
    bool live = false;
    bool expires = false;
  };
  using Records = std::map<std::pair<uint64_t, std::string>, Found>;  // by position and key

  // `table` outlives it. At least range.count_min objects, unless the range ends before.
  StoreScan(const PartitionTable& table, const ScanRange& range) : table_(table), range_(range) {}

  // Blocks on I/O, with no lock held.
  Status read_store(const TableShared& shared, StoreHealth& health);
  // `table` is that of the scan. With `rewrites`: has written what the store does not have, or not
  // like this. Returns whether nothing was dirty before.
  bool overlay(PartitionTable& table, bool rewrites) KVORUM_REQUIRES(table.lock());

  const Records& records() const { return records_; }
  // The position after the stretch, if not the end of the range.
  const std::optional<uint64_t>& next() const { return next_; }
  // The stretch ends here, at least as early as it would.
  void end_at(uint64_t position) {
    KVORUM_CHECK(next_ && position <= *next_);
    next_ = position;
  }
  // What the tree is built of.
  std::vector<PartitionTree::Item> tree_items(const RecordCodec& codec) const;

 private:
  const PartitionTable& table_;
  const ScanRange range_;
  Records records_;
  std::optional<uint64_t> next_;
};

}  // namespace kvorum::engine

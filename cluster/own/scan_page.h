// SPDX-License-Identifier: Apache-2.0
// A stretch of one partition, as SCAN and anti-entropy need it: keys with their versions, without
// their values, but where an owner is to be filled. Read by a reactor from the resident objects, or
// by a store thread from the store; a plain value.
#pragma once

#include <cstdint>
#include <string>

#include "cluster/wire/outbox.h"
#include "engine/table/object_table.h"

namespace kvorum::cluster {

struct NodeParts;

struct ScanPage {
  static constexpr size_t kWholeMax = 64 * 1024;     // larger objects come without values
  static constexpr size_t kValuesMax = 1024 * 1024;  // what comes after so many bytes, too

  engine::Access access = engine::Access::kDone;  // kRefused: the store could not be read
  bool done = true;                               // the partition's end was reached
  Position next;                                  // where to go on, if not done
  std::string items;                              // put_page_item(), in position order
  std::string values;                             // the same, of objects with their values
  uint32_t shown = 0;                             // records looked at
  uint32_t live = 0;                              // of the items, those with a value
  uint32_t whole = 0;                             // objects in `values`
  RangeLoad::Reader reader = RangeLoad::Reader::kScan;
  engine::TreeBuild tree = engine::TreeBuild::kDone;  // of the tree keeper
};

// What is resident. access is kNotResident where the store has to be read.
ScanPage read_resident_page(const NodeParts& parts, const RangeLoad& range);

// The same with the store. Blocks on I/O: called on a store thread for a RangeLoad of the Outbox,
// its result goes to Coordinator::on_scanned().
ScanPage read_stored_page(const NodeParts& parts, const RangeLoad& range);

}  // namespace kvorum::cluster

// SPDX-License-Identifier: Apache-2.0
// Payloads of the frames of operations on keyspaces (types 32 and up, cluster/wire/frame.h).
// Parsing checks every bound; what it returns is a view into the frame. The keyspace stands in the
// frame's head, the mark of a flush names its own.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cluster/version/flush_marks.h"
#include "cluster/wire/frame.h"

namespace kvorum::cluster {

// Scan: everything that the answering member holds as a primary from a position on, up to the end
// of a partition, at least `count` live keys if there are.
struct ScanQuestion {
  uint8_t keyspace = 0;
  uint64_t from = 0;            // Position::high
  uint32_t last_partition = 0;  // inclusive
  uint32_t count = 0;
};
void put_scan(std::string& batch, SlotId operation, const ScanQuestion& question);
bool parse_scan(const Frame& frame, ScanQuestion* question);

struct ScanAnswer {
  bool refused = false;  // the store failed
  uint64_t next = 0;     // complete up to here, exclusive; 0: all that was asked for
  std::string_view items;
};
void put_scan_reply(std::string& batch, SlotId operation, const ScanAnswer& answer);
bool parse_scan_reply(const Frame& frame, ScanAnswer* answer);

// One key of a scan answer, tombstones included, with its object stripped of its values.
struct PageItem {
  uint64_t high = 0;  // of its position
  std::string_view key;
  std::string_view object;  // portable form
};
void put_page_item(std::string& items, const PageItem& item);
bool parse_page_items(std::string_view items, std::vector<PageItem>* parsed);

void put_count(std::string& batch, SlotId operation, uint8_t keyspace);
bool parse_count(const Frame& frame);

// Live keys per partition, in order of partitions: all for which the member is a primary.
using PartitionCounts = std::vector<std::pair<uint32_t, uint64_t>>;
void put_count_reply(std::string& batch, SlotId operation, const PartitionCounts& counts);
bool parse_count_reply(const Frame& frame, PartitionCounts* counts);

void put_flush_clocks(std::string& batch, SlotId operation);
bool parse_flush_clocks(const Frame& frame);

// The answer to FlushClocks: a member's clock, and the highest HLC that it saw of every author.
void put_flush_clocks_reply(std::string& batch, SlotId operation, const FlushMark& clocks);
bool parse_flush_clocks_reply(const Frame& frame, FlushMark* clocks);

// Marks as FlushMarks::encode() or encode_mark() wrote them. Operation 0: nobody waits.
void put_flush_mark(std::string& batch, SlotId operation, std::string_view marks);

void put_flush_mark_reply(std::string& batch, SlotId operation);
bool parse_flush_mark_reply(const Frame& frame);

}  // namespace kvorum::cluster

// SPDX-License-Identifier: Apache-2.0
// Operations on a whole keyspace, over all nodes: SCAN (and KEYS, RANDOMKEY from it), DBSIZE,
// FLUSHDB and FLUSHALL, and on the texts of all nodes. Never the local node alone.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cluster/wire/request.h"

namespace kvorum::cluster {

// Clients keep cursors in doubles, which hold integers of so many bits exactly.
inline constexpr int kScanCursorBits = 53;

struct KeyspaceRequest {
  // The last three are about no keyspace, but about what all nodes share: SharedTexts, and
  // SharedLibraries, of which this node's are told to all others that can be reached.
  enum class Kind : uint8_t { kScan, kCount, kFlush, kFindText, kDropTexts, kShareLibraries };
  Kind kind = Kind::kScan;
  uint8_t keyspace = 0;
  bool all_keyspaces = false;  // kFlush
  // kScan: a cursor is the first kScanCursorBits of the position of the next key to show (they
  // begin with the partition's number), so it is valid at any node; 0 starts, and 0 as an answer
  // means the end. Keys that have these bits in common are shown by one call.
  uint64_t cursor = 0;
  uint32_t count = 10;      // at least so many keys, if there are; ties are never split
  uint32_t timeout_ms = 0;  // 0: limits.request_timeout
  std::string name;         // kFindText
};

struct KeyspaceCompletion {
  Outcome outcome = Outcome::kOk;
  std::string_view text;  // of the error
  // kScan: keys with a visible value. kFindText: the text, or nothing.
  std::vector<std::string> keys;
  uint64_t cursor = 0;  // kScan
  uint64_t count = 0;   // kCount
};

// Told exactly once per submitted KeyspaceRequest.
class KeyspaceSink {
 public:
  virtual ~KeyspaceSink() = default;
  virtual void on_keyspace_complete(uint64_t tag, const KeyspaceCompletion& completion) = 0;
};

}  // namespace kvorum::cluster

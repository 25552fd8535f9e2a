// SPDX-License-Identifier: Apache-2.0
// Where the segments of a journal stand: numbered slots, each a file of fixed size that is used
// again and again, so that a sync of what was written in it touches no metadata. A directory
// (journal_directory.h), or the simulator's disk.
//
// One thread at a time makes all calls, but for sync(), which may be made beside them for a slot
// that is not being made or removed.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace kvorum::engine {

class JournalDisk {
 public:
  virtual ~JournalDisk() = default;

  // Those that there are, in order.
  virtual Result<std::vector<uint32_t>> slots() = 0;
  // A slot that there is not, of so many bytes. What stands in it is of no meaning, but it is there
  // after a power cut. kNoSpace where the disk is full: then there is none.
  virtual Status create(uint32_t slot, uint64_t bytes) = 0;
  virtual Status remove(uint32_t slot) = 0;
  // The parts one behind the other, within the slot. After an error any of it may be written.
  virtual Status write(uint32_t slot, uint64_t at, std::span<const std::string_view> parts) = 0;
  // What was written before survives a power cut.
  virtual Status sync(uint32_t slot) = 0;
  // Its first bytes, at most so many, until done_reading().
  virtual Result<std::string_view> read(uint32_t slot, uint64_t bytes_max) = 0;
  virtual void done_reading() = 0;
  // Copies of all slots, beside them, for people: where they are.
  virtual Result<std::string> set_aside() = 0;
};

}  // namespace kvorum::engine

// SPDX-License-Identifier: Apache-2.0
// A log of batches in segments that are used again: appended to, synced, and forgotten from its
// beginning.
//
//   segments:  [ not needed ] [ 7: full ] [ 8: full ] [ 9: appended to ]      numbers count up
//                                 ^ oldest(), until retire_before(8)
//
// One thread at a time, but for the sync itself: take_unsynced() and note_synced() are calls like
// the others, sync_slots() between them may run beside appends.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "base/status.h"
#include "engine/journal/journal_disk.h"
#include "engine/journal/journal_format.h"

namespace kvorum::engine {

class Journal {
 public:
  static constexpr uint64_t kSegmentsInCapacity = 16;

  struct Segment {
    SegmentHead head;
    uint32_t slot = 0;
    uint64_t slot_bytes = 0;
    uint64_t used_bytes = 0;  // head and batches
    bool synced = false;      // all of it
  };
  struct Beginning {
    uint64_t store_id = 0;
    uint64_t last_number = 0;    // no segment has a higher one
    uint64_t last_sequence = 0;  // nor a batch
    std::deque<Segment> live;    // segments that are needed still; nothing more goes into them
  };

  // `disk` outlives it. Appends go into a segment that begin() makes.
  Journal(JournalDisk* disk, uint64_t capacity_bytes);
  Status begin(Beginning beginning);

  // Begins another segment. After an error, also of an append or a sync, it is the only call that
  // may come next: what was appended and not synced may be lost then.
  Status rotate();
  Status append(const StoreBatch& batch);
  // Whatever it takes, so that append() of so many bytes needs nothing more of the disk than to
  // write. An error has changed nothing, and is none of the journal.
  Status make_room_for(uint64_t bytes);
  // The same for rotate().
  Status make_room_to_rotate() { return make_slot(0); }
  // A batch of this size fits, without going beyond the capacity.
  bool has_room_for(uint64_t bytes) const;
  void retire_before(uint64_t number);

  struct Unsynced {
    uint64_t sequence = 0;  // everything up to here is on the disk once the slots are synced
    uint64_t number = 0;    // of the segment that is appended to
    std::vector<uint32_t> slots;
  };
  Unsynced take_unsynced() const;
  Status sync_slots(const Unsynced& unsynced) const;
  void note_synced(const Unsynced& unsynced);

  uint64_t last_sequence() const { return last_sequence_; }
  uint64_t durable() const { return durable_; }
  uint64_t oldest() const { return live_.front().head.number; }
  uint64_t current() const { return live_.back().head.number; }
  uint64_t capacity_bytes() const { return capacity_bytes_; }
  // Of the segments that are needed still; what is free in one that is full counts too.
  uint64_t used_bytes() const;
  uint64_t allocated_bytes() const;  // of all segments
  // Appended since the start, padding and heads included.
  uint64_t appended_bytes() const { return appended_bytes_; }

 private:
  struct Free {
    uint32_t slot;
    uint64_t bytes;
  };
  uint64_t segment_bytes() const { return capacity_bytes_ / kSegmentsInCapacity; }
  Status begin_segment(uint64_t bytes_least);
  Status make_slot(uint64_t bytes_least);
  Result<Free> take_slot(uint64_t bytes_least);

  JournalDisk* const disk_;
  const uint64_t capacity_bytes_;
  uint64_t store_id_ = 0;
  uint64_t last_number_ = 0;
  uint64_t last_sequence_ = 0;
  uint64_t durable_ = 0;
  uint64_t appended_bytes_ = 0;
  std::deque<Segment> live_;
  std::vector<Free> free_;
  std::vector<uint32_t> slots_;  // all that there are, in order
  EncodedBatch encoded_;
};

}  // namespace kvorum::engine

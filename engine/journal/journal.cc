// SPDX-License-Identifier: Apache-2.0
#include "engine/journal/journal.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace kvorum::engine {

Journal::Journal(JournalDisk* disk, uint64_t capacity_bytes)
    : disk_(disk), capacity_bytes_(capacity_bytes) {
  KVORUM_CHECK(segment_bytes() > SegmentHead::kBytes + BatchHead::kBytes);
}

Status Journal::begin(Beginning beginning) {
  KVORUM_CHECK(live_.empty());
  auto slots = disk_->slots();
  if (!slots.ok()) return slots.status();
  slots_ = std::move(slots).value();
  store_id_ = beginning.store_id;
  last_number_ = beginning.last_number;
  last_sequence_ = durable_ = beginning.last_sequence;
  live_ = std::move(beginning.live);
  for (Segment& segment : live_) {
    if (Status status = disk_->sync(segment.slot); !status.ok()) return status;
    segment.synced = true;
  }
  for (const uint32_t slot : slots_) {
    const auto has_it = [slot](const Segment& segment) { return segment.slot == slot; };
    if (std::any_of(live_.begin(), live_.end(), has_it)) continue;
    // Of another size, maybe: it is made anew when it is needed.
    if (Status status = disk_->remove(slot); !status.ok()) return status;
  }
  std::erase_if(slots_, [this](uint32_t slot) {
    const auto has_it = [slot](const Segment& segment) { return segment.slot == slot; };
    return std::none_of(live_.begin(), live_.end(), has_it);
  });
  if (Status status = rotate(); !status.ok()) return status;
  // The store beneath is about to say that this segment is there.
  return disk_->sync(live_.back().slot);
}

// One that is free, or made.
auto Journal::take_slot(uint64_t bytes_least) -> Result<Free> {
  const uint64_t bytes = std::max(segment_bytes(), bytes_least);
  for (size_t at = 0; at < free_.size(); ++at) {
    if (free_[at].bytes < bytes_least) continue;
    const Free found = free_[at];
    free_.erase(free_.begin() + static_cast<ptrdiff_t>(at));
    return found;
  }
  uint32_t slot = 0;
  while (std::binary_search(slots_.begin(), slots_.end(), slot)) ++slot;
  if (Status status = disk_->create(slot, bytes); !status.ok()) return status;
  slots_.insert(std::upper_bound(slots_.begin(), slots_.end(), slot), slot);
  return Free{slot, bytes};
}

Status Journal::begin_segment(uint64_t bytes_least) {
  Result<Free> taken = take_slot(bytes_least);
  if (!taken.ok()) return taken.status();
  const Free place = taken.value();
  Segment segment;
  const uint64_t number = ++last_number_;  // never again: after an error the head may be there
  segment.head = {store_id_, number, last_sequence_ + 1, durable_,
                  live_.empty() ? number : oldest()};
  segment.slot = place.slot;
  segment.slot_bytes = place.bytes;
  segment.used_bytes = SegmentHead::kBytes;
  const std::string head = encode_segment_head(segment.head);
  const std::string_view part = head;
  Status status = disk_->write(place.slot, 0, {&part, 1});
  if (!status.ok()) {
    free_.push_back(place);
    return status;
  }
  appended_bytes_ += head.size();
  live_.push_back(segment);
  return {};
}

Status Journal::rotate() { return begin_segment(0); }

Status Journal::make_room_for(uint64_t bytes) {
  const Segment& segment = live_.back();
  const bool fits = segment.used_bytes + bytes <= segment.slot_bytes;
  return fits ? Status() : make_slot(bytes + SegmentHead::kBytes);
}

// One that is free, and the next that is taken. Where it is to begin a checkpoint all the others
// are made as well, as far as the disk has room: while that runs, and ends, the journal should not
// be the first that finds the disk full.
Status Journal::make_slot(uint64_t bytes_least) {
  const Result<Free> taken = take_slot(bytes_least);
  if (!taken.ok()) return taken.status();
  free_.insert(free_.begin(), taken.value());
  if (bytes_least != 0) return {};
  std::vector<Free> all;
  all.swap(free_);
  for (uint64_t bytes = allocated_bytes() + segment_bytes() * all.size();
       bytes + segment_bytes() <= capacity_bytes_; bytes += segment_bytes()) {
    const Result<Free> more = take_slot(0);
    if (!more.ok()) break;
    all.push_back(more.value());
  }
  free_ = std::move(all);
  return {};
}

bool Journal::has_room_for(uint64_t bytes) const {
  const Segment& segment = live_.back();
  if (segment.used_bytes + bytes <= segment.slot_bytes) return true;
  uint64_t taken = 0;
  for (const Segment& live : live_) taken += live.slot_bytes;
  return taken + std::max(segment_bytes(), bytes + SegmentHead::kBytes) <= capacity_bytes_;
}

Status Journal::append(const StoreBatch& batch) {
  const uint64_t bytes = EncodedBatch::bytes_of(batch);
  if (live_.back().used_bytes + bytes > live_.back().slot_bytes) {
    Status status = begin_segment(bytes + SegmentHead::kBytes);
    if (!status.ok()) return status;
  }
  Segment& segment = live_.back();
  const auto& parts = encoded_.encode(batch, {last_sequence_ + 1, durable_, segment.head.seed()});
  Status status = disk_->write(segment.slot, segment.used_bytes, parts);
  if (!status.ok()) return status;
  ++last_sequence_;
  segment.used_bytes += bytes;
  segment.synced = false;
  appended_bytes_ += bytes;
  return {};
}

void Journal::retire_before(uint64_t number) {
  KVORUM_CHECK(number <= current());
  while (live_.front().head.number < number) {
    const Segment& segment = live_.front();
    // What was made for one large batch goes; so does what a smaller capacity left.
    if (segment.slot_bytes == segment_bytes()) {
      free_.push_back({segment.slot, segment.slot_bytes});
    } else if (disk_->remove(segment.slot).ok()) {
      std::erase(slots_, segment.slot);
    }
    live_.pop_front();
  }
}

auto Journal::take_unsynced() const -> Unsynced {
  Unsynced unsynced{last_sequence_, current(), {}};
  for (const Segment& segment : live_) {
    if (!segment.synced) unsynced.slots.push_back(segment.slot);
  }
  return unsynced;
}

Status Journal::sync_slots(const Unsynced& unsynced) const {
  for (const uint32_t slot : unsynced.slots) {
    if (Status status = disk_->sync(slot); !status.ok()) return status;
  }
  return {};
}

void Journal::note_synced(const Unsynced& unsynced) {
  durable_ = std::max(durable_, unsynced.sequence);
  for (Segment& segment : live_) segment.synced |= segment.head.number < unsynced.number;
}

uint64_t Journal::allocated_bytes() const {
  uint64_t bytes = 0;
  for (const Segment& segment : live_) bytes += segment.slot_bytes;
  for (const Free& slot : free_) bytes += slot.bytes;
  return bytes;
}

uint64_t Journal::used_bytes() const {
  uint64_t bytes = 0;
  for (const Segment& segment : live_) bytes += segment.slot_bytes;
  return bytes - live_.back().slot_bytes + live_.back().used_bytes;
}

}  // namespace kvorum::engine

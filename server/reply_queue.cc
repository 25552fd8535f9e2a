// SPDX-License-Identifier: Apache-2.0
#include "server/reply_queue.h"

#include <utility>

#include "base/check.h"
#include "base/give_back.h"

namespace kvorum::server {

ReplyQueue::Place ReplyQueue::open() {
  if (next_ != head_ && next_ - head_ >= slots_.size()) grow();
  return next_++;
}

std::string& ReplyQueue::writer(Place place) {
  return place == head_ ? output_ : slot(place).bytes;
}

void ReplyQueue::close(Place place) {
  KVORUM_CHECK(place >= head_ && place < next_);
  if (place != head_) {
    Slot& waiting = slot(place);
    waiting.ready = true;
    waiting_bytes_ += waiting.bytes.size();
    return;
  }
  ++head_;
  while (head_ != next_ && slot(head_).ready) {
    Slot& next = slot(head_);
    output_ += next.bytes;
    waiting_bytes_ -= next.bytes.size();
    give_back(next.bytes, kKeptBytesMax);
    next.ready = false;
    ++head_;
  }
  if (head_ == next_ && slots_.size() > kSlotsKept) std::vector<Slot>().swap(slots_);
}

void ReplyQueue::reset() {
  release_memory(output_);
  std::vector<Slot>().swap(slots_);
  head_ = next_ = waiting_bytes_ = 0;
}

void ReplyQueue::put(Place place, std::string_view header, std::string& parts) {
  std::string& out = writer(place);
  if (out.empty()) {
    out.swap(parts);
    out.insert(0, header);
  } else {
    out.append(header).append(parts);
  }
}

void ReplyQueue::grow() {
  std::vector<Slot> larger(slots_.empty() ? kSlotsFirst : slots_.size() * 2);
  for (Place place = head_; place != next_ && !slots_.empty(); ++place) {
    larger[place & (larger.size() - 1)] = std::move(slot(place));
  }
  slots_ = std::move(larger);
}

}  // namespace kvorum::server

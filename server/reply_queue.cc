// SPDX-License-Identifier: Apache-2.0
#include "server/reply_queue.h"

#include <utility>

#include "base/check.h"

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
    next.bytes.clear();
    if (next.bytes.capacity() > kKeptBytesMax) next.bytes.shrink_to_fit();
    next.ready = false;
    ++head_;
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

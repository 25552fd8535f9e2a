// SPDX-License-Identifier: Apache-2.0
#include "server/connection/reply_queue.h"

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
    waiting_bytes_ += waiting.size();
    return;
  }
  ++head_;
  while (head_ != next_ && slot(head_).ready) {
    Slot& next = slot(head_);
    waiting_bytes_ -= next.size();
    append(next);
    give_back(next.bytes, kKeptBytesMax);
    next.ready = false;
    ++head_;
  }
  if (head_ == next_ && slots_.size() > kSlotsKept) std::vector<Slot>().swap(slots_);
}

namespace {

size_t size_of(const LargeReply& reply) { return reply.before.size() + reply.body.bytes.size(); }

}  // namespace

size_t ReplyQueue::Slot::size() const {
  size_t size = bytes.size();
  for (const LargeReply& reply : large) size += size_of(reply);
  return size;
}

// A slot's reply goes behind the output.
void ReplyQueue::append(Slot& slot) {
  for (LargeReply& reply : slot.large) {
    output_ += reply.before;
    reply.before = std::exchange(output_, {});
    large_bytes_ += size_of(reply);
    large_.push_back(std::move(reply));
  }
  slot.large.clear();
  output_ += slot.bytes;
}

void ReplyQueue::reset() {
  release_memory(output_);
  std::deque<LargeReply>().swap(large_);
  std::vector<Slot>().swap(slots_);
  head_ = next_ = waiting_bytes_ = large_bytes_ = 0;
}

LargeReply ReplyQueue::take_large() {
  KVORUM_CHECK(!large_.empty());
  LargeReply reply = std::move(large_.front());
  large_.pop_front();
  large_bytes_ -= size_of(reply);
  return reply;
}

void ReplyQueue::put_large(Place place, LargeReply reply, std::string_view after) {
  std::string& out = writer(place);
  out += reply.before;
  reply.before = std::exchange(out, std::string(after));
  if (place == head_) {
    large_bytes_ += size_of(reply);
    large_.push_back(std::move(reply));
  } else {
    slot(place).large.push_back(std::move(reply));
  }
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

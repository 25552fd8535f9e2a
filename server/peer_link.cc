// SPDX-License-Identifier: Apache-2.0
#include "server/peer_link.h"

#include <fmt/format.h>

namespace kvorum::server {

using cluster::Frame;
using cluster::FrameStatus;

void PeerLink::start(uint64_t now_us) {
  last_heard_us_ = now_us;
  stream_.start();
}

void PeerLink::send(std::string& batch) {
  if (!stream_.is_open()) return batch.clear();
  if (!stream_.sending()) return stream_.send(batch);
  queue_.append(batch);
  batch.clear();
  if (queue_.size() > kQueueBytesMax) {
    give_up(fmt::format("it takes no bytes, {} MB are waiting", queue_.size() >> 20));
  }
}

void PeerLink::close() {
  stream_.close();
  queue_ = std::string();
  up_ = false;
}

void PeerLink::abort() {
  stream_.abort();
  close();
}

void PeerLink::give_up(std::string_view why) {
  abort();
  on_closed(why);
}

size_t PeerLink::cut_frame(std::string_view rest, Frame* frame) {
  size_t size = 0;
  const FrameStatus status = cluster::parse_frame(rest, frame, &size);
  if (status == FrameStatus::kTooLong || (!up_ && size > kGreetingBytesMax)) {
    give_up("it sent a frame that is too long");
    return 0;
  }
  if (status == FrameStatus::kDamaged) {
    give_up("it sent bytes that are no frame");
    return 0;
  }
  if (status == FrameStatus::kNeedMore) {
    wanted_ = size - rest.size();
    return 0;
  }
  return size;
}

size_t PeerLink::on_input(std::string_view bytes) {
  const uint64_t now_us = clock().now().steady_us;
  // A full buffer: the socket held more than that.
  const bool had_more = waited_ && bytes.size() >= StreamShare::kReadBytes;
  const uint64_t woke_us = clock().woke_us();
  const bool first = last_heard_us_ < woke_us && now_us < woke_us + kPingAfterUs;
  waited_ = up_ && (first || had_more);
  last_heard_us_ = now_us;
  size_t taken = 0;
  while (stream_.is_open()) {
    Frame frames[kFramesPerBatch];
    size_t count = 0;
    const size_t frames_max = up_ ? kFramesPerBatch : 1;  // a greeting decides how to go on
    while (count < frames_max && taken < bytes.size()) {
      const size_t size = cut_frame(bytes.substr(taken), &frames[count]);
      if (size == 0) break;
      taken += size;
      ++count;
    }
    if (count == 0) break;
    if (up_) before_frames(std::span(frames, count));
    for (size_t at = 0; at < count && stream_.is_open(); ++at) {
      if (!on_frame(frames[at])) break;
    }
  }
  return stream_.is_open() ? taken : bytes.size();
}

// Behind many megabytes an answer takes its time, but a peer that takes them is alive.
void PeerLink::on_room() { last_heard_us_ = clock().now().steady_us; }

void PeerLink::on_sent() {
  if (!queue_.empty()) stream_.send(queue_);
}

void PeerLink::on_broken(const error_code& why) { give_up(why.message()); }

}  // namespace kvorum::server

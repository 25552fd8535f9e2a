// SPDX-License-Identifier: Apache-2.0
#include "server/peers/peer_link.h"

#include <fmt/format.h>

#include "base/give_back.h"
#include "base/inline_vector.h"

namespace kvorum::server {

namespace {

constexpr size_t kBatchBytesKept = 1024 * 1024;

}  // namespace

using cluster::Frame;
using cluster::FrameStatus;

void PeerLink::start(uint64_t now_us) {
  last_heard_us_ = now_us;
  stream_.start();
}

void PeerLink::send(std::string& batch) {
  if (!stream_.is_open()) return batch.clear();
  if (cluster::has_large_frame(batch)) [[unlikely]] {
    for (cluster::LargeFrame& frame : cluster::take_large_frames(batch)) {
      send_large(std::move(frame));
    }
    if (batch.empty()) return;
  }
  if (!stream_.sending()) return stream_.send(batch);
  queue_.append(batch);
  give_back(batch, kBatchBytesKept);
  count_queue();
  if (queue_.size() > kQueueBytesMax) {
    give_up(fmt::format("it takes no bytes, {} MB are waiting", queue_.size() >> 20));
  }
}

void PeerLink::send_large(cluster::LargeFrame frame) {
  if (!stream_.is_open()) return;
  const uint64_t now_us = clock().now().steady_us;
  if (sender_.held_bytes() == 0) flowed_us_ = now_us;
  sender_.add(std::move(frame));
  if (sender_.held_bytes() > kLargeBytesMax && now_us >= flowed_us_ + kDeadAfterUs) {
    return give_up(fmt::format("it takes no bytes, {} MB are waiting", sender_.held_bytes() >> 20));
  }
  send_rest();
}

// What waited, then chunks of large frames.
void PeerLink::send_rest() {
  if (!stream_.is_open() || stream_.sending()) return count_queue();
  if (sender_.can_send() && share_.may_move_piece(*this)) {
    const size_t bytes_max =
        share_.is_paced() ? LargePace::kPieceBytes : cluster::ChunkSender::kWindowBytes;
    sender_.put_chunks(queue_, bytes_max, clock().now().steady_us);
    tell_flow();
    if (sender_.can_send()) share_.wait_for_turn(*this);
  }
  if (!queue_.empty()) stream_.send(queue_);
  count_queue();
}

void PeerLink::count_queue() {
  queue_held_.set(queue_.size() + sender_.held_bytes());
  assembled_held_.set(assembler_.held_bytes());
}

void PeerLink::tell_flow() {
  flowed_us_ = clock().now().steady_us;
  for (const cluster::FrameHead& head : sender_.take_flowed()) on_flow(head);
}

// Chunks, and what the other side took of ours. False where the link was given up, or closed.
bool PeerLink::on_chunk_frame(const Frame& frame) {
  using Result = cluster::ChunkAssembler::Result;
  if (frame.head.type == cluster::MessageType::kChunkTaken) {
    if (!sender_.on_taken(frame)) {
      give_up("it took chunks that were not sent");
      return false;
    }
    tell_flow();
    send_rest();
    return stream_.is_open();
  }
  switch (assembler_.on_chunk(frame)) {
    case Result::kMalformed:
      give_up("it sent a chunk that belongs to no frame");
      return false;
    case Result::kMore:
      count_queue();
      on_flow(assembler_.head());
      return true;
    case Result::kWhole:
      break;
  }
  on_flow(assembler_.head());
  const bool goes_on = on_frame(assembler_.whole());
  assembler_.drop_whole();
  count_queue();
  return goes_on;
}

void PeerLink::close() {
  stream_.close();
  release_memory(queue_);
  sender_.clear();
  count_queue();
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
  while (stream_.is_open() && taken < bytes.size() && !holds_back()) {
    InlineVector<Frame, kFramesPerBatch> frames;
    size_t ends[kFramesPerBatch];
    const size_t frames_max = up_ ? kFramesPerBatch : 1;  // a greeting decides how to go on
    while (frames.size() < frames_max && taken < bytes.size()) {
      Frame frame;
      const size_t size = cut_frame(bytes.substr(taken), &frame);
      if (size == 0) break;
      taken += size;
      ends[frames.size()] = taken;
      frames.push_back(frame);
    }
    const size_t count = frames.size();
    if (count == 0) break;
    if (up_) before_frames(std::span(frames.begin(), count));
    for (size_t at = 0; at < count && stream_.is_open(); ++at) {
      const bool in_chunks = up_ && (frames[at].head.type == cluster::MessageType::kChunk ||
                                     frames[at].head.type == cluster::MessageType::kChunkTaken);
      if (in_chunks ? !on_chunk_frame(frames[at]) : !on_frame(frames[at])) break;
      if (at + 1 == count || at % kFramesPerLook != 0 || !holds_back()) continue;
      taken = ends[at];  // the others later, once more
      break;
    }
  }
  if (assembler_.owes_taken()) [[unlikely]] {
    assembler_.put_taken(control_);
    send(control_);
  }
  return stream_.is_open() ? taken : bytes.size();
}

void PeerLink::on_pace() { send_rest(); }

// Behind many megabytes an answer takes its time, but a peer that takes them is alive.
void PeerLink::on_room() { last_heard_us_ = clock().now().steady_us; }

void PeerLink::on_sent() {
  send_rest();
  go_on();
}

void PeerLink::go_on() {
  if (stream_.is_open() && !stream_.waits_to_read() && wants_input()) stream_.resume();
}

void PeerLink::on_broken(const error_code& why) { give_up(why.message()); }

}  // namespace kvorum::server

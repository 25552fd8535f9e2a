// SPDX-License-Identifier: Apache-2.0
#include "server/tracking/change_frames.h"

#include "base/bytes.h"

namespace kvorum::server {
namespace {

using cluster::MessageType;

// With one more key of any length the frame stays below kLargeFrameBytes.
constexpr size_t kFrameBytes = 48 * 1024;

}  // namespace

void put_track_changes(std::string& batch, const TrackChanges& message) {
  cluster::FrameWriter frame(batch, {MessageType::kTrackChanges});
  put_u64(frame.out(), message.node);
  put_u64(frame.out(), message.number);
  put_u8(frame.out(), message.on ? 1 : 0);
  frame.finish();
}

bool parse_track_changes(const cluster::Frame& frame, TrackChanges* message) {
  ByteReader reader(frame.payload);
  message->node = reader.u64();
  message->number = reader.u64();
  message->on = reader.u8() != 0;
  return reader.ok() && reader.done();
}

void put_track_changes_reply(std::string& batch, const TrackChangesReply& message) {
  cluster::FrameWriter frame(batch, {MessageType::kTrackChangesReply});
  put_u64(frame.out(), message.number);
  put_u8(frame.out(), message.was_on ? 1 : 0);
  frame.finish();
}

bool parse_track_changes_reply(const cluster::Frame& frame, TrackChangesReply* message) {
  ByteReader reader(frame.payload);
  message->number = reader.u64();
  message->was_on = reader.u8() != 0;
  return reader.ok() && reader.done();
}

void put_changed_keys(std::string& batch, const cluster::ChangedKeys& changed) {
  if (changed.all) {
    cluster::FrameWriter(batch, {MessageType::kChangedKeys, 0, kChangedAll, 0}).finish();
    return;
  }
  for (size_t next = 0; next < changed.keys.size();) {
    cluster::FrameWriter frame(batch, {MessageType::kChangedKeys});
    const size_t full_at = batch.size() + kFrameBytes;
    while (next < changed.keys.size() && batch.size() < full_at) {
      const cluster::ChangedKey& key = changed.keys[next++];
      put_u64(frame.out(), key.digest);
      put_u32(frame.out(), static_cast<uint32_t>(key.key.size()));
      frame.out().append(key.key);
    }
    frame.finish();
  }
}

bool parse_changed_keys(const cluster::Frame& frame, cluster::ChangedKeys* changed) {
  changed->clear();
  if ((frame.head.flags & kChangedAll) != 0) {
    changed->note_all();
    return frame.payload.empty();
  }
  ByteReader reader(frame.payload);
  while (reader.ok() && !reader.done()) {
    const uint64_t digest = reader.u64();
    const std::string_view key = reader.take(reader.u32());
    if (reader.ok()) changed->note(key, digest);
  }
  return reader.ok();
}

}  // namespace kvorum::server

// SPDX-License-Identifier: Apache-2.0
// What nodes tell each other of keys that clients cache (cluster/wire/frame.h).
//
//   kTrackChanges       u64 id of the node that asks, u64 number of the question, u8 whether it
//                       wants to be told of changes from now on
//   kTrackChangesReply  u64 number of the question, u8 whether it was so before: from here on, or
//                       from then on, nothing is missed, unless the link breaks
//   kChangedKeys        flags: kChangedAll: any key may have changed, and nothing follows
//                       u64 digest of its versions, 0: not known; u32, bytes  the key; and so on
//
// Pure.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "cluster/wire/changed_keys.h"
#include "cluster/wire/frame.h"

namespace kvorum::server {

inline constexpr uint16_t kChangedAll = 1 << 0;

struct TrackChanges {
  cluster::NodeId node = 0;
  uint64_t number = 0;
  bool on = false;
};
void put_track_changes(std::string& batch, const TrackChanges& message);
bool parse_track_changes(const cluster::Frame& frame, TrackChanges* message);

struct TrackChangesReply {
  uint64_t number = 0;
  bool was_on = false;
};
void put_track_changes_reply(std::string& batch, const TrackChangesReply& message);
bool parse_track_changes_reply(const cluster::Frame& frame, TrackChangesReply* message);

// In as many frames as they need, each below kLargeFrameBytes.
void put_changed_keys(std::string& batch, const cluster::ChangedKeys& changed);
bool parse_changed_keys(const cluster::Frame& frame, cluster::ChangedKeys* changed);

}  // namespace kvorum::server

// SPDX-License-Identifier: Apache-2.0
// Frames about keys that changed: the first byte says which, and the flags; the rest is the
// payload. What is taken is written again, in as many frames as it needs, and read again.
#include "base/check.h"
#include "server/tracking/change_frames.h"
#include "tests/fuzz/fuzz_target.h"

namespace kvorum::fuzz {
namespace {

using cluster::ChangedKeys;

void check_again(const ChangedKeys& changed) {
  std::string batch;
  server::put_changed_keys(batch, changed);
  std::string_view rest = batch;
  cluster::Frame frame;
  size_t size = 0;
  size_t next = 0;
  bool all = false;
  while (cluster::parse_frame(rest, &frame, &size) == cluster::FrameStatus::kFrame) {
    ChangedKeys again;
    KVORUM_CHECK(server::parse_changed_keys(frame, &again));
    all = all || again.all;
    for (const cluster::ChangedKey& key : again.keys) {
      KVORUM_CHECK(next < changed.keys.size() && key.key == changed.keys[next].key);
      KVORUM_CHECK(key.digest == changed.keys[next++].digest);
    }
    rest.remove_prefix(size);
  }
  KVORUM_CHECK(rest.empty() && next == changed.keys.size() && all == changed.all);
}

void check_changes(std::string_view bytes) {
  if (bytes.empty()) return;
  const auto choice = static_cast<uint8_t>(bytes[0]);
  const auto flags = static_cast<uint16_t>(choice & 3);
  const cluster::Frame frame{{cluster::MessageType::kChangedKeys, 0, flags, 0}, bytes.substr(1)};
  server::TrackChanges asked;
  server::TrackChangesReply answer;
  if (choice & 4) {
    server::parse_track_changes(frame, &asked);
    server::parse_track_changes_reply(frame, &answer);
    return;
  }
  ChangedKeys changed;
  if (server::parse_changed_keys(frame, &changed)) check_again(changed);
}

const RegisterFuzzTarget kRegistered("changes_fuzz", &check_changes);

}  // namespace
}  // namespace kvorum::fuzz

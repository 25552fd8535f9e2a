// SPDX-License-Identifier: Apache-2.0
// A script of one key as an edit: it runs where the key's writes are serialised, inside its
// critical section, so that it never gives way to others, and what it leaves is one version at
// every replica. Its argument is a ScriptTask, or with a value ("snapshot") none: then the edit
// only shows the key, for a script that runs elsewhere (script_stages.h).
//
// A script that takes longer than kInstructionsOnReactor leaves nothing: its answer is the task
// itself, to be run elsewhere.
#pragma once

#include "server/commands/edits.h"
#include "server/script/script_task.h"

namespace kvorum::server {

// Completion::reply_code of the edit.
inline constexpr uint8_t kScriptDone = 0, kScriptSnapshot = 1;
inline constexpr uint8_t kScriptSaid = 2;       // bytes reply, and what it published
inline constexpr uint8_t kScriptTooLong = 255;  // which no other edit answers

inline constexpr std::string_view kSnapshotOfKey = "snapshot";

// What a snapshot shows: u64 watch_digest(), u8 may be evicted, the versions.
struct KeySnapshot {
  uint64_t digest = 0;
  bool may_be_evicted = false;
  InlineVector<cluster::Version, 1> visible;  // borrows from what was read
};
bool get_snapshot(std::string_view bytes, KeySnapshot* snapshot);

}  // namespace kvorum::server

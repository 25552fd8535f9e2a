// SPDX-License-Identifier: Apache-2.0
// Keys whose copy on this node changed, for clients that cache what they read (server/tracking).
// Noted only while somebody wants to know (NodeParts::tells_changes()), within the change itself or
// behind it: who read the copy before is told later. Bounded: beyond that all keys count as
// changed. A plain value of the Outbox.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace kvorum::cluster {

struct ChangedKey {
  std::string key;      // of any keyspace: who caches it is told of all alike
  uint64_t digest = 0;  // versions_digest() of what the copy has now; 0: not known
};

struct ChangedKeys {
  static constexpr size_t kKeysMax = 65536;

  std::vector<ChangedKey> keys;
  bool all = false;  // any key may have

  bool empty() const { return keys.empty() && !all; }
  void note(std::string_view key, uint64_t digest) {
    if (keys.size() >= kKeysMax) {
      note_all();
    } else {
      keys.push_back({std::string(key), digest});
    }
  }
  // Those that were noted are among them.
  void note_all() {
    keys.clear();
    all = true;
  }
  void clear() {
    keys.clear();
    all = false;
  }
};

}  // namespace kvorum::cluster

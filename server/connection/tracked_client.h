// SPDX-License-Identifier: Apache-2.0
// What a reactor keeps of a client that tracks (server/tracking), beside its TrackingMode. Owned by
// its ClientState, from the first CLIENT TRACKING ON on; the reactor's thread only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace kvorum::server {

struct TrackedClient {
  // Of one that is not told of its own writes (NOLOOP).
  struct OwnWrites {
    static constexpr size_t kDigestsMax = 4;

    size_t open = 0;                 // that have no outcome yet
    std::vector<uint64_t> digests;   // of the versions that the last ones made
    std::vector<uint64_t> awaiting;  // changes that came meanwhile: are they its own?
  };
  static constexpr size_t kWritesMax = 1024;  // keys

  std::set<std::string> prefixes;                     // BCAST
  bool has_read = false;                              // since it was told to drop all
  std::unordered_map<std::string, OwnWrites> writes;  // never iterated where the order could show
};

}  // namespace kvorum::server

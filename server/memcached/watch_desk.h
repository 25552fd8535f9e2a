// SPDX-License-Identifier: Apache-2.0
// memcached's `watch`, as its commands see it: who watches, and what is told. server/tracking
// implements it, a desk for each reactor; the reactor's thread only.
#pragma once

#include <cstdint>
#include <string_view>

namespace kvorum::server {

struct SessionState;

// Bits. What there is to see of them is what clients of this node do.
enum WatchStream : uint8_t {
  kWatchFetchers = 1,
  kWatchMutations = 2,
  kWatchDeletions = 4,
  kWatchConnections = 8,
  kWatchEvictions = 16,
};

class WatchDesk {
 public:
  virtual ~WatchDesk() = default;
  // The streams that somebody at this node watches.
  virtual uint8_t watched() const = 0;
  // The connection sees these too from now on. False: too many watch.
  virtual bool watch(SessionState& session, uint8_t streams) = 0;
  // A line, without its time, number and end. One that a watcher does not take is skipped.
  virtual void tell(WatchStream stream, std::string_view text) = 0;
};

}  // namespace kvorum::server

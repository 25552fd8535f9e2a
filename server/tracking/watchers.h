// SPDX-License-Identifier: Apache-2.0
// memcached's watchers of one reactor: connections that see a line for each command, or connection,
// of the node's memcached clients. What this reactor does its own watchers see at once, those of
// the others by mail (tracking_hub.h). One that does not take its lines misses some, and is told
// how many: `skipped=N`. Owned by the dispatcher; the reactor's thread only.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/own/own_copies.h"
#include "server/connection/client_table.h"
#include "server/memcached/watch_desk.h"
#include "server/pubsub/pub_sub.h"
#include "server/status/node_status.h"
#include "server/tracking/tracking_hub.h"

namespace kvorum::server {

class Watchers final : public WatchDesk {
 public:
  // What waits for one may be so much.
  static constexpr size_t kWaitingBytesMax = 256 * 1024;

  // All outlive it.
  struct Parts {
    ClientTable& clients;
    PubSub& pub_sub;
    TrackingHub& hub;
    NodeServices& services;
  };
  Watchers(const Parts& parts, uint32_t reactor) : parts_(parts), reactor_(reactor) {}
  Watchers(const Watchers&) = delete;

  uint8_t watched() const override { return parts_.hub.watched(); }
  bool watch(SessionState& session, uint8_t streams) override;
  void tell(WatchStream stream, std::string_view text) override;

  // That a connection of memcached's port begins, or ends.
  void tell_connection(const ClientState& client, bool begins) {
    if ((watched() & kWatchConnections) == 0 || client.session.dialect == Dialect::kResp) return;
    tell_memcached_connection(client, begins);
  }
  void tell_eviction(const cluster::EvictedKey& evicted);
  void remove(ClientState& client);
  // Lines of other reactors.
  void take(const TrackingMail& mail);

 private:
  struct Watcher {
    ClientState* client = nullptr;
    uint8_t streams = 0;
    uint64_t skipped = 0;  // since the last line that it was given
  };

  void tell_memcached_connection(const ClientState& client, bool begins);
  void push(const WatchedLine& line);

  const Parts parts_;
  const uint32_t reactor_;
  std::vector<Watcher> watchers_;
};

}  // namespace kvorum::server

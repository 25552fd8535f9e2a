// SPDX-License-Identifier: Apache-2.0
// The sockets that a node listens on, bound before anything else of it is opened: a taken port
// shows at once.
#pragma once

#include <vector>

#include "base/status.h"
#include "server/config/config.h"
#include "server/net/listener.h"
#include "server/net/unix_listener.h"

namespace kvorum::server {

struct NodeSockets {
  using OfReactors = std::vector<std::vector<ListeningSocket>>;

  // The error names the key of the configuration.
  static Result<NodeSockets> bind(const ListenConfig& listen, size_t reactors);
  // The Unix sockets.
  Status bind_paths(const ListenConfig& listen, size_t reactors);
  // Of all reactors, and one for the admin address.
  uint64_t count() const;

  OfReactors redis, memcached, peer;  // each empty where the configuration has no address
  std::vector<ListeningSocket> admin;
  std::vector<SocketFile> files;  // of Unix sockets, which are among those of redis and memcached
};

}  // namespace kvorum::server

// SPDX-License-Identifier: Apache-2.0
// Listening sockets. listen_on() binds at start-up, before anything is served, so that a port in
// use ends the process with a sentence that names the listener; an Acceptor then takes connections
// for one reactor. With several reactors each has a socket of its own on the port (SO_REUSEPORT),
// but the first is bound and listens without it: two processes never share a port in silence.
#pragma once

#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "cluster/ring/member.h"

namespace kvorum::server {

// A file descriptor that listens; closed with this object unless released.
class ListeningSocket {
 public:
  explicit ListeningSocket(int descriptor) : descriptor_(descriptor) {}
  ListeningSocket(ListeningSocket&& other) noexcept : descriptor_(other.release()) {}
  ~ListeningSocket();

  int descriptor() const { return descriptor_; }
  int release() { return std::exchange(descriptor_, -1); }

 private:
  int descriptor_;
};

bool is_ipv6(const ListeningSocket& socket);

struct ListenPlan {
  ListenPlan(size_t its_reactors, int its_backlog = 1024)
      : reactors(its_reactors), backlog(its_backlog) {}

  size_t reactors;
  int backlog;  // connections that wait to be accepted
};

// Sockets for each of the reactors: result[reactor] listens on every address that the host name
// stands for. `listener` is the name of the key in the configuration, for the error.
Result<std::vector<std::vector<ListeningSocket>>> listen_on(std::string_view listener,
                                                            const cluster::Endpoint& endpoint,
                                                            const ListenPlan& plan);

}  // namespace kvorum::server

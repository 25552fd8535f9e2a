// SPDX-License-Identifier: Apache-2.0
#include "server/node/node_sockets.h"

#include <utility>

namespace kvorum::server {
namespace {

uint64_t count_of(const NodeSockets::OfReactors& reactors) {
  uint64_t count = 0;
  for (const auto& of_reactor : reactors) count += of_reactor.size();
  return count;
}

}  // namespace

Result<NodeSockets> NodeSockets::bind(const ListenConfig& listen, size_t reactors) {
  NodeSockets bound;
  OfReactors admin;
  struct Wanted {
    const char* name;
    const cluster::Endpoint& endpoint;
    size_t reactors;
    OfReactors& sockets;
  };
  const Wanted all[] = {{"redis", listen.redis, reactors, bound.redis},
                        {"memcached", listen.memcached, reactors, bound.memcached},
                        {"peer", listen.peer, reactors, bound.peer},
                        {"admin", listen.admin, 1, admin}};
  for (const Wanted& wanted : all) {
    if (wanted.endpoint.empty()) continue;
    auto sockets = listen_on(wanted.name, wanted.endpoint, wanted.reactors);
    if (!sockets.ok()) return sockets.status();
    wanted.sockets = std::move(sockets).value();
  }
  if (!admin.empty()) bound.admin = std::move(admin[0]);
  return bound;
}

uint64_t NodeSockets::count() const {
  return count_of(redis) + count_of(memcached) + count_of(peer) + 1;
}

}  // namespace kvorum::server

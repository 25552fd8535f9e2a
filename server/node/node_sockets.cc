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
    auto sockets = listen_on(wanted.name, wanted.endpoint,
                             {wanted.reactors, static_cast<int>(listen.backlog)});
    if (!sockets.ok()) return sockets.status();
    wanted.sockets = std::move(sockets).value();
  }
  if (!admin.empty()) bound.admin = std::move(admin[0]);
  const Status status = bound.bind_paths(listen, reactors);
  if (!status.ok()) return status;
  return bound;
}

Status NodeSockets::bind_paths(const ListenConfig& listen, size_t reactors) {
  struct Wanted {
    const char* name;
    const std::string& path;
    OfReactors& sockets;
  };
  const Wanted all[] = {{"redis_socket", listen.redis_socket, redis},
                        {"memcached_socket", listen.memcached_socket, memcached}};
  for (const Wanted& wanted : all) {
    if (wanted.path.empty()) continue;
    auto file = listen_on_path(wanted.name, wanted.path, listen.socket_mode,
                               {reactors, static_cast<int>(listen.backlog)});
    if (!file.ok()) return file.status();
    wanted.sockets.resize(reactors);
    for (size_t i = 0; i < reactors; ++i) {
      wanted.sockets[i].push_back(std::move(file.value().sockets[i]));
    }
    files.push_back(std::move(file.value().file));
  }
  return {};
}

uint64_t NodeSockets::count() const {
  return count_of(redis) + count_of(memcached) + count_of(peer) + 1;
}

}  // namespace kvorum::server

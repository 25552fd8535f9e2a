// SPDX-License-Identifier: Apache-2.0
#include "server/net/listener.h"

#include <fmt/format.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

namespace kvorum::server {
namespace {

using AddressList = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

void switch_on(int descriptor, int level, int option) {
  const int on = 1;
  setsockopt(descriptor, level, option, &on, sizeof on);
}

std::string problem_text(std::string_view listener, const cluster::Endpoint& endpoint, int error) {
  std::string remedy;
  if (error == EADDRINUSE) {
    remedy =
        fmt::format("; stop what listens there, or choose another port for listen.{}", listener);
  } else if (error == EADDRNOTAVAIL) {
    remedy = "; this machine has no such address";
  } else if (error == EACCES) {
    remedy = "; ports below 1024 need a privilege";
  }
  return fmt::format("cannot listen for {} on {}: {}{}", listener, endpoint.to_text(),
                     std::strerror(error), remedy);
}

// A socket that listens, or -1 with errno.
int open_listening(const addrinfo& address, bool shared, int backlog) {
  const int descriptor =
      socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
  if (descriptor < 0) return -1;
  switch_on(descriptor, SOL_SOCKET, SO_REUSEADDR);
  if (shared) switch_on(descriptor, SOL_SOCKET, SO_REUSEPORT);
  if (address.ai_family == AF_INET6) switch_on(descriptor, IPPROTO_IPV6, IPV6_V6ONLY);
  if (bind(descriptor, address.ai_addr, address.ai_addrlen) == 0 &&
      listen(descriptor, backlog) == 0) {
    return descriptor;
  }
  const int error = errno;
  close(descriptor);
  errno = error;
  return -1;
}

}  // namespace

ListeningSocket::~ListeningSocket() {
  if (descriptor_ >= 0) close(descriptor_);
}

bool is_ipv6(const ListeningSocket& socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  getsockname(socket.descriptor(), reinterpret_cast<sockaddr*>(&address), &size);
  return address.ss_family == AF_INET6;
}

Result<std::vector<std::vector<ListeningSocket>>> listen_on(std::string_view listener,
                                                            const cluster::Endpoint& endpoint,
                                                            const ListenPlan& plan) {
  const size_t reactors = plan.reactors;
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  wanted.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int failure =
      getaddrinfo(endpoint.host.c_str(), std::to_string(endpoint.port).c_str(), &wanted, &found);
  const AddressList addresses(found, &freeaddrinfo);
  if (failure != 0) {
    return Status(Code::kIoError, fmt::format("cannot listen for {} on {}: {}; check the host name",
                                              listener, endpoint.to_text(), gai_strerror(failure)));
  }
  std::vector<std::vector<ListeningSocket>> sockets(reactors);
  int last_error = EADDRNOTAVAIL;
  for (const addrinfo* address = addresses.get(); address; address = address->ai_next) {
    for (size_t reactor = 0; reactor < reactors; ++reactor) {
      const int descriptor = open_listening(*address, reactor > 0, plan.backlog);
      if (descriptor < 0) {
        last_error = errno;
        // `localhost` may name a family that this machine has not; a port in use is final.
        if (last_error == EADDRNOTAVAIL || last_error == EAFNOSUPPORT) break;
        return Status(Code::kIoError, problem_text(listener, endpoint, last_error));
      }
      sockets[reactor].emplace_back(descriptor);
      if (reactor == 0 && reactors > 1) switch_on(descriptor, SOL_SOCKET, SO_REUSEPORT);
    }
  }
  if (sockets[0].empty())
    return Status(Code::kIoError, problem_text(listener, endpoint, last_error));
  return sockets;
}

}  // namespace kvorum::server

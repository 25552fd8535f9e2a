// SPDX-License-Identifier: Apache-2.0
#include "server/net/unix_listener.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace kvorum::server {
namespace {

ListeningSocket new_socket() {
  return ListeningSocket(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

// A file of a socket at which nobody listens any more.
bool is_left_behind(const sockaddr_un& address) {
  struct stat found {};
  if (lstat(address.sun_path, &found) != 0 || !S_ISSOCK(found.st_mode)) return false;
  const ListeningSocket probe = new_socket();
  return connect(probe.descriptor(), reinterpret_cast<const sockaddr*>(&address), sizeof address) !=
             0 &&
         errno == ECONNREFUSED;
}

bool bind_to(const ListeningSocket& socket, const sockaddr_un& address) {
  return bind(socket.descriptor(), reinterpret_cast<const sockaddr*>(&address), sizeof address) ==
         0;
}

Status problem(std::string_view listener, const std::string& path, int error) {
  const char* const remedy =
      error == EADDRINUSE ? "; stop what listens there, or choose another path" : "";
  return Status(Code::kIoError, fmt::format("cannot listen for {} on {}: {}{}", listener, path,
                                            std::strerror(error), remedy));
}

}  // namespace

SocketFile::~SocketFile() {
  if (!path_.empty()) unlink(path_.c_str());
}

Result<PathSockets> listen_on_path(std::string_view listener, const std::string& path,
                                   uint32_t mode, const ListenPlan& plan) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return problem(listener, path, ENAMETOOLONG);
  std::memcpy(address.sun_path, path.data(), path.size());
  ListeningSocket first = new_socket();
  if (first.descriptor() < 0) return problem(listener, path, errno);
  if (!bind_to(first, address)) {
    const int error = errno;
    if (error != EADDRINUSE || !is_left_behind(address)) return problem(listener, path, error);
    if (unlink(path.c_str()) != 0 || !bind_to(first, address)) {
      return problem(listener, path, errno);
    }
  }
  PathSockets bound{{}, SocketFile(path)};
  if (mode != 0 && chmod(path.c_str(), mode) != 0) return problem(listener, path, errno);
  if (listen(first.descriptor(), plan.backlog) != 0) return problem(listener, path, errno);
  for (size_t reactor = 1; reactor < plan.reactors; ++reactor) {
    const int copy = fcntl(first.descriptor(), F_DUPFD_CLOEXEC, 0);
    if (copy < 0) return problem(listener, path, errno);
    bound.sockets.emplace_back(copy);
  }
  bound.sockets.push_back(std::move(first));
  return bound;
}

}  // namespace kvorum::server

// SPDX-License-Identifier: Apache-2.0
// Listening sockets that are files: for clients on the same machine. One socket on the path, of
// which every reactor has a descriptor: whoever is awake first accepts. A file that a process left
// behind when it was killed is replaced; one at which somebody listens is not. Bound at start-up.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "server/net/listener.h"

namespace kvorum::server {

// The file goes with this object.
class SocketFile {
 public:
  explicit SocketFile(std::string path) : path_(std::move(path)) {}
  SocketFile(SocketFile&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  SocketFile& operator=(SocketFile&& other) noexcept {
    std::swap(path_, other.path_);
    return *this;
  }
  ~SocketFile();

 private:
  std::string path_;
};

struct PathSockets {
  std::vector<ListeningSocket> sockets;  // one for each reactor
  SocketFile file;
};

// `listener` is the name of the key in the configuration, for the error; `mode` that of the file,
// 0: as the umask leaves it.
Result<PathSockets> listen_on_path(std::string_view listener, const std::string& path,
                                   uint32_t mode, const ListenPlan& plan);

}  // namespace kvorum::server

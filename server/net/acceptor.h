// SPDX-License-Identifier: Apache-2.0
// Takes the connections of one listening socket for its reactor. When the process has no descriptor
// left it pauses instead of spinning, and counts: the log tells of it now and then. Owned by the
// reactor; stop() before the reactor's end. The reactor's thread only.
#pragma once

#include <atomic>
#include <functional>

#include "server/net/asio.h"
#include "server/net/listener.h"

namespace kvorum::server {

// Of all acceptors of a node. Any thread.
struct AcceptFailures {
  std::atomic<uint64_t> count{0};
  std::atomic<int> last_error{0};  // errno
};

class Acceptor {
 public:
  static constexpr auto kPause = std::chrono::milliseconds(100);

  Acceptor(asio::io_context& io, ListeningSocket socket, AcceptFailures& failures,
           std::function<void(TcpSocket)> take);
  Acceptor(const Acceptor&) = delete;

  void start();
  void stop();

 private:
  void on_accepted(const error_code& error, TcpSocket socket);

  asio::io_context& io_;
  TcpAcceptor acceptor_;
  SteadyTimer pause_;
  AcceptFailures& failures_;
  std::function<void(TcpSocket)> take_;
};

}  // namespace kvorum::server

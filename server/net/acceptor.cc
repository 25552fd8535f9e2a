// SPDX-License-Identifier: Apache-2.0
#include "server/net/acceptor.h"

namespace kvorum::server {

Acceptor::Acceptor(asio::io_context& io, ListeningSocket socket, AcceptFailures& failures,
                   std::function<void(TcpSocket)> take)
    : io_(io),
      acceptor_(io.get_executor()),
      pause_(io.get_executor()),
      failures_(failures),
      take_(std::move(take)) {
  const Tcp protocol = is_ipv6(socket) ? Tcp::v6() : Tcp::v4();
  acceptor_.assign(protocol, socket.release());
}

void Acceptor::start() {
  acceptor_.async_accept(io_.get_executor(), [this](const error_code& error, TcpSocket socket) {
    on_accepted(error, std::move(socket));
  });
}

void Acceptor::on_accepted(const error_code& error, TcpSocket socket) {
  if (!acceptor_.is_open()) return;
  if (!error) {
    take_(std::move(socket));
    return start();
  }
  if (error == asio::error::connection_aborted) return start();
  failures_.last_error = error.value();
  ++failures_.count;
  pause_.expires_after(kPause);
  pause_.async_wait([this](const error_code& cancelled) {
    if (!cancelled && acceptor_.is_open()) start();
  });
}

void Acceptor::stop() {
  error_code ignored;
  acceptor_.close(ignored);
  pause_.cancel();
}

}  // namespace kvorum::server

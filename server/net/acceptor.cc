// SPDX-License-Identifier: Apache-2.0
#include "server/net/acceptor.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace kvorum::server {
namespace {

// Of the connection, which is gone, not of the socket.
bool is_its_own(int error) {
  return error == EINTR || error == ECONNABORTED || error == EPROTO || error == ENETDOWN ||
         error == EHOSTUNREACH || error == ENETUNREACH || error == EHOSTDOWN;
}

}  // namespace

Acceptor::Acceptor(EventLoop& loop, ListeningSocket socket, AcceptFailures& failures,
                   std::function<void(TcpSocket)> take)
    : loop_(loop),
      protocol_(is_ipv6(socket) ? Tcp::v6() : Tcp::v4()),
      failures_(failures),
      take_(std::move(take)) {
  watched_.socket = socket.release();
  watched_.pollable = this;
}

void Acceptor::start() {
  if (watched_.socket < 0 || loop_.polls().watch(watched_, EPOLLIN)) return;
  pause(errno);
}

void Acceptor::on_ready(bool, bool) {
  for (int taken = 0; taken < kAtOnceMax && watched_.socket >= 0 && accept_one();) ++taken;
}

// False where there is none to take.
bool Acceptor::accept_one() {
  const int accepted = ::accept4(watched_.socket, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (accepted < 0) {
    if (is_its_own(errno)) return true;
    if (errno != EAGAIN) pause(errno);
    return false;
  }
  TcpSocket socket(loop_.io().get_executor());
  error_code error;
  socket.assign(protocol_, accepted, error);
  if (error) {
    ::close(accepted);
    pause(error.value());
    return false;
  }
  take_(std::move(socket));
  return true;
}

void Acceptor::pause(int error) {
  failures_.last_error = error;
  ++failures_.count;
  loop_.polls().watch(watched_, 0);
  paused_ = true;
  pause_until_us_ = 0;
}

void Acceptor::go_on_after_pause(uint64_t now_us) {
  if (pause_until_us_ == 0) {
    pause_until_us_ = now_us + kPauseUs;
    return;
  }
  paused_ = false;
  start();
}

void Acceptor::stop() {
  paused_ = false;
  if (watched_.socket < 0) return;
  // Another reactor may have a descriptor of the same socket: it would stay watched.
  loop_.polls().watch(watched_, 0);
  ::close(std::exchange(watched_.socket, -1));
}

}  // namespace kvorum::server

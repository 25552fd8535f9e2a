// SPDX-License-Identifier: Apache-2.0
#include "bench/connection.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

namespace kvorum::bench {
namespace {

constexpr size_t kInputBytes = 16 * 1024;

using Addresses = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

Result<std::pair<std::string, std::string>> split_address(const std::string& address) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == address.size())
    return Status(Code::kInvalid, fmt::format("'{}' is not of the form HOST:PORT", address));
  std::string host = address.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']')
    host = host.substr(1, host.size() - 2);
  return std::pair(std::move(host), address.substr(colon + 1));
}

Result<int> connect_to(const std::string& address) {
  const auto parts = split_address(address);
  if (!parts.ok()) return parts.status();
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const auto& [host, port] = parts.value();
  if (const int error = getaddrinfo(host.c_str(), port.c_str(), &hints, &found); error != 0)
    return Status(Code::kIoError,
                  fmt::format("cannot resolve {}: {}", address, gai_strerror(error)));
  const Addresses owner(found, &freeaddrinfo);
  int last_error = 0;
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    const int socket = ::socket(one->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (socket >= 0 && connect(socket, one->ai_addr, one->ai_addrlen) == 0) return socket;
    last_error = errno;
    if (socket >= 0) close(socket);
  }
  return Status(Code::kIoError,
                fmt::format("cannot connect to {}: {}", address, std::strerror(last_error)));
}

}  // namespace

void RequestQueue::grow() {
  std::vector<Request> larger(ring_.size() * 2);
  const size_t count = size();
  for (size_t i = 0; i < count; ++i) larger[i] = ring_[(head_ + i) & (ring_.size() - 1)];
  ring_ = std::move(larger);
  head_ = 0;
  tail_ = count;
}

Result<Connection> Connection::open(const std::string& address) {
  const Result<int> socket = connect_to(address);
  if (!socket.ok()) return socket.status();
  const int on = 1;
  setsockopt(socket.value(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  fcntl(socket.value(), F_SETFL, fcntl(socket.value(), F_GETFL) | O_NONBLOCK);
  return Connection(socket.value(), address);
}

Connection::Connection(int socket, std::string address)
    : socket_(socket), address_(std::move(address)), input_(kInputBytes) {}

Connection::Connection(Connection&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)),
      address_(std::move(other.address_)),
      output_(std::move(other.output_)),
      sent_(other.sent_),
      input_(std::move(other.input_)),
      input_begin_(other.input_begin_),
      input_end_(other.input_end_),
      unanswered_(std::move(other.unanswered_)) {}

Connection::~Connection() {
  if (socket_ >= 0) close(socket_);
}

Status Connection::failure(std::string_view what) const {
  return Status(Code::kIoError,
                fmt::format("{}: {} ({} requests unanswered)", address_, what, unanswered_.size()));
}

Status Connection::flush() {
  while (output_pending()) {
    const ssize_t sent =
        send(socket_, output_.data() + sent_, output_.size() - sent_, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return {};
    if (sent < 0) return failure(std::strerror(errno));
    sent_ += static_cast<size_t>(sent);
  }
  output_.clear();
  sent_ = 0;
  return {};
}

void Connection::make_room() {
  const size_t kept = input_end_ - input_begin_;
  if (kept == 0) {
    input_begin_ = input_end_ = 0;
  } else if (input_end_ == input_.size()) {
    std::memmove(input_.data(), input_.data() + input_begin_, kept);
    input_begin_ = 0;
    input_end_ = kept;
    if (kept > input_.size() / 2) input_.resize(input_.size() * 2);
  }
}

Status Connection::receive() {
  make_room();
  const ssize_t got = recv(socket_, input_.data() + input_end_, input_.size() - input_end_, 0);
  if (got == 0) return failure("the server closed the connection");
  if (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
    return failure(std::strerror(errno));
  if (got > 0) input_end_ += static_cast<size_t>(got);
  return {};
}

}  // namespace kvorum::bench

// SPDX-License-Identifier: Apache-2.0
#include "server/admin/http.h"

#include <pthread.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/version.hpp>
#include <chrono>
#include <thread>

#include "server/net/hosts.h"

namespace kvorum::server {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using Tcp = asio::ip::tcp;
using boost::system::error_code;
using std::chrono::seconds;
using Parser = http::request_parser<http::string_body>;
using Response = http::response<http::string_body>;

constexpr size_t kFirstReadBytes = 4096;
constexpr auto kAcceptPause = std::chrono::milliseconds(100);

std::string field_of(const http::request<http::string_body>& request, http::field name) {
  return std::string(request[name]);
}

HttpRequest plain_request(const http::request<http::string_body>& request) {
  HttpRequest wanted;
  wanted.method = std::string(request.method_string());
  const std::string target(request.target());
  const size_t question = target.find('?');
  wanted.path = target.substr(0, question);
  if (question != std::string::npos) wanted.query = target.substr(question + 1);
  wanted.host = field_of(request, http::field::host);
  wanted.origin = field_of(request, http::field::origin);
  wanted.content_type = field_of(request, http::field::content_type);
  wanted.authorization = field_of(request, http::field::authorization);
  wanted.body = request.body();
  wanted.version = request.version();
  return wanted;
}

Response beast_response(const http::request<http::string_body>& request, HttpAnswer answer) {
  Response response{http::int_to_status(answer.status), request.version()};
  response.set(http::field::server, "kvorum");
  response.set(http::field::content_type, answer.content_type);
  response.set(http::field::cache_control, "no-store");
  response.set("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'");
  response.set("X-Frame-Options", "DENY");
  response.set("X-Content-Type-Options", "nosniff");
  response.set("Referrer-Policy", "no-referrer");
  for (const auto& [name, value] : answer.headers) response.set(name, value);
  response.keep_alive(request.keep_alive());
  response.body() = std::move(answer.body);
  response.prepare_payload();
  if (request.method() == http::verb::head) response.body().clear();
  return response;
}

// In the order in which they are closed to make room.
enum class Phase : uint8_t { kIdle, kReading, kAnswering };

struct Connection {
  explicit Connection(Tcp::socket socket) : stream(std::move(socket)) {}

  beast::tcp_stream stream;
  beast::flat_buffer buffer{HttpServer::kRequestBytesMax};
  asio::ip::address address;
  Phase phase = Phase::kIdle;
  uint64_t since = 0;  // of the phase, as a number that counts changes

  bool gives_way_before(const Connection& other) const {
    return phase != other.phase ? phase < other.phase : since < other.since;
  }
};

}  // namespace

struct HttpServer::Impl {
  asio::io_context io{1};
  std::function<HttpAnswer(const HttpRequest&)> answer;
  HttpLimits limits;
  std::vector<Tcp::acceptor> acceptors;
  std::vector<std::shared_ptr<Connection>> connections;
  uint64_t changes = 0;
  std::thread thread;

  asio::awaitable<void> accept_loop(Tcp::acceptor& acceptor);
  asio::awaitable<void> serve(std::shared_ptr<Connection> connection);
  asio::awaitable<bool> await_request(Connection& connection);
  asio::awaitable<bool> serve_one(Connection& connection);
  void admit(Tcp::socket socket);
  void make_room(const asio::ip::address* of);
  void enter(Connection& connection, Phase phase);
  void forget(const Connection* connection);
};

void HttpServer::Impl::enter(Connection& connection, Phase phase) {
  connection.phase = phase;
  connection.since = ++changes;
}

void HttpServer::Impl::forget(const Connection* connection) {
  std::erase_if(connections, [&](const auto& each) { return each.get() == connection; });
}

// Closes one connection, of an address or of any.
void HttpServer::Impl::make_room(const asio::ip::address* of) {
  std::shared_ptr<Connection> leaving;
  for (const auto& each : connections) {
    if (of != nullptr && each->address != *of) continue;
    if (!leaving || each->gives_way_before(*leaving)) leaving = each;
  }
  if (!leaving) return;
  leaving->stream.close();
  forget(leaving.get());
}

void HttpServer::Impl::admit(Tcp::socket socket) {
  error_code error;
  const Tcp::endpoint remote = socket.remote_endpoint(error);
  if (error) return;  // it left already
  auto connection = std::make_shared<Connection>(std::move(socket));
  connection->address = remote.address();
  const auto same = std::count_if(connections.begin(), connections.end(), [&](const auto& each) {
    return each->address == connection->address;
  });
  if (static_cast<size_t>(same) >= limits.of_one_address_max) {
    make_room(&connection->address);
  } else if (connections.size() >= limits.connections_max) {
    make_room(nullptr);
  }
  enter(*connection, Phase::kIdle);
  connections.push_back(connection);
  asio::awaitable<void> served = serve(std::move(connection));
  asio::co_spawn(io, std::move(served), asio::detached);
}

asio::awaitable<void> HttpServer::Impl::accept_loop(Tcp::acceptor& acceptor) {
  for (;;) {
    error_code error;
    Tcp::socket socket =
        co_await acceptor.async_accept(asio::redirect_error(asio::use_awaitable, error));
    if (error == asio::error::operation_aborted) co_return;
    if (error) {
      make_room(nullptr);  // no descriptor is left: one of ours is worth less than a probe
      asio::steady_timer pause(io, kAcceptPause);
      co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, error));
      continue;
    }
    admit(std::move(socket));
  }
}

asio::awaitable<void> HttpServer::Impl::serve(std::shared_ptr<Connection> connection) {
  bool more = true;
  while (more) more = co_await serve_one(*connection);
  error_code ignored;
  connection->stream.socket().shutdown(Tcp::socket::shutdown_both, ignored);
  forget(connection.get());
}

// Until its first byte is there.
asio::awaitable<bool> HttpServer::Impl::await_request(Connection& connection) {
  if (connection.buffer.size() != 0) co_return true;
  error_code error;
  connection.stream.expires_after(seconds(kIdleSeconds));
  const size_t received = co_await connection.stream.async_read_some(
      connection.buffer.prepare(kFirstReadBytes), asio::redirect_error(asio::use_awaitable, error));
  if (error) co_return false;
  connection.buffer.commit(received);
  co_return true;
}

// False: the connection ends.
asio::awaitable<bool> HttpServer::Impl::serve_one(Connection& connection) {
  enter(connection, Phase::kIdle);
  if (!co_await await_request(connection)) co_return false;
  enter(connection, Phase::kReading);
  Parser parser;
  parser.header_limit(16 * 1024);
  parser.body_limit(kRequestBytesMax);
  error_code error;
  connection.stream.expires_after(seconds(kRequestSeconds));
  co_await http::async_read(connection.stream, connection.buffer, parser,
                            asio::redirect_error(asio::use_awaitable, error));
  if (error) co_return false;
  HttpRequest wanted = plain_request(parser.get());
  wanted.from_loopback = is_loopback_address(connection.address);
  wanted.address = connection.address.to_string();
  HttpAnswer answered = answer(wanted);
  Response response = beast_response(parser.get(), std::move(answered));
  const bool keep = response.keep_alive();
  enter(connection, Phase::kAnswering);
  connection.stream.expires_after(seconds(kAnswerSeconds));
  co_await http::async_write(connection.stream, response,
                             asio::redirect_error(asio::use_awaitable, error));
  co_return keep && !error;
}

HttpServer::HttpServer(std::vector<ListeningSocket> sockets,
                       std::function<HttpAnswer(const HttpRequest&)> answer,
                       const HttpLimits& limits)
    : impl_(std::make_unique<Impl>()) {
  impl_->answer = std::move(answer);
  impl_->limits = limits;
  impl_->acceptors.reserve(sockets.size());  // the loops hold references
  for (ListeningSocket& socket : sockets) {
    const Tcp protocol = is_ipv6(socket) ? Tcp::v6() : Tcp::v4();
    impl_->acceptors.emplace_back(impl_->io, protocol, socket.release());
  }
  for (Tcp::acceptor& acceptor : impl_->acceptors) {
    asio::co_spawn(impl_->io, impl_->accept_loop(acceptor), asio::detached);
  }
  impl_->thread = std::thread([io = &impl_->io] { io->run(); });
  pthread_setname_np(impl_->thread.native_handle(), "admin");
}

HttpServer::~HttpServer() {
  impl_->io.stop();
  impl_->thread.join();
}

}  // namespace kvorum::server

// SPDX-License-Identifier: Apache-2.0
#include "server/admin/http.h"

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

#include "server/logging.h"

namespace kvorum::server {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using Tcp = asio::ip::tcp;
using boost::system::error_code;
using Parser = http::request_parser<http::string_body>;
using Response = http::response<http::string_body>;

constexpr auto kClientPatience = std::chrono::seconds(5);

HttpRequest plain_request(const http::request<http::string_body>& request) {
  HttpRequest wanted;
  wanted.method = std::string(request.method_string());
  const std::string target(request.target());
  const size_t question = target.find('?');
  wanted.path = target.substr(0, question);
  if (question != std::string::npos) wanted.query = target.substr(question + 1);
  return wanted;
}

Response beast_response(const http::request<http::string_body>& request, HttpAnswer answer) {
  Response response{http::int_to_status(answer.status), request.version()};
  response.set(http::field::server, "kvorum");
  response.set(http::field::content_type, answer.content_type);
  response.set(http::field::cache_control, "no-store");
  response.keep_alive(request.keep_alive());
  response.body() = std::move(answer.body);
  response.prepare_payload();
  if (request.method() == http::verb::head) response.body().clear();
  return response;
}

}  // namespace

struct HttpServer::Impl {
  asio::io_context io{1};
  std::function<HttpAnswer(const HttpRequest&)> answer;
  std::vector<Tcp::acceptor> acceptors;
  size_t connections = 0;
  std::thread thread;

  asio::awaitable<void> accept_loop(Tcp::acceptor& acceptor);
  asio::awaitable<void> serve(Tcp::socket socket);
  asio::awaitable<bool> serve_one(beast::tcp_stream& stream, beast::flat_buffer& buffer);
};

asio::awaitable<void> HttpServer::Impl::accept_loop(Tcp::acceptor& acceptor) {
  for (;;) {
    error_code error;
    Tcp::socket socket =
        co_await acceptor.async_accept(asio::redirect_error(asio::use_awaitable, error));
    if (error == asio::error::operation_aborted) co_return;
    if (error) {
      asio::steady_timer pause(io, std::chrono::milliseconds(100));
      co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, error));
      continue;
    }
    if (connections >= kConnectionsMax) continue;
    ++connections;
    asio::awaitable<void> served = serve(std::move(socket));
    asio::co_spawn(io, std::move(served), asio::detached);
  }
}

asio::awaitable<void> HttpServer::Impl::serve(Tcp::socket socket) {
  beast::tcp_stream stream(std::move(socket));
  beast::flat_buffer buffer(kRequestBytesMax);
  bool more = true;
  while (more) more = co_await serve_one(stream, buffer);
  error_code ignored;
  stream.socket().shutdown(Tcp::socket::shutdown_both, ignored);
  --connections;
}

// False: the connection ends.
asio::awaitable<bool> HttpServer::Impl::serve_one(beast::tcp_stream& stream,
                                                  beast::flat_buffer& buffer) {
  Parser parser;
  parser.header_limit(16 * 1024);
  parser.body_limit(kRequestBytesMax);
  error_code error;
  stream.expires_after(std::chrono::seconds(kIdleSeconds));
  co_await http::async_read(stream, buffer, parser,
                            asio::redirect_error(asio::use_awaitable, error));
  if (error) co_return false;
  HttpRequest wanted = plain_request(parser.get());
  HttpAnswer answered = answer(wanted);
  Response response = beast_response(parser.get(), std::move(answered));
  const bool keep = response.keep_alive();
  stream.expires_after(std::chrono::seconds(kIdleSeconds));
  co_await http::async_write(stream, response, asio::redirect_error(asio::use_awaitable, error));
  co_return keep && !error;
}

HttpServer::HttpServer(std::vector<ListeningSocket> sockets,
                       std::function<HttpAnswer(const HttpRequest&)> answer)
    : impl_(std::make_unique<Impl>()) {
  impl_->answer = std::move(answer);
  impl_->acceptors.reserve(sockets.size());  // the loops hold references
  for (ListeningSocket& socket : sockets) {
    const Tcp protocol = is_ipv6(socket) ? Tcp::v6() : Tcp::v4();
    impl_->acceptors.emplace_back(impl_->io, protocol, socket.release());
  }
  for (Tcp::acceptor& acceptor : impl_->acceptors) {
    asio::co_spawn(impl_->io, impl_->accept_loop(acceptor), asio::detached);
  }
  impl_->thread = std::thread([io = &impl_->io] { io->run(); });
}

HttpServer::~HttpServer() {
  impl_->io.stop();
  impl_->thread.join();
}

namespace {

// Why there is no answer, and what to do about it.
Status no_answer(const cluster::Endpoint& endpoint, const error_code& error, bool connected) {
  const std::string address = endpoint.to_text();
  const auto unavailable = [](const std::string& text) { return Status(Code::kUnavailable, text); };
  if (!connected) {
    return unavailable(fmt::format(
        "cannot reach the admin address {}: {}; is the node running? (--admin names another)",
        address, error.message()));
  }
  if (error == beast::error::timeout) {
    return unavailable(fmt::format(
        "{} took the connection but did not answer within {} s: the node is stopped or hangs; look "
        "at its process and its log, or ask another with --admin",
        address, kClientPatience.count()));
  }
  return unavailable(
      fmt::format("what listens at {} does not answer HTTP ({}): is it a redis, memcached or peer "
                  "port? --admin wants the admin port, 8379 unless configured otherwise",
                  address, error.message()));
}

Result<HttpAnswer> http_ask(http::verb verb, const cluster::Endpoint& endpoint,
                            const std::string& target) {
  asio::io_context io;
  error_code error;
  bool connected = false;
  Tcp::resolver resolver(io);
  const auto found = resolver.resolve(endpoint.host, std::to_string(endpoint.port), error);
  if (error) return no_answer(endpoint, error, connected);
  beast::tcp_stream stream(io);
  beast::flat_buffer buffer;
  http::request<http::empty_body> request{verb, target, 11};
  request.set(http::field::host, endpoint.to_text());
  request.prepare_payload();
  http::response<http::string_body> response;
  stream.expires_after(kClientPatience);
  stream.async_connect(found, [&](const error_code& refused, const Tcp::endpoint&) {
    error = refused;
    connected = !error;
    if (error) return;
    http::async_write(stream, request, [&](const error_code& sent, size_t) {
      error = sent;
      if (error) return;
      http::async_read(stream, buffer, response,
                       [&](const error_code& received, size_t) { error = received; });
    });
  });
  io.run();
  if (error) return no_answer(endpoint, error, connected);
  HttpAnswer answer;
  answer.status = response.result_int();
  answer.content_type = std::string(response[http::field::content_type]);
  answer.body = std::move(response.body());
  return answer;
}

}  // namespace

Result<HttpAnswer> http_get(const cluster::Endpoint& endpoint, const std::string& target) {
  return http_ask(http::verb::get, endpoint, target);
}

Result<HttpAnswer> http_post(const cluster::Endpoint& endpoint, const std::string& target) {
  return http_ask(http::verb::post, endpoint, target);
}

}  // namespace kvorum::server

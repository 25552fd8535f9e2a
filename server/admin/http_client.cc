// SPDX-License-Identifier: Apache-2.0
// The asking side of http.h: one request, for the command line.
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <chrono>

#include "server/admin/http.h"
#include "server/process/logging.h"

namespace kvorum::server {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using Tcp = asio::ip::tcp;
using boost::system::error_code;

constexpr auto kClientPatience = std::chrono::seconds(5);

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

Result<HttpAnswer> http_ask(const cluster::Endpoint& endpoint,
                            http::request<http::string_body> request) {
  asio::io_context io;
  error_code error;
  bool connected = false;
  Tcp::resolver resolver(io);
  const auto found = resolver.resolve(endpoint.host, std::to_string(endpoint.port), error);
  if (error) return no_answer(endpoint, error, connected);
  beast::tcp_stream stream(io);
  beast::flat_buffer buffer;
  request.set(http::field::host, endpoint.to_text());
  if (request.method() == http::verb::post)
    request.set(http::field::content_type, "application/json");
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
  return http_ask(endpoint, {http::verb::get, target, 11});
}

Result<HttpAnswer> http_post(const cluster::Endpoint& endpoint, const std::string& target,
                             std::string body) {
  return http_ask(endpoint, {http::verb::post, target, 11, std::move(body)});
}

}  // namespace kvorum::server

// SPDX-License-Identifier: Apache-2.0
// The little HTTP that the admin API needs, both sides: a server on a thread of its own, and one
// request of the command line (http_client.cc). Requests are bounded in size and time. Connections
// are bounded in number, and those of one address again, but nobody is turned away: the one that is
// idle for longest makes room, so that connections which only stay open never shut out a probe.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/status.h"
#include "cluster/ring/member.h"
#include "server/net/listener.h"

namespace kvorum::server {

struct HttpRequest {
  std::string method;  // GET
  std::string path;    // without the query
  std::string query;   // behind `?`
  // Of the header; empty where it has none.
  std::string host, origin, content_type, authorization;
  std::string body;
  bool from_loopback = true;  // the other end is on this machine
  std::string address;        // of the other end
  unsigned version = 11;
};

struct HttpAnswer {
  unsigned status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers = {};  // further ones
};

struct HttpLimits {
  size_t connections_max = 256;
  size_t of_one_address_max = 32;
};

class HttpServer {
 public:
  static constexpr size_t kRequestBytesMax = 64 * 1024;
  static constexpr uint32_t kIdleSeconds = 15;    // between two requests
  static constexpr uint32_t kRequestSeconds = 5;  // from its first byte to its last
  static constexpr uint32_t kAnswerSeconds = 15;

  // `answer` runs on the server's thread and must not block for long.
  HttpServer(std::vector<ListeningSocket> sockets,
             std::function<HttpAnswer(const HttpRequest&)> answer, const HttpLimits& limits = {});
  // Ends open connections and the thread.
  ~HttpServer();

 private:
  struct Impl;  // with Asio and Beast, which those who answer need not know
  std::unique_ptr<Impl> impl_;
};

// One request; the error says what could not be reached. `body` is a JSON document.
Result<HttpAnswer> http_get(const cluster::Endpoint& endpoint, const std::string& target);
Result<HttpAnswer> http_post(const cluster::Endpoint& endpoint, const std::string& target,
                             std::string body = {});

}  // namespace kvorum::server

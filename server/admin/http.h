// SPDX-License-Identifier: Apache-2.0
// The little HTTP that the admin API needs, both sides: a server on a thread of its own, and one
// request of the command line. Requests are bounded in size and time; connections in number. The
// only code that knows Boost.Beast is http.cc.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "cluster/member.h"
#include "server/listener.h"

namespace kvorum::server {

struct HttpRequest {
  std::string method;  // GET
  std::string path;    // without the query
  std::string query;   // behind `?`
};

struct HttpAnswer {
  unsigned status = 200;
  std::string content_type = "application/json";
  std::string body;
};

class HttpServer {
 public:
  static constexpr size_t kRequestBytesMax = 64 * 1024;
  static constexpr size_t kConnectionsMax = 64;
  static constexpr uint32_t kIdleSeconds = 15;

  // `answer` runs on the server's thread and must not block for long.
  HttpServer(std::vector<ListeningSocket> sockets,
             std::function<HttpAnswer(const HttpRequest&)> answer);
  // Ends open connections and the thread.
  ~HttpServer();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// One request without a body; the error says what could not be reached.
Result<HttpAnswer> http_get(const cluster::Endpoint& endpoint, const std::string& target);
Result<HttpAnswer> http_post(const cluster::Endpoint& endpoint, const std::string& target);

}  // namespace kvorum::server

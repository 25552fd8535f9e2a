// SPDX-License-Identifier: Apache-2.0
// Any bytes as a client's stream of memcached's binary protocol, once in one piece and once in
// many: the requests must be equal, and every view must lie in the input. The first two bytes
// choose the size of the pieces and the limit of values.
#include <string>

#include "base/check.h"
#include "protocol/memcached_binary.h"
#include "tests/fuzz/memcached_stream.h"

namespace kvorum::fuzz {
namespace {

using protocol::MemcachedBinaryParser;
using protocol::MemcachedBinaryRequest;
using protocol::MemcachedStatus;

// A request in one line of text; it checks the request on the way.
std::string text_of(const MemcachedBinaryRequest& request, std::string_view input) {
  KVORUM_CHECK(inside(request.key, input) && inside(request.value, input));
  KVORUM_CHECK(request.key.size() <= 250);
  KVORUM_CHECK(!request.closes || request.status != MemcachedStatus::kOk);
  std::string echo;
  append_echo(request.echo(), echo);
  const protocol::MemcachedEcho read = protocol::read_echo(echo);
  KVORUM_CHECK(read.opcode == request.opcode && read.opaque == request.opaque);
  std::string response;
  protocol::append_binary_head({read, request.status, request.cas, request.flags, request.value},
                               response);
  KVORUM_CHECK(response.size() >= protocol::kMemcachedHeaderBytes);
  return echo.append(request.key)
      .append("|")
      .append(request.value)
      .append("|" + std::to_string(static_cast<int>(request.command)) + " " +
              std::to_string(static_cast<int>(request.status)) + " " +
              std::to_string(request.flags) + " " + std::to_string(request.exptime) + " " +
              std::to_string(request.cas) + " " + std::to_string(request.delta) + " " +
              std::to_string(request.initial) + " " + std::to_string(request.creates) +
              std::to_string(request.quiet) + std::to_string(request.closes));
}

struct Protocol {
  using Parser = MemcachedBinaryParser;
  using Request = MemcachedBinaryRequest;
  static std::string shown(const Request& request, std::string_view input) {
    return text_of(request, input);
  }
  static bool ends(const Request& request) { return request.closes; }
};

const RegisterFuzzTarget kRegistered("memcached_binary_fuzz", &fuzz_memcached_stream<Protocol>);

}  // namespace
}  // namespace kvorum::fuzz

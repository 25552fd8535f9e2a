// SPDX-License-Identifier: Apache-2.0
// Any bytes as a client's stream of memcached's binary protocol, once in one piece and once in
// many: the requests must be equal, and every view must lie in the input. The first two bytes
// choose the size of the pieces and the limit of values.
#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "base/check.h"
#include "protocol/memcached_binary.h"
#include "tests/fuzz/fuzz_target.h"

namespace kvorum::fuzz {
namespace {

using protocol::MemcachedBinaryParser;
using protocol::MemcachedBinaryRequest;
using protocol::MemcachedStatus;
using protocol::ParseResult;
using protocol::ParseStatus;

bool inside(std::string_view part, std::string_view whole) {
  return part.data() == nullptr ||
         (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

// A request in one line of text; it checks the request on the way.
std::string shown(const MemcachedBinaryRequest& request, std::string_view input) {
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

std::vector<std::string> feed(std::string_view stream, size_t piece_bytes, size_t value_bytes_max) {
  MemcachedBinaryParser parser({.value_bytes_max = value_bytes_max});
  std::vector<std::string> outcome;
  MemcachedBinaryRequest request;
  size_t consumed = 0;
  size_t arrived = 0;
  while (arrived < stream.size()) {
    arrived = std::min(stream.size(), arrived + piece_bytes);
    while (true) {
      const std::string_view input = stream.substr(consumed, arrived - consumed);
      const ParseResult result = parser.parse(input, request);
      KVORUM_CHECK(result.consumed <= input.size());
      consumed += result.consumed;
      if (result.status == ParseStatus::kError) {
        outcome.push_back("closed");
        return outcome;
      }
      if (result.status == ParseStatus::kNeedMore) {
        KVORUM_CHECK(result.more_hint > 0);
        break;
      }
      KVORUM_CHECK(result.consumed > 0);
      outcome.push_back(shown(request, input));
      if (request.closes) return outcome;
    }
  }
  outcome.push_back(std::to_string(stream.size() - consumed) + " bytes left");
  return outcome;
}

void fuzz_memcached_binary(std::string_view input) {
  Choices choices(input);
  const size_t piece_bytes = 1 + choices.byte() % 64;
  const size_t value_bytes_max = choices.byte();
  const std::string_view stream = choices.rest();
  KVORUM_CHECK(feed(stream, stream.size() + 1, value_bytes_max) ==
               feed(stream, piece_bytes, value_bytes_max));
}

const RegisterFuzzTarget kRegistered("memcached_binary_fuzz", &fuzz_memcached_binary);

}  // namespace
}  // namespace kvorum::fuzz

// SPDX-License-Identifier: Apache-2.0
// Any bytes as a client's memcached stream, once in one piece and once in many: the answers must be
// equal, and every view must lie in the input. The first two bytes choose the size of the pieces
// and the limit of values.
#include <string>

#include "base/check.h"
#include "protocol/memcached_parser.h"
#include "tests/fuzz/memcached_stream.h"

namespace kvorum::fuzz {
namespace {

using protocol::MemcachedCommand;
using protocol::MemcachedParser;
using protocol::MemcachedRequest;

// A request in one line of text; it checks the request on the way.
std::string text_of(const MemcachedRequest& request, std::string_view input) {
  KVORUM_CHECK(request.first_key + request.key_count <= request.words.size());
  KVORUM_CHECK(inside(request.value, input));
  KVORUM_CHECK(!request.error.empty() || request.command != MemcachedCommand::kUnknown);
  std::string text = std::to_string(static_cast<int>(request.command));
  for (const std::string_view word : request.words) {
    KVORUM_CHECK(!word.empty() && inside(word, input));
    text.append(" ").append(word);
  }
  for (const std::string_view key : request.keys()) KVORUM_CHECK(key.size() <= 250);
  text.append("|").append(request.error).append("|").append(request.value);
  return text + "|" + std::to_string(request.flags) + " " + std::to_string(request.exptime) + " " +
         std::to_string(request.cas) + " " + std::to_string(request.delta) + " " +
         std::to_string(request.noreply);
}

struct Protocol {
  using Parser = MemcachedParser;
  using Request = MemcachedRequest;
  static std::string shown(const Request& request, std::string_view input) {
    return text_of(request, input);
  }
  static bool ends(const Request&) { return false; }
};

const RegisterFuzzTarget kRegistered("memcached_fuzz", &fuzz_memcached_stream<Protocol>);

}  // namespace
}  // namespace kvorum::fuzz

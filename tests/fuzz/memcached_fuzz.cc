// SPDX-License-Identifier: Apache-2.0
// Any bytes as a client's memcached stream, once in one piece and once in many: the answers must be
// equal, and every view must lie in the input. The first two bytes choose the size of the pieces
// and the limit of values.
#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "base/check.h"
#include "protocol/memcached_parser.h"
#include "tests/fuzz/fuzz_target.h"

namespace kvorum::fuzz {
namespace {

using protocol::MemcachedCommand;
using protocol::MemcachedParser;
using protocol::MemcachedRequest;
using protocol::ParseResult;
using protocol::ParseStatus;

bool inside(std::string_view part, std::string_view whole) {
  return part.data() == nullptr ||
         (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

// A request in one line of text; it checks the request on the way.
std::string shown(const MemcachedRequest& request, std::string_view input) {
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

std::vector<std::string> feed(std::string_view stream, size_t piece_bytes, size_t value_bytes_max) {
  MemcachedParser parser({.value_bytes_max = value_bytes_max});
  std::vector<std::string> outcome;
  MemcachedRequest request;
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
        outcome.push_back("closed: " + std::string(result.error));
        return outcome;
      }
      if (result.status == ParseStatus::kNeedMore) {
        KVORUM_CHECK(result.more_hint > 0);
        break;
      }
      KVORUM_CHECK(result.consumed > 0);
      outcome.push_back(shown(request, input));
    }
  }
  outcome.push_back(std::to_string(stream.size() - consumed) + " bytes left");
  return outcome;
}

void fuzz_memcached(std::string_view input) {
  Choices choices(input);
  const size_t piece_bytes = 1 + choices.byte() % 64;
  const size_t value_bytes_max = choices.byte();
  const std::string_view stream = choices.rest();
  KVORUM_CHECK(feed(stream, stream.size() + 1, value_bytes_max) ==
               feed(stream, piece_bytes, value_bytes_max));
}

const RegisterFuzzTarget kRegistered("memcached_fuzz", &fuzz_memcached);

}  // namespace
}  // namespace kvorum::fuzz

// SPDX-License-Identifier: Apache-2.0
// A client's stream of one of memcached's protocols, given to a parser in one piece and in many:
// what it makes of it must be the same. For the fuzz targets of both parsers. A protocol has a
// Parser, a Request, shown(request, input), its text, which checks it on the way, and
// ends(request): the connection does with it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "protocol/memcached_parser.h"
#include "tests/fuzz/fuzz_target.h"

namespace kvorum::fuzz {

inline bool inside(std::string_view part, std::string_view whole) {
  return part.data() == nullptr ||
         (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

template <class Protocol>
std::vector<std::string> feed(std::string_view stream, size_t piece_bytes, size_t value_bytes_max) {
  using protocol::ParseResult;
  using protocol::ParseStatus;
  typename Protocol::Parser parser({.value_bytes_max = value_bytes_max});
  std::vector<std::string> outcome;
  typename Protocol::Request request;
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
      outcome.push_back(Protocol::shown(request, input));
      if (Protocol::ends(request)) return outcome;
    }
  }
  outcome.push_back(std::to_string(stream.size() - consumed) + " bytes left");
  return outcome;
}

// The first two bytes choose the size of the pieces and the limit of values.
template <class Protocol>
void fuzz_memcached_stream(std::string_view input) {
  Choices choices(input);
  const size_t piece_bytes = 1 + choices.byte() % 64;
  const size_t value_bytes_max = choices.byte();
  const std::string_view stream = choices.rest();
  KVORUM_CHECK(feed<Protocol>(stream, stream.size() + 1, value_bytes_max) ==
               feed<Protocol>(stream, piece_bytes, value_bytes_max));
}

}  // namespace kvorum::fuzz

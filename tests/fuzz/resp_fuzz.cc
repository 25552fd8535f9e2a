// SPDX-License-Identifier: Apache-2.0
// Any bytes as a client's RESP stream, once in one piece and once in many: the answers must be
// equal, and every word must lie in the input or be one of an inline command. The first two bytes
// choose the size of the pieces and whether the client has logged in.
#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "base/check.h"
#include "protocol/resp_parser.h"
#include "tests/fuzz/fuzz_target.h"

namespace kvorum::fuzz {
namespace {

using protocol::ParseResult;
using protocol::ParseStatus;
using protocol::RespParser;

// What came out of a stream, in a form that can be compared.
struct Outcome {
  std::vector<std::string> words;  // "(end)" after each request
  std::string error;
  size_t consumed = 0;
  bool operator==(const Outcome&) const = default;
};

void take(const std::vector<std::string_view>& words, std::string_view input, Outcome& outcome) {
  KVORUM_CHECK(!words.empty());
  for (const std::string_view word : words) {
    const bool inside =
        word.data() >= input.data() && word.data() + word.size() <= input.data() + input.size();
    KVORUM_CHECK(inside || input.find_first_of("'\"") != std::string_view::npos);
    outcome.words.emplace_back(word);
  }
  outcome.words.emplace_back("(end)");
}

Outcome feed(std::string_view stream, size_t piece_bytes, bool authenticated) {
  RespParser parser({.bulk_bytes_max = 100000, .words_max = 1000});
  parser.set_authenticated(authenticated);
  Outcome outcome;
  size_t arrived = 0;
  while (arrived < stream.size()) {
    arrived = std::min(stream.size(), arrived + piece_bytes);
    while (true) {
      const std::string_view input = stream.substr(outcome.consumed, arrived - outcome.consumed);
      std::vector<std::string_view> words;
      const ParseResult result = parser.parse(input, words);
      KVORUM_CHECK(result.consumed <= input.size());
      if (result.status == ParseStatus::kError) {
        KVORUM_CHECK(result.error.starts_with("Protocol error: "));
        KVORUM_CHECK(result.error.find_first_of("\r\n") == std::string_view::npos);
        outcome.error = result.error;
        // How many empty requests were skipped in the last call, depends on the pieces.
        outcome.consumed = 0;
        return outcome;
      }
      outcome.consumed += result.consumed;
      if (result.status == ParseStatus::kNeedMore) {
        KVORUM_CHECK(words.empty() && result.more_hint > 0);
        break;
      }
      KVORUM_CHECK(result.consumed > 0);
      take(words, input, outcome);
      parser.reset_arena();
    }
  }
  return outcome;
}

void fuzz_resp(std::string_view input) {
  Choices choices(input);
  const size_t piece_bytes = 1 + choices.byte() % 64;
  const bool authenticated = choices.byte() % 2 == 0;
  const std::string_view stream = choices.rest();
  KVORUM_CHECK(feed(stream, stream.size() + 1, authenticated) ==
               feed(stream, piece_bytes, authenticated));
}

const RegisterFuzzTarget kRegistered("resp_fuzz", &fuzz_resp);

}  // namespace
}  // namespace kvorum::fuzz

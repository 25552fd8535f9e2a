// SPDX-License-Identifier: Apache-2.0
// Reads Redis requests (RESP arrays of bulk strings, and inline commands) from a client's bytes,
// with the limits and the error texts of Redis. One per session, used by its one thread; no I/O, no
// copy of values. The progress of a half-received request is remembered, so that the total work is
// linear in the bytes however they are cut into pieces.
//
//              '*'                       count <= 0: skipped
//     start --------> count --------------------------------------> start
//       |               | n words          bulk header, bytes
//       |               +----------------> word 1 ... word n  -----> request
//       +-- other ----> line up to LF ------------------------------> request, or skipped if empty
#pragma once

#include <cstddef>
#include <cstdint>
#include <forward_list>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/parse_result.h"

namespace kvorum::protocol {

// The longest inline command, and the longest header line of an array or bulk string.
inline constexpr size_t kRespLineBytesMax = 64 * 1024;
// What a client may send before it has given the password.
inline constexpr int64_t kRespUnauthenticatedWordsMax = 10;
inline constexpr int64_t kRespUnauthenticatedBulkBytesMax = 16384;

struct RespLimits {
  int64_t bulk_bytes_max = 512 * 1024 * 1024;  // Redis's proto-max-bulk-len
  int64_t words_max = 1024 * 1024;
};

class RespParser {
 public:
  explicit RespParser(RespLimits limits = {}) : limits_(limits) {}

  // One request per call: its words are appended to `words` (at least one; empty requests are
  // skipped, which consumes bytes also with kNeedMore). They point into `input`, or into the arena
  // for inline words with quotes, and are valid until the caller moves its buffer or resets the
  // arena. Nothing is appended unless the answer is kRequest. After kError the parser answers the
  // same again until reset().
  ParseResult parse(std::string_view input, std::vector<std::string_view>& words);

  // Frees the unquoted words of inline commands; for when the requests parsed so far are answered.
  void reset_arena() { arena_.clear(); }

  void set_authenticated(bool authenticated) { authenticated_ = authenticated; }
  void set_bulk_bytes_max(int64_t bytes_max) { limits_.bulk_bytes_max = bytes_max; }

  // Forgets a half-received request and a past error.
  void reset();

 private:
  enum class Step : uint8_t { kRequest, kSkipped, kWordsFollow, kNeedMore, kError };
  enum class Line : uint8_t { kWhole, kPart, kTooLong };
  struct Span {
    size_t offset;
    size_t size;
  };

  Step read_some(std::string_view input, std::vector<std::string_view>& words);
  Step read_inline(std::string_view input, std::vector<std::string_view>& words);
  Step read_count(std::string_view input);
  Step read_words(std::string_view input, std::vector<std::string_view>& words);
  void read_usual_words(std::string_view input, std::vector<std::string_view>& words);
  Step read_bulk_size(std::string_view input);
  Line find_line_end(std::string_view input, char last, size_t& line_end);
  void remember_words(std::string_view input, std::vector<std::string_view>& words, size_t first);
  void recall_words(std::string_view input, std::vector<std::string_view>& words);
  Step need(size_t bytes);
  Step fail(std::string_view text);
  void finish_request();

  RespLimits limits_;
  bool authenticated_ = true;

  // The progress within the current request; offsets count from its first byte.
  size_t position_ = 0;     // what is before it, is parsed
  size_t scanned_ = 0;      // so many bytes from position_ on hold no line end
  int64_t words_left_ = 0;  // 0 = the count is not known yet
  int64_t bulk_size_ = -1;  // -1 = the next bulk's header is not known yet
  bool resumed_ = false;    // the words found so far are in spans_, not in the caller's vector
  std::vector<Span> spans_;

  size_t more_hint_ = 0;
  std::string error_;
  std::forward_list<std::string> arena_;  // a list: growing must not move the words
};

}  // namespace kvorum::protocol

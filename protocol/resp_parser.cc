// SPDX-License-Identifier: Apache-2.0
#include "protocol/resp_parser.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "protocol/inline_words.h"
#include "protocol/number_text.h"

namespace kvorum::protocol {
namespace {

// Above this the memory for a half-received request is given back when it is complete.
constexpr size_t kSpansKeptMax = 1024;

// Lengths of more digits than this take the careful path; nine cannot overflow anything.
constexpr ptrdiff_t kQuickDigitsMax = 9;

struct QuickHeader {
  int64_t value = 0;
  size_t size = 0;  // 0 = take the careful path
};

// "<marker><1 to 9 digits>\r?" from `position` on, if it is there as a whole.
inline QuickHeader read_quick_header(std::string_view input, size_t position, char marker) {
  const char* const begin = input.data() + position;
  const char* const end = input.data() + input.size();
  if (end - begin < 4 || *begin != marker) return {};
  const char* const digits = begin + 1;
  int64_t value = static_cast<int64_t>(*digits) - '0';
  if (value < 0 || value > 9) return {};
  const char* at = digits + 1;
  if (*at == '\r') return {value, 4};  // nearly every count, and the sizes of most words
  if (value == 0) return {};
  for (; at != end && *at >= '0' && *at <= '9'; ++at) {
    if (at - digits == kQuickDigitsMax) return {};
    value = value * 10 + (*at - '0');
  }
  if (end - at < 2 || *at != '\r') return {};
  return {value, static_cast<size_t>(at + 2 - begin)};
}

}  // namespace

ParseResult RespParser::parse(std::string_view input, std::vector<std::string_view>& words) {
  if (!error_.empty()) return {ParseStatus::kError, 0, error_, 0};
  size_t skipped = 0;
  while (true) {
    const std::string_view rest = input.substr(skipped);
    switch (read_some(rest, words)) {
      case Step::kRequest: {
        const size_t consumed = skipped + position_;
        finish_request();
        return {ParseStatus::kRequest, consumed, {}, 0};
      }
      case Step::kSkipped:
        skipped += position_;
        finish_request();
        break;
      case Step::kWordsFollow:
        break;
      case Step::kNeedMore:
        return {ParseStatus::kNeedMore, skipped, {}, more_hint_};
      case Step::kError:
        return {ParseStatus::kError, skipped, error_, 0};
    }
  }
}

void RespParser::reset() {
  finish_request();
  error_.clear();
}

void RespParser::finish_request() {
  position_ = 0;
  scanned_ = 0;
  words_left_ = 0;
  bulk_size_ = -1;
  resumed_ = false;
  if (spans_.empty()) return;
  spans_.clear();
  if (spans_.capacity() > kSpansKeptMax) spans_.shrink_to_fit();
}

RespParser::Step RespParser::need(size_t bytes) {
  more_hint_ = bytes;
  return Step::kNeedMore;
}

RespParser::Step RespParser::fail(std::string_view text) {
  error_.assign("Protocol error: ").append(text);
  return Step::kError;
}

RespParser::Step RespParser::read_some(std::string_view input,
                                       std::vector<std::string_view>& words) {
  if (words_left_ > 0) return read_words(input, words);
  if (input.empty()) return need(1);
  return input[0] == '*' ? read_count(input) : read_inline(input, words);
}

// Looks for the line end from where the last look stopped. Redis looks at what happens to be in its
// buffer; here the answer must not depend on how the bytes arrive, so a line is too long as soon as
// the first kRespLineBytesMax + 1 bytes hold no end.
RespParser::Line RespParser::find_line_end(std::string_view input, char last, size_t& line_end) {
  const size_t limit = std::min(input.size(), position_ + kRespLineBytesMax + 1);
  const size_t from = position_ + scanned_;
  const void* found = from < limit ? std::memchr(input.data() + from, last, limit - from) : nullptr;
  if (found == nullptr) {
    scanned_ = limit - position_;
    return scanned_ > kRespLineBytesMax ? Line::kTooLong : Line::kPart;
  }
  line_end = static_cast<size_t>(static_cast<const char*>(found) - input.data());
  scanned_ = line_end - position_;
  return Line::kWhole;
}

RespParser::Step RespParser::read_inline(std::string_view input,
                                         std::vector<std::string_view>& words) {
  size_t line_end = 0;
  switch (find_line_end(input, '\n', line_end)) {
    case Line::kPart:
      return need(1);
    case Line::kTooLong:
      return fail("too big inline request");
    case Line::kWhole:
      break;
  }
  const size_t before = words.size();
  if (!split_inline_words(input.substr(0, line_end), words, arena_)) {
    return fail("unbalanced quotes in request");
  }
  position_ = line_end + 1;
  return words.size() == before ? Step::kSkipped : Step::kRequest;
}

// Like Redis it takes any byte for the one after CR: "*1\rx" is "*1\r\n".
RespParser::Step RespParser::read_count(std::string_view input) {
  const QuickHeader header = read_quick_header(input, 0, '*');
  if (header.value > 0 &&
      header.value <= std::min(limits_.words_max, kRespUnauthenticatedWordsMax)) {
    position_ = header.size;
    scanned_ = 0;
    words_left_ = header.value;
    return Step::kWordsFollow;
  }
  size_t line_end = 0;
  switch (find_line_end(input, '\r', line_end)) {
    case Line::kPart:
      return need(2);
    case Line::kTooLong:
      return fail("too big mbulk count string");
    case Line::kWhole:
      break;
  }
  if (line_end + 2 > input.size()) return need(1);
  const std::optional<int64_t> count = parse_int64(input.substr(1, line_end - 1));
  if (!count || *count > limits_.words_max) return fail("invalid multibulk length");
  if (!authenticated_ && *count > kRespUnauthenticatedWordsMax) {
    return fail("unauthenticated multibulk length");
  }
  position_ = line_end + 2;
  scanned_ = 0;
  if (*count <= 0) return Step::kSkipped;
  words_left_ = *count;
  return Step::kWordsFollow;
}

RespParser::Step RespParser::read_words(std::string_view input,
                                        std::vector<std::string_view>& words) {
  const size_t first = words.size();
  Step step = Step::kRequest;
  while (words_left_ > 0) {
    if (bulk_size_ < 0) {
      read_usual_words(input, words);
      if (words_left_ == 0) break;
      step = read_bulk_size(input);
      if (step != Step::kWordsFollow) break;
      step = Step::kRequest;
    }
    const size_t size = static_cast<size_t>(bulk_size_);
    const size_t there = input.size() - position_;
    if (there < size + 2) {
      step = need(size + 2 - there);
      break;
    }
    if (resumed_) {
      spans_.push_back({position_, size});
    } else {
      words.emplace_back(input.data() + position_, size);
    }
    position_ += size + 2;
    bulk_size_ = -1;
    --words_left_;
  }
  if (step != Step::kRequest) {
    remember_words(input, words, first);
  } else if (resumed_) {
    recall_words(input, words);
  }
  return step;
}

// Those whose headers are usual and that are here as a whole: nearly every one. What is not, errors
// among it, is left to read_words().
void RespParser::read_usual_words(std::string_view input, std::vector<std::string_view>& words) {
  const int64_t bytes_max =
      authenticated_ ? limits_.bulk_bytes_max
                     : std::min(limits_.bulk_bytes_max, kRespUnauthenticatedBulkBytesMax);
  size_t position = position_;
  int64_t left = words_left_;
  for (; left > 0; --left) {
    const QuickHeader header = read_quick_header(input, position, '$');
    if (header.size == 0 || header.value > bytes_max) break;
    const size_t begin = position + header.size;
    const size_t size = static_cast<size_t>(header.value);
    if (input.size() - begin < size + 2) break;
    if (resumed_) {
      spans_.push_back({begin, size});
    } else {
      words.emplace_back(input.data() + begin, size);
    }
    position = begin + size + 2;
  }
  if (position == position_) return;
  position_ = position;
  words_left_ = left;
  scanned_ = 0;
}

RespParser::Step RespParser::read_bulk_size(std::string_view input) {
  size_t line_end = 0;
  switch (find_line_end(input, '\r', line_end)) {
    case Line::kPart:
      return need(2);
    case Line::kTooLong:
      return fail("too big bulk count string");
    case Line::kWhole:
      break;
  }
  if (line_end + 2 > input.size()) return need(1);
  const char marker = input[position_];
  if (marker != '$') {
    const bool breaks_line = marker == '\r' || marker == '\n';
    return fail(std::string("expected '$', got '") + (breaks_line ? ' ' : marker) + "'");
  }
  const size_t digits = position_ + 1;
  const std::optional<int64_t> size = parse_int64(input.substr(digits, line_end - digits));
  if (!size || *size < 0 || *size > limits_.bulk_bytes_max) return fail("invalid bulk length");
  if (!authenticated_ && *size > kRespUnauthenticatedBulkBytesMax) {
    return fail("unauthenticated bulk length");
  }
  bulk_size_ = *size;
  position_ = line_end + 2;
  scanned_ = 0;
  return Step::kWordsFollow;
}

// The caller may move its buffer before the rest arrives, so offsets are kept instead of views.
void RespParser::remember_words(std::string_view input, std::vector<std::string_view>& words,
                                size_t first) {
  for (size_t i = first; i < words.size(); ++i) {
    spans_.push_back({static_cast<size_t>(words[i].data() - input.data()), words[i].size()});
  }
  words.resize(first);
  resumed_ = true;
}

void RespParser::recall_words(std::string_view input, std::vector<std::string_view>& words) {
  words.reserve(words.size() + spans_.size());
  for (const Span& span : spans_) words.push_back(input.substr(span.offset, span.size));
}

}  // namespace kvorum::protocol

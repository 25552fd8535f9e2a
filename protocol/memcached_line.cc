// SPDX-License-Identifier: Apache-2.0
#include "protocol/memcached_line.h"

#include <cstring>
#include <limits>
#include <optional>

#include "protocol/memcached_parser.h"
#include "protocol/number_text.h"

namespace kvorum::protocol {
namespace {

using Command = MemcachedCommand;

enum class Grammar : uint8_t {
  kUnknown,
  kFree,  // any words
  kKeys,
  kTouchKeys,
  kStore,
  kStoreCas,
  kArithmetic,
  kTouch,
  kDelete,
  kFlush,
  kVerbosity,
  kMeta,
  kMetaSet,
  kMetaDebug,
};

struct Shape {
  Command command = Command::kUnknown;
  Grammar grammar = Grammar::kUnknown;
};

// Up to eight letters as one number, so that a command is found by one switch.
constexpr uint64_t letters(std::string_view word) {
  uint64_t packed = 0;
  for (size_t i = word.size(); i > 0; --i) {
    packed = packed << 8 | static_cast<unsigned char>(word[i - 1]);
  }
  return packed;
}

Shape long_shape(std::string_view word) {
  if (word == "flush_all") return {Command::kFlushAll, Grammar::kFlush};
  if (word == "verbosity") return {Command::kVerbosity, Grammar::kVerbosity};
  if (word == "lru_crawler" || word == "cache_memlimit") {
    return {Command::kMaintenance, Grammar::kFree};
  }
  return {};
}

Shape shape_of(std::string_view word) {
  if (word.size() > 8) return long_shape(word);
  switch (letters(word)) {
    case letters("get"):
    case letters("bget"):
      return {Command::kGet, Grammar::kKeys};
    case letters("gets"):
      return {Command::kGets, Grammar::kKeys};
    case letters("gat"):
      return {Command::kGat, Grammar::kTouchKeys};
    case letters("gats"):
      return {Command::kGats, Grammar::kTouchKeys};
    case letters("set"):
      return {Command::kSet, Grammar::kStore};
    case letters("add"):
      return {Command::kAdd, Grammar::kStore};
    case letters("replace"):
      return {Command::kReplace, Grammar::kStore};
    case letters("append"):
      return {Command::kAppend, Grammar::kStore};
    case letters("prepend"):
      return {Command::kPrepend, Grammar::kStore};
    case letters("cas"):
      return {Command::kCas, Grammar::kStoreCas};
    case letters("incr"):
      return {Command::kIncr, Grammar::kArithmetic};
    case letters("decr"):
      return {Command::kDecr, Grammar::kArithmetic};
    case letters("touch"):
      return {Command::kTouch, Grammar::kTouch};
    case letters("delete"):
      return {Command::kDelete, Grammar::kDelete};
    case letters("version"):
      return {Command::kVersion, Grammar::kFree};
    case letters("stats"):
      return {Command::kStats, Grammar::kFree};
    case letters("quit"):
      return {Command::kQuit, Grammar::kFree};
    case letters("slabs"):
    case letters("lru"):
    case letters("watch"):
    case letters("shutdown"):
      return {Command::kMaintenance, Grammar::kFree};
    case letters("mg"):
      return {Command::kMetaGet, Grammar::kMeta};
    case letters("ms"):
      return {Command::kMetaSet, Grammar::kMetaSet};
    case letters("md"):
      return {Command::kMetaDelete, Grammar::kMeta};
    case letters("ma"):
      return {Command::kMetaArithmetic, Grammar::kMeta};
    case letters("mn"):
      return {Command::kMetaNoop, Grammar::kFree};
    case letters("me"):
      return {Command::kMetaDebug, Grammar::kMetaDebug};
    default:
      return {};
  }
}

// Words are separated by blanks only (a tab is part of a word), and a NUL ends the line.
void split_words(std::string_view line, std::vector<std::string_view>& words) {
  const char* at = line.data();
  const char* const end = at + line.size();
  while (true) {
    while (at != end && *at == ' ') ++at;
    const char* const begin = at;
    while (at != end && *at != ' ' && *at != '\0') ++at;
    if (at != begin) words.emplace_back(begin, static_cast<size_t>(at - begin));
    if (at == end || *at == '\0') return;
  }
}

template <class Number>
bool read_unsigned(std::string_view word, Number& number) {
  const std::optional<uint64_t> value = parse_lax_uint64(word);
  if (value) number = static_cast<Number>(*value);
  return value.has_value();
}

bool read_signed(std::string_view word, int32_t& number) {
  const std::optional<int64_t> value = parse_lax_int64(word);
  if (value) number = static_cast<int32_t>(*value);
  return value.has_value();
}

bool read_exptime(std::string_view word, MemcachedRequest& request) {
  return read_signed(word, request.exptime);
}

// The length of a value. memcached counts it and the line end behind it in an int.
bool read_length(std::string_view word, uint64_t& bytes) {
  int32_t length = 0;
  if (!read_signed(word, length)) return false;
  bytes = static_cast<uint64_t>(length);
  return length >= 0 && length <= std::numeric_limits<int32_t>::max() - 2;
}

// Reads one line's words into one request, grammar by grammar, in the order of memcached's checks.
class LineReader {
 public:
  LineReader(size_t key_bytes_max, MemcachedRequest& request)
      : key_bytes_max_(key_bytes_max), request_(request) {}

  MemcachedLine read(std::string_view line) {
    split_words(line, request_.words);
    if (count() == 0 || word(0).size() < 2) {
      fail(kMemcachedError);
      return outcome_;
    }
    const Shape shape = shape_of(word(0));
    request_.command = shape.command;
    read_grammar(shape.grammar);
    return outcome_;
  }

 private:
  size_t count() const { return request_.words.size(); }
  std::string_view word(size_t index) const { return request_.words[index]; }
  bool last_is_noreply() const { return request_.words.back() == "noreply"; }
  void fail(std::string_view error) { request_.error = error; }

  bool count_is(size_t min, size_t max) {
    if (count() >= min && count() <= max) return true;
    fail(kMemcachedError);
    return false;
  }

  // The keys from word `first` on, or the one that stands there.
  void take_keys(size_t first, size_t key_count) {
    for (size_t i = first; i < first + key_count; ++i) {
      if (word(i).size() > key_bytes_max_) return fail(kMemcachedBadFormat);
    }
    request_.first_key = static_cast<uint32_t>(first);
    request_.key_count = static_cast<uint32_t>(key_count);
  }

  bool take_key() {
    take_keys(1, 1);
    return request_.error.empty();
  }

  void read_grammar(Grammar grammar) {
    switch (grammar) {
      case Grammar::kUnknown:
        return read_unknown();
      case Grammar::kFree:
        return;
      case Grammar::kKeys:
        if (count_is(2, SIZE_MAX)) take_keys(1, count() - 1);
        return;
      case Grammar::kTouchKeys:
        return read_touch_keys();
      case Grammar::kStore:
        return read_store(5);
      case Grammar::kStoreCas:
        return read_store(6);
      case Grammar::kArithmetic:
        return read_arithmetic();
      case Grammar::kTouch:
        return read_touch();
      case Grammar::kDelete:
        return read_delete();
      case Grammar::kFlush:
        return read_flush();
      case Grammar::kVerbosity:
        return read_verbosity();
      case Grammar::kMeta:
        return read_meta();
      case Grammar::kMetaSet:
        return read_meta_set();
      case Grammar::kMetaDebug:
        if (count() < 2) return fail(kMemcachedBadFormat);
        return take_keys(1, 1);
    }
  }

  void read_unknown() {
    outcome_.close = word(count() - 1).starts_with("HTTP/");
    fail(kMemcachedError);
  }

  void read_touch_keys() {
    if (!count_is(2, SIZE_MAX)) return;
    if (!read_exptime(word(1), request_)) return fail(kMemcachedBadExptime);
    take_keys(2, count() - 2);
  }

  // <command> key flags exptime bytes [cas] [noreply]; `words_min` counts without noreply.
  void read_store(size_t words_min) {
    if (!count_is(words_min, words_min + 1)) return;
    request_.noreply = last_is_noreply();
    if (!take_key()) return;
    uint64_t bytes = 0;
    const bool numbers = read_unsigned(word(2), request_.flags) &&
                         read_exptime(word(3), request_) && read_length(word(4), bytes);
    if (!numbers) return fail(kMemcachedBadFormat);
    if (request_.command == Command::kCas && !read_unsigned(word(5), request_.cas)) {
      return fail(kMemcachedBadFormat);
    }
    expect_value(bytes);
  }

  void read_arithmetic() {
    if (!count_is(3, 4)) return;
    request_.noreply = last_is_noreply();
    if (take_key() && !read_unsigned(word(2), request_.delta)) fail(kMemcachedBadDelta);
  }

  void read_touch() {
    if (!count_is(3, 4)) return;
    request_.noreply = last_is_noreply();
    if (take_key() && !read_exptime(word(2), request_)) fail(kMemcachedBadExptime);
  }

  // An old form had a time after the key; of it only 0 is left.
  void read_delete() {
    if (!count_is(2, 4)) return;
    if (count() > 2) {
      const bool zero = word(2) == "0";
      request_.noreply = last_is_noreply();
      const bool valid = count() == 3 ? zero || request_.noreply : zero && request_.noreply;
      if (!valid) return fail(kMemcachedDeleteUsage);
    }
    take_key();
  }

  void read_flush() {
    if (!count_is(1, 3)) return;
    request_.noreply = last_is_noreply();
    if (count() == (request_.noreply ? 2u : 1u)) return;
    if (!read_exptime(word(1), request_)) fail(kMemcachedBadExptime);
  }

  void read_verbosity() {
    if (!count_is(2, 3)) return;
    request_.noreply = last_is_noreply();
    if (!read_unsigned(word(1), request_.level)) fail(kMemcachedBadFormat);
  }

  void read_meta() {
    if (!count_is(2, SIZE_MAX) || !take_key()) return;
    if (count() <= kMemcachedMetaWordsMax) return;
    fail(request_.command == Command::kMetaGet ? "CLIENT_ERROR options flags are too long"
                                               : "CLIENT_ERROR options flags too long");
  }

  void read_meta_set() {
    if (!count_is(2, SIZE_MAX) || !take_key()) return;
    if (count() == 2) return fail(kMemcachedBadFormat);
    if (count() > kMemcachedMetaWordsMax) return fail("CLIENT_ERROR options flags too long");
    uint64_t bytes = 0;
    if (!read_length(word(2), bytes)) return fail(kMemcachedBadFormat);
    expect_value(bytes);
  }

  void expect_value(uint64_t bytes) {
    outcome_.has_value = true;
    outcome_.value_bytes = bytes;
  }

  size_t key_bytes_max_;
  MemcachedRequest& request_;
  MemcachedLine outcome_;
};

// All but the memory of the words.
void clear(MemcachedRequest& request) {
  std::vector<std::string_view> words = std::move(request.words);
  words.clear();
  request = MemcachedRequest();
  request.words = std::move(words);
}

}  // namespace

MemcachedLine read_memcached_line(std::string_view line, size_t key_bytes_max,
                                  MemcachedRequest& request) {
  clear(request);
  return LineReader(key_bytes_max, request).read(line);
}

}  // namespace kvorum::protocol

// SPDX-License-Identifier: Apache-2.0
#include "protocol/memcached_meta.h"

#include <array>
#include <optional>

#include "base/base64url.h"
#include "protocol/number_text.h"

namespace kvorum::protocol {
namespace {

constexpr std::string_view kBadFormat = "CLIENT_ERROR bad command line format";
constexpr std::string_view kBadToken = "CLIENT_ERROR bad token in command line format";
constexpr std::string_view kBadKey = "CLIENT_ERROR error decoding key";
constexpr std::string_view kBadMode = "CLIENT_ERROR incorrect length for M token";
constexpr std::string_view kBadInitial = "CLIENT_ERROR invalid numeric initial value";
constexpr std::string_view kBadDelta = "CLIENT_ERROR invalid numeric delta value";
constexpr std::string_view kDuplicate = "CLIENT_ERROR duplicate flag";
constexpr std::string_view kInvalid = "CLIENT_ERROR invalid flag";
constexpr unsigned char kLetters = 127;

// RFC 4648 section 4, with its padding.
std::optional<std::string> decode_base64(std::string_view text) {
  if (text.empty() || text.size() % 4 != 0) return std::nullopt;
  std::string other(text);
  for (int padding = 0; padding < 2 && other.back() == '='; ++padding) other.pop_back();
  for (char& letter : other) {
    if (letter == '-' || letter == '_') return std::nullopt;
    if (letter == '+') letter = '-';
    if (letter == '/') letter = '_';
  }
  std::optional<std::string> bytes = base64url_decode(other);
  if (bytes && bytes->empty()) return std::nullopt;
  return bytes;
}

class FlagReader {
 public:
  explicit FlagReader(const MemcachedRequest& request) : request_(request) {}

  MemcachedMetaFlags read(size_t first) {
    for (size_t i = first; i < request_.words.size(); ++i) {
      const std::string_view word = request_.words[i];
      const auto letter = static_cast<unsigned char>(word[0]);
      if (letter >= kLetters || seen_[letter]) {
        flags_.error = kDuplicate;
        return std::move(flags_);
      }
      seen_[letter] = true;
      if (!take(word[0], word.substr(1))) {
        flags_.error = kInvalid;
        return std::move(flags_);
      }
      if (letter == 'O') flags_.opaque_is_long = word.size() > kMemcachedOpaqueBytesMax;
    }
    if (failed_) flags_.error = error_;
    return std::move(flags_);
  }

 private:
  void fail(std::string_view error) {
    failed_ = true;
    error_ = error;
  }

  template <class Number>
  void number(std::string_view token, Number* value, std::string_view error) {
    const std::optional<uint64_t> read = parse_lax_uint64(token);
    if (!read) return fail(error);
    *value = static_cast<Number>(*read);
  }

  void exptime(std::string_view token, int32_t* seconds) {
    const std::optional<int64_t> read = parse_lax_int64(token);
    if (!read) return fail(kBadToken);
    *seconds = static_cast<int32_t>(*read);
  }

  void key() {
    flags_.base64 = true;
    std::optional<std::string> bytes = decode_base64(request_.key());
    if (!bytes) return fail(kBadKey);
    flags_.key = std::move(*bytes);
  }

  void mode(std::string_view token) {
    if (token.size() != 1) return fail(kBadMode);
    flags_.mode = token[0];
  }

  // False for a letter that means nothing.
  bool take(char letter, std::string_view token) {
    switch (letter) {
      case 'b':
        key();
        return true;
      case 'C':
        flags_.compares = true;
        number(token, &flags_.cas, kBadToken);
        return true;
      case 'D':
        number(token, &flags_.delta, kBadDelta);
        return true;
      case 'E':
        flags_.named = true;
        number(token, &flags_.name, kBadToken);
        return true;
      case 'F':
        number(token, &flags_.flags, error_);
        return true;
      case 'I':
        flags_.invalidates = true;
        return true;
      case 'J':
        number(token, &flags_.initial, kBadInitial);
        return true;
      case 'M':
        mode(token);
        return true;
      case 'N':
        flags_.creates = true;
        exptime(token, &flags_.created_exptime);
        return true;
      case 'q':
        flags_.quiet = true;
        return true;
      case 'R':
        flags_.recaches = true;
        flags_.exptime_is_first = flags_.sets_exptime;
        exptime(token, &flags_.recache_seconds);
        return true;
      case 'T':
        flags_.sets_exptime = true;
        flags_.exptime_is_last = flags_.creates;
        exptime(token, &flags_.exptime);
        return true;
      case 'v':
        flags_.wants_value = true;
        return true;
      case 'x':
        flags_.drops_value = true;
        return true;
      default:
        return std::string_view("LOPcfhklstu").find(letter) != std::string_view::npos;
    }
  }

  const MemcachedRequest& request_;
  MemcachedMetaFlags flags_;
  std::array<bool, kLetters> seen_{};
  bool failed_ = false;
  std::string_view error_ = kBadFormat;
};

}  // namespace

MemcachedMetaFlags read_memcached_meta(const MemcachedRequest& request, size_t first) {
  return FlagReader(request).read(first);
}

}  // namespace kvorum::protocol

// SPDX-License-Identifier: Apache-2.0
#include "bench/memcached_codec.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdint>

namespace kvorum::bench {
namespace {

constexpr std::string_view kGet = "get key:000000000000\r\n";
constexpr std::string_view kIncrement = "incr ctr:000000000000 1\r\n";
constexpr std::string_view kReset = "set ctr:000000000000 0 0 1\r\n0\r\n";
constexpr std::string_view kStored = "STORED\r\n";
constexpr std::string_view kEnd = "END\r\n";
constexpr std::string_view kTail = "\r\nEND\r\n";  // of a reply with one value
constexpr std::string_view kValue = "VALUE ";
constexpr size_t kLineBytesMax = 2048;

constexpr Reply kNeedMore{Outcome::kIncomplete, 0};
constexpr Reply kNonsense{Outcome::kBroken, 0};

void append_with_digits(std::string& out, std::string_view form, size_t digits_at, uint64_t key) {
  const size_t start = out.size();
  out.append(form);
  write_digits(out.data() + start + digits_at, key);
}

bool is_number(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// A reply of one line that is not what was hoped for.
Reply parse_line(std::string_view bytes) {
  const size_t end = bytes.find("\r\n");
  if (end == std::string_view::npos) return bytes.size() > kLineBytesMax ? kNonsense : kNeedMore;
  const std::string_view line = bytes.substr(0, end);
  const size_t size = end + 2;
  if (line == "ERROR" || line.starts_with("CLIENT_ERROR") || line.starts_with("SERVER_ERROR"))
    return {Outcome::kError, size};
  if (line == "END" || line == "NOT_FOUND") return {Outcome::kMiss, size};
  if (line == "STORED" || line == "NOT_STORED" || line == "EXISTS" || is_number(line))
    return {Outcome::kWrong, size};
  return kNonsense;
}

// VALUE <key> <flags> <bytes>: how many bytes follow, or SIZE_MAX when the line says no such thing.
size_t announced_bytes(std::string_view line) {
  const std::string_view number = line.substr(line.rfind(' ') + 1);
  size_t bytes = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), bytes);
  return error == std::errc() && end == number.data() + number.size() ? bytes : SIZE_MAX;
}

// VALUE lines of another key or length, or several of them, up to END.
Reply skip_values(std::string_view bytes) {
  size_t at = 0;
  while (bytes.substr(at).starts_with(kValue)) {
    const size_t end = bytes.find("\r\n", at);
    if (end == std::string_view::npos) return kNeedMore;
    const size_t length = announced_bytes(bytes.substr(at, end - at));
    if (length == SIZE_MAX) return kNonsense;
    at = end + 2 + length + 2;
    if (at > bytes.size()) return kNeedMore;
  }
  const std::string_view rest = bytes.substr(at);
  if (rest.starts_with(kEnd)) return {Outcome::kWrong, at + kEnd.size()};
  return kEnd.starts_with(rest) || kValue.starts_with(rest) ? kNeedMore : kNonsense;
}

}  // namespace

MemcachedCodec::MemcachedCodec(size_t value_bytes)
    : payload_(value_bytes),
      set_head_(fmt::format("set key:000000000000 0 0 {}\r\n", value_bytes)),
      value_head_(fmt::format(" 0 {}\r\n", value_bytes)) {}

void MemcachedCodec::append(std::string& out, const Request& request) const {
  constexpr size_t kAfterVerb = 4 + 4;  // "get " or "set " and "key:" or "ctr:"
  switch (request.operation) {
    case Operation::kGet:
      return append_with_digits(out, kGet, kAfterVerb, request.key);
    case Operation::kIncrement:
      return append_with_digits(out, kIncrement, kAfterVerb + 1, request.key);
    case Operation::kResetCounter:
      return append_with_digits(out, kReset, kAfterVerb, request.key);
    case Operation::kSet:
      break;
  }
  append_with_digits(out, set_head_, kAfterVerb, request.key);
  const size_t start = out.size();
  out.resize(start + payload_.value_bytes() + 2);
  payload_.write_value(out.data() + start, request.key);
  out[out.size() - 2] = '\r';
  out[out.size() - 1] = '\n';
}

Reply MemcachedCodec::parse_value(std::string_view bytes, const Request& request) const {
  const size_t line_bytes = kValue.size() + kKeyBytes + value_head_.size();
  const size_t size = line_bytes + payload_.value_bytes() + kTail.size();
  const bool as_hoped = bytes.size() >= size && bytes.starts_with(kValue) &&
                        bytes.substr(kValue.size() + kKeyBytes).starts_with(value_head_) &&
                        bytes.substr(size - kTail.size(), kTail.size()) == kTail;
  if (!as_hoped) return bytes.starts_with(kValue) ? skip_values(bytes) : parse_line(bytes);
  const std::string_view value = bytes.substr(line_bytes, payload_.value_bytes());
  return {payload_.matches(value, request.key) ? Outcome::kGood : Outcome::kWrong, size};
}

Reply MemcachedCodec::parse(std::string_view bytes, const Request& request) const {
  if (request.operation == Operation::kGet) return parse_value(bytes, request);
  if (request.operation != Operation::kIncrement && bytes.starts_with(kStored))
    return {Outcome::kGood, kStored.size()};
  Reply reply = parse_line(bytes);
  if (request.operation == Operation::kIncrement && reply.outcome == Outcome::kWrong &&
      is_number(bytes.substr(0, 1)))
    reply.outcome = Outcome::kGood;
  return reply;
}

}  // namespace kvorum::bench

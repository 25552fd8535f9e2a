// SPDX-License-Identifier: Apache-2.0
#include "bench/resp_codec.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdint>
#include <optional>

namespace kvorum::bench {
namespace {

constexpr std::string_view kGet = "*2\r\n$3\r\nGET\r\n$16\r\nkey:000000000000\r\n";
constexpr std::string_view kIncrement = "*2\r\n$4\r\nINCR\r\n$16\r\nctr:000000000000\r\n";
constexpr std::string_view kReset = "*3\r\n$3\r\nSET\r\n$16\r\nctr:000000000000\r\n$1\r\n0\r\n";
constexpr size_t kResetDigits = kReset.size() - 9 - kKeyDigits;
constexpr std::string_view kOk = "+OK\r\n";
constexpr int kNestingMax = 8;

// The digits stand right before the final \r\n of `form`.
void append_with_digits(std::string& out, std::string_view form, size_t digits_at, uint64_t key) {
  const size_t start = out.size();
  out.append(form);
  write_digits(out.data() + start + digits_at, key);
}

struct Line {
  std::string_view text;  // after the type byte, without \r\n
  size_t size = 0;        // with both
};

std::optional<Line> first_line(std::string_view bytes) {
  const size_t end = bytes.find("\r\n");
  if (end == std::string_view::npos) return std::nullopt;
  return Line{bytes.substr(1, end - 1), end + 2};
}

std::optional<int64_t> to_number(std::string_view text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

constexpr Reply kNeedMore{Outcome::kIncomplete, 0};
constexpr Reply kNonsense{Outcome::kBroken, 0};

Reply measure(std::string_view bytes, int nesting);

Reply measure_bulk(std::string_view bytes, const Line& line) {
  const std::optional<int64_t> length = to_number(line.text);
  if (!length || *length < -1) return kNonsense;
  if (*length == -1) return {Outcome::kMiss, line.size};
  const size_t size = line.size + static_cast<size_t>(*length) + 2;
  return bytes.size() < size ? kNeedMore : Reply{Outcome::kWrong, size};
}

Reply measure_array(std::string_view bytes, const Line& line, int nesting) {
  const std::optional<int64_t> length = to_number(line.text);
  if (!length || *length < -1 || nesting == kNestingMax) return kNonsense;
  if (*length == -1) return {Outcome::kMiss, line.size};
  size_t size = line.size;
  for (int64_t i = 0; i < *length; ++i) {
    const Reply item = measure(bytes.substr(size), nesting + 1);
    if (item.outcome == Outcome::kIncomplete || item.outcome == Outcome::kBroken) return item;
    size += item.size;
  }
  return {Outcome::kWrong, size};
}

// Any reply: its length, and whether it is a miss, an error or something else.
Reply measure(std::string_view bytes, int nesting) {
  if (bytes.empty()) return kNeedMore;
  const std::optional<Line> line = first_line(bytes);
  switch (bytes.front()) {
    case '-':
      return line ? Reply{Outcome::kError, line->size} : kNeedMore;
    case '+':
    case ':':
      return line ? Reply{Outcome::kWrong, line->size} : kNeedMore;
    case '$':
      return line ? measure_bulk(bytes, *line) : kNeedMore;
    case '*':
      return line ? measure_array(bytes, *line, nesting) : kNeedMore;
    default:
      return kNonsense;
  }
}

}  // namespace

RespCodec::RespCodec(size_t value_bytes)
    : payload_(value_bytes),
      set_head_(fmt::format("*3\r\n$3\r\nSET\r\n$16\r\nkey:000000000000\r\n${}\r\n", value_bytes)),
      value_head_(fmt::format("${}\r\n", value_bytes)) {}

void RespCodec::append(std::string& out, const Request& request) const {
  switch (request.operation) {
    case Operation::kGet:
      return append_with_digits(out, kGet, kGet.size() - 2 - kKeyDigits, request.key);
    case Operation::kIncrement:
      return append_with_digits(out, kIncrement, kIncrement.size() - 2 - kKeyDigits, request.key);
    case Operation::kResetCounter:
      return append_with_digits(out, kReset, kResetDigits, request.key);
    case Operation::kSet:
      break;
  }
  append_with_digits(out, set_head_, set_head_.size() - value_head_.size() - 2 - kKeyDigits,
                     request.key);
  const size_t start = out.size();
  out.resize(start + payload_.value_bytes() + 2);
  payload_.write_value(out.data() + start, request.key);
  out[out.size() - 2] = '\r';
  out[out.size() - 1] = '\n';
}

Reply RespCodec::parse_value(std::string_view bytes, const Request& request) const {
  const size_t size = value_head_.size() + payload_.value_bytes() + 2;
  if (!bytes.starts_with(value_head_)) return measure(bytes, 0);
  if (bytes.size() < size) return kNeedMore;
  const std::string_view value = bytes.substr(value_head_.size(), payload_.value_bytes());
  if (bytes[size - 2] != '\r' || bytes[size - 1] != '\n') return kNonsense;
  return {payload_.matches(value, request.key) ? Outcome::kGood : Outcome::kWrong, size};
}

Reply RespCodec::parse(std::string_view bytes, const Request& request) const {
  switch (request.operation) {
    case Operation::kGet:
      return parse_value(bytes, request);
    case Operation::kSet:
    case Operation::kResetCounter:
      if (bytes.starts_with(kOk)) return {Outcome::kGood, kOk.size()};
      break;
    case Operation::kIncrement: {
      Reply reply = measure(bytes, 0);
      if (reply.outcome == Outcome::kWrong && bytes.front() == ':') reply.outcome = Outcome::kGood;
      return reply;
    }
  }
  return measure(bytes, 0);
}

}  // namespace kvorum::bench

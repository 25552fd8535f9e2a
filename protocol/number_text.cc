// SPDX-License-Identifier: Apache-2.0
#include "protocol/number_text.h"

#include <array>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>

namespace kvorum::protocol {
namespace {

constexpr uint64_t kInt64Max = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());

// Longer texts are refused by Redis too (its buffer for a long double in plain notation).
constexpr size_t kFloatTextMax = 5 * 1024;

bool is_digit(char letter) { return letter >= '0' && letter <= '9'; }

bool is_blank(char letter) { return letter == ' ' || (letter >= '\t' && letter <= '\r'); }

// The digits of `text` as a number; nothing if there are none, others, or too many.
std::optional<uint64_t> parse_digits(std::string_view text) {
  if (text.empty()) return std::nullopt;
  uint64_t value = 0;
  for (const char letter : text) {
    if (!is_digit(letter)) return std::nullopt;
    if (__builtin_mul_overflow(value, uint64_t{10}, &value)) return std::nullopt;
    const uint64_t digit = static_cast<uint64_t>(letter - '0');
    if (__builtin_add_overflow(value, digit, &value)) return std::nullopt;
  }
  return value;
}

std::optional<int64_t> signed_value(std::optional<uint64_t> magnitude, bool negative) {
  if (!magnitude || *magnitude > kInt64Max + (negative ? 1 : 0)) return std::nullopt;
  return static_cast<int64_t>(negative ? ~*magnitude + 1 : *magnitude);
}

struct LaxNumber {
  bool negative = false;
  uint64_t magnitude = 0;
};

std::optional<LaxNumber> parse_lax(std::string_view text) {
  while (!text.empty() && is_blank(text[0])) text.remove_prefix(1);
  LaxNumber number;
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) {
    number.negative = text[0] == '-';
    text.remove_prefix(1);
  }
  size_t digits = 0;
  while (digits < text.size() && is_digit(text[digits])) ++digits;
  if (digits < text.size() && text[digits] != '\0' && !is_blank(text[digits])) return std::nullopt;
  const std::optional<uint64_t> magnitude = parse_digits(text.substr(0, digits));
  if (!magnitude) return std::nullopt;
  number.magnitude = *magnitude;
  return number;
}

}  // namespace

std::optional<int64_t> parse_int64(std::string_view text) {
  if (text == "0") return 0;
  const bool negative = !text.empty() && text[0] == '-';
  if (negative) text.remove_prefix(1);
  if (text.empty() || text[0] == '0') return std::nullopt;
  return signed_value(parse_digits(text), negative);
}

std::optional<uint64_t> parse_lax_uint64(std::string_view text) {
  const std::optional<LaxNumber> number = parse_lax(text);
  if (!number) return std::nullopt;
  if (!number->negative) return number->magnitude;
  const uint64_t wrapped = ~number->magnitude + 1;
  return wrapped > kInt64Max ? std::nullopt : std::optional(wrapped);
}

std::optional<int64_t> parse_lax_int64(std::string_view text) {
  const std::optional<LaxNumber> number = parse_lax(text);
  return number ? signed_value(number->magnitude, number->negative) : std::nullopt;
}

std::optional<long double> parse_long_double(std::string_view text) {
  if (text.empty() || text.size() >= kFloatTextMax || is_blank(text[0])) return std::nullopt;
  std::array<char, kFloatTextMax> copy;
  std::memcpy(copy.data(), text.data(), text.size());
  copy[text.size()] = '\0';
  char* end = nullptr;
  errno = 0;
  const long double value = std::strtold(copy.data(), &end);
  if (end != copy.data() + text.size() || std::isnan(value)) return std::nullopt;
  const bool lost = std::isinf(value) || value == 0;
  if (errno == ERANGE && lost) return std::nullopt;
  return value;
}

void append_int64(std::string& out, int64_t value) {
  std::array<char, kIntegerTextMax> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  out.append(text.data(), end);
}

void append_uint64(std::string& out, uint64_t value) {
  std::array<char, kIntegerTextMax> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  out.append(text.data(), end);
}

void append_human_long_double(std::string& out, long double value) {
  if (std::isnan(value)) {
    out.append("nan");
    return;
  }
  if (std::isinf(value)) {
    out.append(value > 0 ? "inf" : "-inf");
    return;
  }
  std::array<char, kFloatTextMax> text;
  const int printed = std::snprintf(text.data(), text.size(), "%.17Lf", value);
  std::string_view shown(text.data(), static_cast<size_t>(printed));
  while (shown.back() == '0') shown.remove_suffix(1);
  if (shown.back() == '.') shown.remove_suffix(1);
  out.append(shown == "-0" ? std::string_view("0") : shown);
}

}  // namespace kvorum::protocol

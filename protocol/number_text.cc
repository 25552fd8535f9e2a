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

#include "base/ascii.h"

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

// What strtod and strtold have in common; `convert` is one of them.
template <class Float, class Convert>
std::optional<Float> parse_float(std::string_view text, Convert convert) {
  if (text.empty() || text.size() >= kFloatTextMax || is_blank(text[0])) return std::nullopt;
  std::array<char, kFloatTextMax> copy;
  std::memcpy(copy.data(), text.data(), text.size());
  copy[text.size()] = '\0';
  char* end = nullptr;
  errno = 0;
  const Float value = convert(copy.data(), &end);
  if (end != copy.data() + text.size() || std::isnan(value)) return std::nullopt;
  const bool lost = std::isinf(value) || value == 0;
  if (errno == ERANGE && lost) return std::nullopt;
  return value;
}

// "d.ddde+x": the shortest digits of a finite, positive number, and its decimal exponent.
struct Decimal {
  std::array<char, 24> digits;
  int count = 0;
  int exponent = 0;  // of the first digit
};

Decimal shortest_digits(double value) {
  std::array<char, kDoubleTextMax> text;
  const auto end =
      std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::scientific)
          .ptr;
  Decimal decimal;
  const char* at = text.data();
  for (; *at != 'e'; ++at) {
    if (*at != '.') decimal.digits[static_cast<size_t>(decimal.count++)] = *at;
  }
  ++at;
  if (*at == '+') ++at;
  std::from_chars(at, end, decimal.exponent);
  return decimal;
}

void append_plain(std::string& out, const Decimal& decimal) {
  const std::string_view digits(decimal.digits.data(), static_cast<size_t>(decimal.count));
  const int whole = decimal.exponent + 1;  // digits before the point
  if (whole <= 0) {
    out.append("0.").append(static_cast<size_t>(-whole), '0').append(digits);
  } else if (whole >= decimal.count) {
    out.append(digits).append(static_cast<size_t>(whole - decimal.count), '0');
  } else {
    out.append(digits.substr(0, static_cast<size_t>(whole))).push_back('.');
    out.append(digits.substr(static_cast<size_t>(whole)));
  }
}

void append_scientific(std::string& out, const Decimal& decimal) {
  out.push_back(decimal.digits[0]);
  if (decimal.count > 1) {
    out.push_back('.');
    out.append(decimal.digits.data() + 1, static_cast<size_t>(decimal.count - 1));
  }
  out.push_back('e');
  if (decimal.exponent >= 0) out.push_back('+');
  append_int64(out, decimal.exponent);
}

// Redis's rule for when to write plainly: an integer with fewer than seven zeros to add, or a
// fraction whose last digit is at most six places behind the point, or that is above 0.0001.
bool reads_better_plain(const Decimal& decimal) {
  const int last_place = decimal.exponent - decimal.count + 1;
  const int magnitude = std::abs(decimal.exponent);
  if (last_place >= 0) return magnitude < decimal.count + 7;
  return last_place > -7 || magnitude < 4;
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

std::optional<double> parse_double(std::string_view text) {
  return parse_float<double>(text, [](const char* from, char** end) { return strtod(from, end); });
}

std::optional<long double> parse_long_double(std::string_view text) {
  return parse_float<long double>(text,
                                  [](const char* from, char** end) { return strtold(from, end); });
}

std::optional<uint64_t> parse_memory_size(std::string_view text) {
  struct Unit {
    std::string_view name;
    uint64_t bytes;
  };
  constexpr Unit kUnits[] = {{"", 1},           {"b", 1},          {"k", 1000},
                             {"kb", 1 << 10},   {"m", 1000000},    {"mb", 1 << 20},
                             {"g", 1000000000}, {"gb", 1ULL << 30}};
  size_t digits = 0;
  while (digits < text.size() && is_digit(text[digits])) ++digits;
  const std::optional<uint64_t> count = parse_digits(text.substr(0, digits));
  if (!count) return std::nullopt;
  for (const Unit& unit : kUnits) {
    if (!equals_ignoring_case(text.substr(digits), unit.name)) continue;
    uint64_t bytes = 0;
    if (__builtin_mul_overflow(*count, unit.bytes, &bytes)) return std::nullopt;
    return bytes;
  }
  return std::nullopt;
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

void append_double(std::string& out, double value) {
  if (std::isnan(value)) {
    out.append("nan");
    return;
  }
  if (std::signbit(value)) out.push_back('-');
  const double magnitude = std::fabs(value);
  if (std::isinf(magnitude)) {
    out.append("inf");
  } else if (magnitude <= static_cast<double>(kInt64Max / 2) &&
             magnitude == std::trunc(magnitude)) {
    append_uint64(out, static_cast<uint64_t>(magnitude));
  } else {
    const Decimal decimal = shortest_digits(magnitude);
    if (reads_better_plain(decimal)) {
      append_plain(out, decimal);
    } else {
      append_scientific(out, decimal);
    }
  }
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

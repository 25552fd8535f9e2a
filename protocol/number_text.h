// SPDX-License-Identifier: Apache-2.0
// Numbers as clients write and read them. Parsing is as strict as Redis is: a text stands for a
// number only if it is the one way to write it (no plus, no leading zero, no blank). memcached is
// laxer and has functions of its own here. Everything is pure and locale-free but the parser of
// floats, which takes the decimal point of the C locale (the process never changes it).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace kvorum::protocol {

// The longest text of an int64 ("-9223372036854775808") or uint64.
inline constexpr size_t kIntegerTextMax = 20;

// Redis's rule for integers: "0", or an optional minus, a digit 1-9 and more digits, in range.
std::optional<int64_t> parse_int64(std::string_view text);

// memcached's rule, which is that of strtoull and strtoll: blanks, a sign, digits; what follows a
// blank or NUL behind them is not looked at. Out of 64 bits is an error; narrower types take the
// low bits. The unsigned one takes a minus where what it wraps to has no sign, as memcached does.
std::optional<uint64_t> parse_lax_uint64(std::string_view text);
std::optional<int64_t> parse_lax_int64(std::string_view text);

// Redis's rule for floats: all that strtold takes (also hexadecimal and infinity), but the whole
// text, no leading blank, no NaN, no overflow to infinity and no underflow to zero.
std::optional<long double> parse_long_double(std::string_view text);

void append_int64(std::string& out, int64_t value);
void append_uint64(std::string& out, uint64_t value);

// As INCRBYFLOAT answers: 17 digits after the point, without trailing zeros, never an exponent.
void append_human_long_double(std::string& out, long double value);

}  // namespace kvorum::protocol

// SPDX-License-Identifier: Apache-2.0
#include "server/config/config_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <vector>

#include "base/ascii.h"

namespace kvorum::server {
namespace {

struct Unit {
  std::string_view name;
  uint64_t factor;
};
// Largest first, as the printers want them.
constexpr std::array<Unit, 5> kDurationUnits{
    {{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1000}, {"ms", 1}}};
constexpr std::array<Unit, 5> kSizeUnits{
    {{"tb", 1ULL << 40}, {"gb", 1ULL << 30}, {"mb", 1ULL << 20}, {"kb", 1ULL << 10}, {"b", 1}}};

// A whole number followed by a unit; nothing if it is malformed or does not fit into 63 bits.
// `plain_factor` is that of a number without a unit, 0 where only the number 0 may stand so.
std::optional<uint64_t> parse_with_unit(std::string_view text, std::span<const Unit> units,
                                        uint64_t plain_factor) {
  uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc()) return std::nullopt;
  std::string unit(rest, end);
  std::transform(unit.begin(), unit.end(), unit.begin(), to_lower);
  uint64_t factor = unit.empty() ? plain_factor : 0;
  if (unit.empty() && number == 0) return 0;
  for (const Unit& known : units) {
    if (known.name == unit) factor = known.factor;
  }
  constexpr uint64_t kMax = std::numeric_limits<int64_t>::max();
  if (factor == 0 || number > kMax / factor) return std::nullopt;
  return number * factor;
}

std::string text_with_unit(uint64_t number, std::span<const Unit> units) {
  for (const Unit& unit : units) {
    if (number >= unit.factor && number % unit.factor == 0) {
      return fmt::format("{}{}", number / unit.factor, unit.name);
    }
  }
  return fmt::format("0{}", units.back().name);
}

}  // namespace

Result<int64_t> parse_duration_ms(std::string_view text) {
  const bool negative = text.starts_with('-');
  const auto ms = parse_with_unit(negative ? text.substr(1) : text, kDurationUnits, 0);
  if (!ms) {
    return Status(Code::kInvalid, fmt::format("'{}' is not a duration; write a whole number with "
                                              "ms, s, m, h or d, as in 100ms",
                                              text));
  }
  return negative ? -static_cast<int64_t>(*ms) : static_cast<int64_t>(*ms);
}

Result<uint64_t> parse_size(std::string_view text) {
  const auto bytes = parse_with_unit(text, kSizeUnits, 1);
  if (bytes) return *bytes;
  return Status(Code::kInvalid, fmt::format("'{}' is not a size; write a whole number with b, kb, "
                                            "mb, gb or tb, as in 64mb",
                                            text));
}

std::string duration_text(int64_t ms) {
  if (ms == 0) return "0s";
  const uint64_t magnitude = ms < 0 ? 0 - static_cast<uint64_t>(ms) : static_cast<uint64_t>(ms);
  return (ms < 0 ? "-" : "") + text_with_unit(magnitude, kDurationUnits);
}

std::string size_text(uint64_t bytes) { return text_with_unit(bytes, kSizeUnits); }

bool is_plain_name(std::string_view text) {
  constexpr size_t kNameBytesMax = 64;
  if (text.empty() || text.size() > kNameBytesMax) return false;
  return std::all_of(text.begin(), text.end(), [](char letter) {
    const char small = to_lower(letter);
    return (small >= 'a' && small <= 'z') || (letter >= '0' && letter <= '9') || letter == '.' ||
           letter == '_' || letter == '-';
  });
}

bool is_loopback(std::string_view host) {
  const bool is_number = host.find_first_not_of("0123456789.") == std::string_view::npos;
  return host == "localhost" || host == "::1" || (is_number && host.starts_with("127."));
}

size_t edit_distance(std::string_view a, std::string_view b) {
  // The table of Damerau and Levenshtein (restricted), of which three rows are alive.
  std::vector<size_t> older(b.size() + 1), old(b.size() + 1), row(b.size() + 1);
  for (size_t column = 0; column <= b.size(); ++column) row[column] = column;
  for (size_t line = 1; line <= a.size(); ++line) {
    older.swap(old);
    old.swap(row);
    row[0] = line;
    for (size_t column = 1; column <= b.size(); ++column) {
      const size_t replaced = old[column - 1] + (a[line - 1] == b[column - 1] ? 0 : 1);
      row[column] = std::min({replaced, old[column] + 1, row[column - 1] + 1});
      if (line > 1 && column > 1 && a[line - 1] == b[column - 2] && a[line - 2] == b[column - 1]) {
        row[column] = std::min(row[column], older[column - 2] + 1);
      }
    }
  }
  return row[b.size()];
}

std::optional<std::string_view> nearest(std::string_view word,
                                        std::span<const std::string_view> candidates) {
  constexpr size_t kWordBytesMax = 64;  // nobody misspells a key into more
  if (word.size() > kWordBytesMax) return std::nullopt;
  std::string small(word);
  std::transform(small.begin(), small.end(), small.begin(), to_lower);
  std::replace(small.begin(), small.end(), '-', '_');
  std::optional<std::string_view> best;
  size_t best_distance = std::max<size_t>(1, word.size() / 3) + 1;
  for (const std::string_view candidate : candidates) {
    const size_t distance = edit_distance(small, candidate);
    if (distance >= best_distance || distance >= candidate.size()) continue;
    best = candidate;
    best_distance = distance;
  }
  return best;
}

std::string suggestion(std::string_view word, std::span<const std::string_view> candidates) {
  if (const auto meant = nearest(word, candidates)) {
    return fmt::format("; did you mean '{}'?", *meant);
  }
  return fmt::format("; known are {}", join(candidates));
}

std::string join(std::span<const std::string_view> words) {
  return fmt::format("{}", fmt::join(words.begin(), words.end(), ", "));
}

}  // namespace kvorum::server

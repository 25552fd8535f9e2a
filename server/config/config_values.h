// SPDX-License-Identifier: Apache-2.0
// The small grammars inside configuration values: durations, sizes, names; and the search for what
// a misspelt word was meant to be. Pure functions, used by config_reader.cc, config_show.cc and the
// command line.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/status.h"

namespace kvorum::server {

// `100ms`, `1s`, `5m`, `2h`, `1d`, negative too; a plain 0 needs no unit.
Result<int64_t> parse_duration_ms(std::string_view text);
// `512`, `64kb`, `64mb`, `1gb`, `2tb` (powers of 1024, any letter case).
Result<uint64_t> parse_size(std::string_view text);

// The shortest form that the two above read back.
std::string duration_text(int64_t ms);
std::string size_text(uint64_t bytes);

// What member, cluster, rack and zone names are made of: letters, digits, `.`, `_`, `-`, 64 at
// most.
bool is_plain_name(std::string_view text);

// Of addresses that only this machine reaches; of a name, `localhost`.
bool is_loopback(std::string_view host);

// Insertions, deletions, replacements and exchanges of neighbours that turn one word into the
// other.
size_t edit_distance(std::string_view a, std::string_view b);
// The candidate that `word` most likely meant, if any comes near.
std::optional<std::string_view> nearest(std::string_view word,
                                        std::span<const std::string_view> candidates);
// "; did you mean 'x'?" or, if nothing comes near, "; known are a, b, c".
std::string suggestion(std::string_view word, std::span<const std::string_view> candidates);

std::string join(std::span<const std::string_view> words);

}  // namespace kvorum::server

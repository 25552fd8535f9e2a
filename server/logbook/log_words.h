// SPDX-License-Identifier: Apache-2.0
// What of a command may stand in a log: its words, without those that are secret. Pure.
#pragma once

#include <span>
#include <string_view>
#include <vector>

namespace kvorum::server {

inline constexpr std::string_view kRedacted = "(redacted)";

// Views of the words, and of kRedacted. `command`: the row's name, small letters, "config|set".
std::vector<std::string_view> words_for_logs(std::string_view command,
                                             std::span<const std::string_view> words);

}  // namespace kvorum::server

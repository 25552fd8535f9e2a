// SPDX-License-Identifier: Apache-2.0
// What of a command may stand in a log: its words, without those that are secret.
#pragma once

#include <string_view>
#include <vector>

#include "server/commands/command.h"

namespace kvorum::server {

inline constexpr std::string_view kRedacted = "(redacted)";

// Views of the words, and of kRedacted.
std::vector<std::string_view> words_for_logs(const CommandRow& row, Words words);

}  // namespace kvorum::server

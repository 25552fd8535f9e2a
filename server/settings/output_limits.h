// SPDX-License-Identifier: Apache-2.0
// client-output-buffer-limit as Redis writes it: of each class of clients a hard limit, which
// closes at once, a soft one, which closes after so many seconds, and the seconds. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "server/config/config.h"

namespace kvorum::server {

// There are no replicas to whom a node sends: their class is taken and shown.
inline constexpr std::string_view kReplicaOutputUsual = "0 0 0";

std::string output_limits_text(const LimitsConfig& limits, std::string_view replica);

// "pubsub 1mb 512kb 60", of one class or several. Why it is none, in Redis's words; else the limits
// are changed, and the text of replicas.
std::string change_output_limits(std::string_view text, LimitsConfig* limits, std::string* replica);

// The words between single blanks; none in an empty text.
std::vector<std::string_view> words_of_value(std::string_view text);

}  // namespace kvorum::server

// SPDX-License-Identifier: Apache-2.0
#include "server/logbook/log_words.h"

#include "base/ascii.h"

namespace kvorum::server {

std::vector<std::string_view> words_for_logs(std::string_view command,
                                             std::span<const std::string_view> words) {
  std::vector<std::string_view> shown(words.begin(), words.end());
  const auto hide = [&](size_t first, size_t count) {
    for (size_t at = first; at < first + count && at < shown.size(); ++at) shown[at] = kRedacted;
  };
  if (command == "auth") hide(1, shown.size());
  for (size_t at = 0; at < words.size(); ++at) {
    if (command == "hello" && equals_ignoring_case(words[at], "auth")) hide(at + 1, 2);
    if (command == "config|set" && equals_ignoring_case(words[at], "requirepass")) hide(at + 1, 1);
  }
  return shown;
}

}  // namespace kvorum::server

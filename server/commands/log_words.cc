// SPDX-License-Identifier: Apache-2.0
#include "server/commands/log_words.h"

namespace kvorum::server {

std::vector<std::string_view> words_for_logs(const CommandRow& row, Words words) {
  std::vector<std::string_view> shown(words.begin(), words.end());
  const auto hide = [&](size_t first, size_t count) {
    for (size_t at = first; at < first + count && at < shown.size(); ++at) shown[at] = kRedacted;
  };
  if (row.name == "auth") hide(1, shown.size());
  for (size_t at = 0; at < words.size(); ++at) {
    if (row.name == "hello" && equals_ignoring_case(words[at], "auth")) hide(at + 1, 2);
    if (row.name == "config|set" && equals_ignoring_case(words[at], "requirepass")) hide(at + 1, 1);
  }
  return shown;
}

}  // namespace kvorum::server

// SPDX-License-Identifier: Apache-2.0
#include "server/process/large_values.h"

namespace kvorum::server {
namespace {

constexpr size_t kKeyShownMax = 64;

std::string readable(std::string_view key) {
  std::string text(key.substr(0, kKeyShownMax));
  std::replace_if(
      text.begin(), text.end(), [](char byte) { return byte < ' ' || byte > '~'; }, '?');
  return key.size() > kKeyShownMax ? text + "..." : text;
}

}  // namespace

std::string LargeValues::tell(std::string_view key, uint64_t bytes, uint64_t now_us) {
  LogGates::Verdict verdict;
  {
    const MutexLock lock(mutex_);
    verdict = gates_.ask("values", "large", now_us);
  }
  if (!verdict.open) return {};
  std::string line = fmt::format(
      "a value of {} bytes is written to '{}': over limits.value_warn; while others are served it "
      "moves slowly",
      bytes, readable(key));
  if (verdict.suppressed != 0)
    line += fmt::format(" ({} more since the last time)", verdict.suppressed);
  log_warning("{}", line);
  return line;
}

}  // namespace kvorum::server

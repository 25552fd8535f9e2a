// SPDX-License-Identifier: Apache-2.0
// The log of a node: lines of text or of JSON on standard error or in a file, written by a thread
// of its own (log_writer.h), so that nobody waits for who reads them. Set up once at start; any
// thread may write afterwards. Repeated troubles go through LogGates, so that a broken peer does
// not fill the disk.
#pragma once

#include <fmt/format.h>

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "server/config/config.h"

namespace kvorum::server {

// The error is of the log file.
Status start_logging(const LogConfig& config, std::string_view node_name);
// Writes out what waits, within LogWriter::kEndMs; afterwards lines go nowhere.
void stop_logging();
void set_log_level(LogLevel level);
// False where the log is no file.
bool reopen_log();

bool logs(LogLevel level);
void write_log(LogLevel level, std::string_view text);

// Text as a JSON string, in its quotes. Keys and names are any bytes: each that belongs to no UTF-8
// character becomes U+FFFD.
std::string json_text(std::string_view text);

template <class... Args>
void log_debug(fmt::format_string<Args...> format, Args&&... args) {
  if (logs(LogLevel::kDebug)) {
    write_log(LogLevel::kDebug, fmt::format(format, std::forward<Args>(args)...));
  }
}
template <class... Args>
void log_info(fmt::format_string<Args...> format, Args&&... args) {
  write_log(LogLevel::kInfo, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void log_warning(fmt::format_string<Args...> format, Args&&... args) {
  write_log(LogLevel::kWarn, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void log_error(fmt::format_string<Args...> format, Args&&... args) {
  write_log(LogLevel::kError, fmt::format(format, std::forward<Args>(args)...));
}

// Lets a trouble through when it is new for its subject, or when the last line about it is long
// ago; what it holds back is counted. Bounded: with too many subjects it forgets. One thread.
class LogGates {
 public:
  static constexpr uint64_t kRepeatAfterUs = 30'000'000;
  static constexpr size_t kSubjectsMax = 256;

  struct Verdict {
    bool open = false;
    uint64_t suppressed = 0;  // since the last line that was let through
  };

  Verdict ask(std::string_view subject, std::string_view text, uint64_t now_us);
  // The trouble is over: the next one is new.
  void forget(std::string_view subject);

 private:
  struct Gate {
    std::string text;
    uint64_t last_us = 0;
    uint64_t suppressed = 0;
  };
  std::map<std::string, Gate, std::less<>> gates_;
};

}  // namespace kvorum::server

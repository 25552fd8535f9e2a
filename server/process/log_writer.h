// SPDX-License-Identifier: Apache-2.0
// Writes the lines of the log on a thread of its own: to standard error, or to a file that can be
// reopened. Whoever logs only appends to a bounded queue; while nobody reads the other end of a
// pipe, lines are dropped and counted, and a line says so once there is room again. One per
// process, made by start_logging(); any thread may write. It outlives its owner while it is stuck
// in a write, so its end is bounded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"

namespace kvorum::server {

class LogWriter {
 public:
  static constexpr size_t kQueueBytesMax = 1 << 20;
  static constexpr uint32_t kEndMs = 500;

  // Standard error.
  LogWriter();
  // Writes what waits, within kEndMs.
  ~LogWriter();
  LogWriter(const LogWriter&) = delete;

  // Before the first line.
  Status open_file(const std::string& path);
  // Called on the writer's thread with what is worth a line of its own: so many were dropped, the
  // file cannot be opened again. Before the first line.
  void set_on_trouble(std::function<void(std::string_view text)> on_trouble);

  // One line, with its end. Never waits for who reads.
  void write(std::string_view line);
  // Waits until what was written before is out, within kEndMs.
  void flush();
  // Opens the file again, which may have been renamed: the lines that follow go there. Nothing
  // happens where there is none, or while the new one cannot be opened.
  void reopen();

  bool has_file() const;
  uint64_t dropped() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace kvorum::server

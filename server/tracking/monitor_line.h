// SPDX-License-Identifier: Apache-2.0
// A command as MONITOR shows it, in Redis's form: when, the database, who, and the quoted words.
// Passwords are not shown. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "server/commands/command.h"

namespace kvorum::server {

struct ShownCommand {
  const CommandRow* row;  // null: of memcached's
  Words words;
  uint8_t keyspace = 0;
  std::string_view peer_address;
};

// Whether it is shown at all: those of administrators are not.
bool is_shown(const CommandRow& row);
// With "+" and the line's end. `wall_us`: Unix microseconds.
std::string monitor_line(const ShownCommand& command, uint64_t wall_us);

}  // namespace kvorum::server

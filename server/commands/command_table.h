// SPDX-License-Identifier: Apache-2.0
// All command rows, found by name in a small open-addressing table that ignores case. Built once,
// before the first request; read from every reactor.
#pragma once

#include <string_view>
#include <vector>

#include "server/commands/command.h"

namespace kvorum::server {

// Null where there is none; a subcommand is none.
const CommandRow* find_command(std::string_view name);
// Also "config|get", a subcommand.
const CommandRow* find_named(std::string_view name);
const CommandRow* find_subcommand(const CommandRow& container, std::string_view name);

// In the order of the families; subcommands behind their container.
const std::vector<const CommandRow*>& all_commands();
std::vector<const CommandRow*> subcommands_of(const CommandRow& container);

bool arity_fits(const CommandRow& row, size_t words);

std::string_view group_name(Group group);
// The flags as COMMAND shows them.
std::vector<std::string_view> flag_names(const CommandRow& row);

// A line per command, for `kvorum commands`.
std::string commands_text();
// docs/COMMANDS.md, made from the rows.
std::string commands_markdown();

}  // namespace kvorum::server

// SPDX-License-Identifier: Apache-2.0
#include "server/commands/help.h"

#include "base/ascii.h"
#include "server/commands/command_table.h"

namespace kvorum::server {

void subcommand_help(const CommandCall& call, Plan& plan) {
  using protocol::Reply;
  const CommandRow* const container = find_command(call.words[0]);
  std::vector<Reply> lines;
  lines.push_back(Reply::simple_owned(upper_case(container->name) +
                                      " <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"));
  for (const CommandRow* row : subcommands_of(*container)) {
    std::string line = upper_case(row->name.substr(container->name.size() + 1));
    if (!row->arguments.empty()) line.append(" ").append(row->arguments);
    lines.push_back(Reply::simple_owned(std::move(line)));
    lines.push_back(Reply::simple_owned("    " + std::string(row->summary)));
  }
  plan.answer(Reply::array(std::move(lines)));
}

}  // namespace kvorum::server

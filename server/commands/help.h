// SPDX-License-Identifier: Apache-2.0
// The HELP subcommand of every container, made from the rows of its subcommands.
#pragma once

#include "server/commands/command.h"

namespace kvorum::server {

void subcommand_help(const CommandCall& call, Plan& plan);

}  // namespace kvorum::server

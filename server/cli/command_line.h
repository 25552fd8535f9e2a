// SPDX-License-Identifier: Apache-2.0
// The command line of `kvorum`: its subcommands and their options. Exit status: 0 fine, 1 could not
// be done, 2 wrong usage or configuration.
#pragma once

namespace kvorum::server {

inline constexpr int kExitFine = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitUnreachable = 2;  // of `kvorum status`

int run_command_line(int argc, char** argv);

}  // namespace kvorum::server

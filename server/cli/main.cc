// SPDX-License-Identifier: Apache-2.0
#include "server/cli/command_line.h"

int main(int argc, char** argv) { return kvorum::server::run_command_line(argc, argv); }

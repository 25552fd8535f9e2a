// SPDX-License-Identifier: Apache-2.0
// What SCRIPT and FUNCTION have in common.
#pragma once

#include "server/commands/command.h"

namespace kvorum::server {

// Whether the third word, if there is one, says how to flush. False with the reply planned.
bool is_flush_call(const CommandCall& call, std::string_view refusal, Plan& plan);

// Takes the next word of the first line of a script or a library ("#!lua ..."); empty at its end.
std::string_view next_word(std::string_view& line);

// SCRIPT KILL and FUNCTION KILL.
void end_long_runs(const CommandCall& call, Plan& plan);

// +OK once all nodes that can be reached have answered.
KeyspaceStep finish_everywhere(const cluster::KeyspaceCompletion& completion,
                               Remembered& remembered);

}  // namespace kvorum::server

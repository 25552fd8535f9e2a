// SPDX-License-Identifier: Apache-2.0
// Where a script's body comes from: the word of EVAL, this node's library, or another node's.
#pragma once

#include "server/commands/command.h"
#include "server/script/script_library.h"

namespace kvorum::server {

// The script, kept in the node's library. Null with the error planned where it is none.
std::shared_ptr<const ScriptBody> keep_script(std::string_view text, NodeFacts& facts, Plan& plan);

// By its name in any case of letters; null where this node has it not.
std::shared_ptr<const ScriptBody> known_script(std::string_view name, NodeFacts& facts);

// What EVAL and its relatives do once there is a body. With one key it is an edit; with several or
// none it goes in stages.
void plan_script(const CommandCall& call, const ScriptBody& body, Plan& plan);

// The same of FCALL: there is such a function.
void plan_function(const CommandCall& call, const FunctionLibraries::Found& found, Plan& plan);

// The first stage of FCALL. As find_body().
bool begin_function(const StageCall& call, Plan& plan);

// A stage of EVALSHA, whose body is looked for at the other nodes. True: it is there, and the
// call's state is the script. False: something is planned.
bool find_body(const StageCall& call, Plan& plan);

}  // namespace kvorum::server

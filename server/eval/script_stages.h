// SPDX-License-Identifier: Apache-2.0
// Scripts that do not run where their key is locked: those of several keys or of none, those that
// take long, and those that this node does not know. The keys are read at R, the script runs on
// copies of them, and what it changed is done to each key where that is as it was read; else it all
// begins again, at most kAttemptsMax times.
//
//   find the body -> read -> run -> compare keys that were only read
//     -> write the first key -> write the others -> reply
//                    ^              |
//                    +-- gave way --+
//
// All keys are of one partition. Each is a write by itself: where one of "the others" gave way, a
// part of the script is done, and its caller is told so.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "server/commands/command.h"
#include "server/script/script_library.h"

namespace kvorum::server {

inline constexpr int kAttemptsMax = 8;

// The stages. A command's words are EVALSHA's, or its state is one of these:
void run_script(const StageCall& call, Plan& plan);
// A script whose keys and body are known; the task is a ScriptTask. One of a single key is tried
// where that is, unless it took too long there.
enum class ScriptPlace : uint8_t { kAtItsKey, kElsewhere };
std::unique_ptr<StageState> staged_script(std::string task, ScriptPlace place);

// EVAL and its relatives: keys and arguments behind the word that is the body or its name. False
// with Redis's error planned.
struct ScriptWords {
  std::span<const std::string_view> keys, arguments;
};
bool read_script_words(Words words, Plan& plan, ScriptWords* read);

// Keys of one partition, or none at all; else -CROSSSLOT is planned.
bool are_together(std::span<const std::string_view> keys, NodeFacts& facts, Plan& plan);

// What a script's edit answered. An edit that took too long is an error here: in a transaction it
// cannot run elsewhere.
protocol::Reply finish_script(const FinishInput& input);
// RESP as a script made it, as a reply.
protocol::Reply script_reply(std::string_view resp);
// FCALL's, whose words are in the place of EVALSHA's.
void run_function(const StageCall& call, Plan& plan);

}  // namespace kvorum::server

// SPDX-License-Identifier: Apache-2.0
// What is run when a script is called, as it travels to the coordinator of its key, and what it may
// cost there. Values; all text is borrowed.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/resp_writer.h"

namespace kvorum::server {

struct ScriptTask {
  std::string_view sha;   // of the body, 40 hexadecimal digits
  std::string_view body;  // Lua
  // Of FCALL: the body is its library's, and this is called of it. Else empty.
  std::string_view function;
  std::vector<std::string_view> keys, arguments;
  protocol::RespVersion resp = protocol::RespVersion::k2;  // of who called it
  bool read_only = false;
  uint64_t now_us = 0;  // Unix time, for TIME
  uint8_t keyspace = 0;
};

//   u8 flags, u8 keyspace, varint now_us, sha, bytes body, varint keys, bytes each,
//   varint arguments, bytes each, with a flag: bytes function
void put_script_task(std::string& out, const ScriptTask& task);
// False where it is malformed.
bool get_script_task(std::string_view bytes, ScriptTask* task);

// What a script may cost. It is counted in instructions of the interpreter, so that no clock is
// needed and the simulator sees the same each time: 100 000 of them are about a millisecond.
struct ScriptBudget {
  uint64_t instructions = UINT64_MAX;
  const std::atomic<bool>* killed = nullptr;  // somebody wants it to end
};

// While a key is locked for it, and on a reactor at all; then it runs on a thread of its own.
inline constexpr uint64_t kInstructionsOnReactor = 500'000;

}  // namespace kvorum::server

// SPDX-License-Identifier: Apache-2.0
// What is run when a script is called, as it travels to the coordinator of its key, and what it may
// cost there. Values; all text is borrowed.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/inline_vector.h"
#include "protocol/resp_writer.h"

namespace kvorum::server {

// The keys of a script, or its arguments: few take no memory of their own.
class ScriptWordList {
 public:
  void assign(std::span<const std::string_view> words) {
    words_.clear();
    for (const std::string_view word : words) words_.push_back(word);
  }
  void clear() { words_.clear(); }
  void push_back(std::string_view word) { words_.push_back(word); }
  std::span<const std::string_view> all() const { return {words_.begin(), words_.size()}; }

 private:
  InlineVector<std::string_view, 4> words_;
};

struct ScriptTask {
  std::string_view sha;   // of the body, 40 hexadecimal digits
  std::string_view body;  // Lua
  // Of FCALL: the body is its library's, and this is called of it. Else empty.
  std::string_view function;
  ScriptWordList keys, arguments;
  protocol::RespVersion resp = protocol::RespVersion::k2;  // of who called it
  bool read_only = false;
  bool is_monitored = false;   // its calls come back as lines for MONITOR, beside what it publishes
  bool denies_growth = false;  // memory is full: what needs some may not be its first write
  bool may_debug = false;      // DEBUG SET-DISABLE-DENY-SCRIPTS
  uint64_t now_us = 0;         // Unix time, for TIME
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

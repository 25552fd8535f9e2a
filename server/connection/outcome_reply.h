// SPDX-License-Identifier: Apache-2.0
// The error reply of an operation that did not succeed: its code word, what happened, and what to
// do. One place for both dialects; pure.
#pragma once

#include <string_view>

#include "cluster/wire/request.h"
#include "protocol/reply.h"
#include "server/commands/session_state.h"

namespace kvorum::server {

struct FailedOperation {
  cluster::Outcome outcome;
  std::string_view text;  // of the completion
  uint8_t acknowledged = 0, needed = 0;
  bool is_read = false;
};

inline FailedOperation failure_of(const cluster::Completion& completion, bool is_read) {
  return {completion.outcome, completion.text, completion.acknowledged, completion.needed, is_read};
}

// `echo` is what the binary protocol repeats of the request; borrowed as Reply::frame() has it.
protocol::Reply failure_reply(const FailedOperation& failure, Dialect dialect,
                              std::string_view echo = {});

// Of commands that were not even tried.
inline constexpr std::string_view kCrossSlot =
    "CROSSSLOT Keys in request don't hash to the same slot";
inline constexpr std::string_view kKeyTooLong = "ERR the key is longer than 65536 bytes";

}  // namespace kvorum::server

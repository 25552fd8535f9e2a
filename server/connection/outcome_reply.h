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

protocol::Reply failure_reply(const FailedOperation& failure, Dialect dialect);

}  // namespace kvorum::server

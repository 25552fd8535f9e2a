// SPDX-License-Identifier: Apache-2.0
// A message that outlives the call of its publisher, with bytes of its own; shared by all that it
// waits for. A plain value.
#pragma once

#include <string>

#include "server/commands/pub_sub_desk.h"

namespace kvorum::server {

struct KeptMessage {
  bool is_sharded = false;
  std::string channel, payload;

  KeptMessage() = default;
  explicit KeptMessage(const Message& message)
      : is_sharded(message.is_sharded), channel(message.channel), payload(message.payload) {}
  Message view() const { return {is_sharded, channel, payload}; }
  size_t bytes() const { return channel.size() + payload.size(); }
};

}  // namespace kvorum::server

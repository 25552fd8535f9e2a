// SPDX-License-Identifier: Apache-2.0
// A message as its subscribers get it. RESP2 and RESP3 differ in its first byte alone, so it is
// written once; a large one is shared by all connections that it waits for. A value; one thread.
#pragma once

#include <string>
#include <string_view>

#include "base/shared_bytes.h"
#include "protocol/resp_writer.h"
#include "server/commands/pub_sub_desk.h"
#include "server/connection/reply_queue.h"

namespace kvorum::server {

class MessageText {
 public:
  // As who is subscribed to its channel gets it.
  void write(const Message& message);
  // As who is subscribed to a pattern gets it.
  void write(const Message& message, std::string_view pattern);

  size_t size() const { return 1 + rest().size(); }
  // Behind all replies that wait.
  void append_to(ReplyQueue& replies, protocol::RespVersion version) const;
  void append_to(std::string& out, protocol::RespVersion version) const;

 private:
  static constexpr size_t kBytesKept = 64 * 1024;

  void begin(size_t size, std::string_view kind);
  void end();
  std::string_view rest() const { return large_ ? *large_ : std::string_view(rest_); }

  std::string rest_;   // all but the first byte
  SharedBytes large_;  // or this
};

}  // namespace kvorum::server

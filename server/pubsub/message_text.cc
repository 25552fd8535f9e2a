// SPDX-License-Identifier: Apache-2.0
#include "server/pubsub/message_text.h"

#include <utility>

#include "base/give_back.h"

namespace kvorum::server {
namespace {

char first_byte(protocol::RespVersion version) {
  return version == protocol::RespVersion::k3 ? '>' : '*';
}

}  // namespace

void MessageText::begin(size_t size, std::string_view kind) {
  large_.reset();
  give_back(rest_, kBytesKept);
  protocol::append_array_header(rest_, size);
  rest_.erase(0, 1);
  protocol::append_bulk(rest_, kind);
}

void MessageText::end() {
  if (rest_.size() >= kSharedBytesMin) large_ = share(std::exchange(rest_, {}));
}

void MessageText::write(const Message& message) {
  begin(3, message.is_sharded ? "smessage" : "message");
  protocol::append_bulk(rest_, message.channel);
  protocol::append_bulk(rest_, message.payload);
  end();
}

void MessageText::write(const Message& message, std::string_view pattern) {
  begin(4, "pmessage");
  protocol::append_bulk(rest_, pattern);
  protocol::append_bulk(rest_, message.channel);
  protocol::append_bulk(rest_, message.payload);
  end();
}

void MessageText::append_to(ReplyQueue& replies, protocol::RespVersion version) const {
  const ReplyQueue::Place place = replies.open();
  if (large_) {
    replies.put_large(place, {std::string(1, first_byte(version)), {large_, *large_}}, {});
  } else {
    append_to(replies.writer(place), version);
  }
  replies.close(place);
}

void MessageText::append_to(std::string& out, protocol::RespVersion version) const {
  out.push_back(first_byte(version));
  out.append(rest());
}

}  // namespace kvorum::server

// SPDX-License-Identifier: Apache-2.0
// Any bytes as frames with messages between clients, from two links: pieces in any order, of
// messages that are not whole. What is whole must encode to what decodes alike, and nothing is held
// of links that are gone.
#include <algorithm>

#include "base/check.h"
#include "server/pubsub/message_frame.h"
#include "tests/fuzz/fuzz_target.h"

namespace kvorum::fuzz {
namespace {

using server::MessageAssembler;

void check_whole(const server::Message& message) {
  std::string batch;
  server::put_message(batch, message, 1);
  MessageAssembler assembler;
  server::Message again;
  std::string_view rest = batch;
  cluster::Frame frame;
  size_t size = 0;
  auto result = MessageAssembler::Result::kMore;
  while (cluster::parse_frame(rest, &frame, &size) == cluster::FrameStatus::kFrame) {
    KVORUM_CHECK(result == MessageAssembler::Result::kMore);
    result = assembler.on_piece(cluster::LinkIndex::accepted(0), frame, &again);
    rest.remove_prefix(size);
  }
  KVORUM_CHECK(result == MessageAssembler::Result::kWhole && rest.empty());
  KVORUM_CHECK(again.channel == message.channel && again.payload == message.payload);
  KVORUM_CHECK(again.is_sharded == message.is_sharded);
}

// Two bytes before each frame's payload: its flags, link and reactor; its size.
void check_messages(std::string_view bytes) {
  MessageAssembler assembler;
  size_t sent = 0;
  while (bytes.size() > 2) {
    const auto choice = static_cast<uint8_t>(bytes[0]);
    const size_t size = std::min<size_t>(static_cast<uint8_t>(bytes[1]), bytes.size() - 2);
    const auto flags = static_cast<uint16_t>(choice & 7);
    const cluster::Frame frame{
        {cluster::MessageType::kPublish, 0, flags, static_cast<SlotId>(choice >> 3 & 1)},
        bytes.substr(2, size)};
    bytes.remove_prefix(2 + size);
    sent += size;
    server::Message message;
    const auto link = cluster::LinkIndex::accepted(choice >> 4 & 1);
    const auto result = assembler.on_piece(link, frame, &message);
    KVORUM_CHECK(assembler.held_bytes() <= sent);
    if (result == MessageAssembler::Result::kWhole) check_whole(message);
  }
  for (const uint16_t place : {uint16_t{0}, uint16_t{1}})
    assembler.forget(cluster::LinkIndex::accepted(place));
  KVORUM_CHECK(assembler.held_bytes() == 0);
}

const RegisterFuzzTarget kRegistered("messages_fuzz", &check_messages);

}  // namespace
}  // namespace kvorum::fuzz

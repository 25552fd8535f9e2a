// SPDX-License-Identifier: Apache-2.0
// Messages on their way to another node: kPublish of cluster/wire/frame.h. A long one is cut into
// pieces, which keep their order on a link as large frames would not (cluster/wire/frame_chunks.h).
//
//   flags       kMessageSharded; kMessageMore: a piece follows; kMessageRest: it continues the last
//   operation   the reactor that sends: pieces of several may mix where they share a link
//   u64         bytes of the payload             the first piece only
//   u32, bytes  the channel                      the first piece only
//   ...         the payload, or part of it
//
// Pure; one thread.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "cluster/wire/frame.h"
#include "cluster/wire/link_index.h"
#include "server/commands/pub_sub_desk.h"
#include "server/pubsub/kept_message.h"

namespace kvorum::server {

inline constexpr uint16_t kMessageSharded = 1 << 0;
inline constexpr uint16_t kMessageMore = 1 << 1;
inline constexpr uint16_t kMessageRest = 1 << 2;

// Of the payload. With a channel of any length the frame stays below kLargeFrameBytes.
inline constexpr size_t kMessagePieceBytes = 48 * 1024;

inline bool is_one_piece(const Message& message) {
  return message.payload.size() <= kMessagePieceBytes;
}
// The piece that begins there. Returns where the next one does; the payload's end was the last.
size_t put_message_piece(std::string& batch, const Message& message, size_t offset,
                         uint64_t reactor);
void put_message(std::string& batch, const Message& message, uint64_t reactor);

// Messages that wait for room on one link.
class MessageQueue {
 public:
  // Beyond it, what comes is dropped. One message may be longer.
  static constexpr size_t kBytesMax = size_t{8} << 20;

  // False where it is dropped.
  bool add(const std::shared_ptr<const KeptMessage>& message);
  bool empty() const { return messages_.empty(); }
  size_t size() const { return messages_.size(); }
  size_t bytes() const { return bytes_; }
  // Appends pieces of them in order, until that is about so many bytes.
  void put(std::string& batch, size_t bytes_max, uint64_t reactor);
  void clear();

 private:
  std::deque<std::shared_ptr<const KeptMessage>> messages_;
  size_t offset_ = 0;  // of the first one
  size_t bytes_ = 0;
};

class MessageAssembler {
 public:
  enum class Result : uint8_t { kMore, kWhole, kMalformed };
  // kWhole: the message borrows the frame's bytes, or those of the assembler until the next piece.
  Result on_piece(cluster::LinkIndex from, const cluster::Frame& frame, Message* message);
  // The link is gone.
  void forget(cluster::LinkIndex from);
  // Of messages that are not whole.
  size_t held_bytes() const { return held_bytes_; }

 private:
  using Source = std::pair<cluster::LinkIndex, uint64_t>;  // and the reactor
  struct Part {
    KeptMessage message;
    uint64_t total = 0;
  };

  Result on_first(const Source& source, const cluster::Frame& frame, Message* message);

  std::map<Source, Part> parts_;
  KeptMessage whole_;
  size_t held_bytes_ = 0;
};

}  // namespace kvorum::server

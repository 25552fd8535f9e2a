// SPDX-License-Identifier: Apache-2.0
// The replies of one connection, in the order of its requests. A request takes a place; its reply
// is written straight into the output where nothing before it waits, else into its place, from
// where it moves on when its turn comes. Owned by a connection; the reactor's thread only.
//
//   head_ ............ next_          places of requests that are not answered, or not in turn
//   [ready][open][ready][open]  --head is ready-->  output
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "base/shared_bytes.h"

namespace kvorum::server {

// A part of the output that ends with a large value, which is not copied into it.
struct LargeReply {
  std::string before;
  SharedView body;
};

class ReplyQueue {
 public:
  using Place = uint64_t;

  Place open();
  // Where the reply of an open place is appended; then close() it. An empty reply is valid.
  std::string& writer(Place place);
  void close(Place place);

  // Forgets all places and lets go of its memory.
  void reset();

  // All large parts stand before output().
  std::string& output() { return output_; }
  bool has_large() const { return !large_.empty(); }
  LargeReply take_large();
  size_t waiting() const { return static_cast<size_t>(next_ - head_); }
  // A large reply of several parts, behind nothing else: takes the memory where the place is next.
  void put(Place place, std::string_view header, std::string& parts);
  // Appends to an open place what stands before a large value, the value, and what stands behind.
  void put_large(Place place, LargeReply reply, std::string_view after);
  // Bytes to send and bytes that wait for replies before them.
  size_t bytes() const { return output_.size() + large_bytes_ + waiting_bytes_; }
  // The same with the room that the output has grown by.
  size_t memory_bytes() const {
    return (output_.empty() ? 0 : output_.capacity()) + large_bytes_ + waiting_bytes_;
  }

 private:
  // A place keeps so much memory for its next reply.
  static constexpr size_t kKeptBytesMax = 1024;
  static constexpr size_t kSlotsFirst = 16;
  static constexpr size_t kSlotsKept = 128;  // more are given back when no reply waits

  struct Slot {
    std::vector<LargeReply> large;  // before `bytes`
    std::string bytes;
    bool ready = false;

    size_t size() const;
  };
  void append(Slot& slot);
  Slot& slot(Place place) { return slots_[place & (slots_.size() - 1)]; }
  void grow();

  std::deque<LargeReply> large_;
  size_t large_bytes_ = 0;
  std::string output_;
  std::vector<Slot> slots_;  // a power of two, none until a reply has to wait
  Place head_ = 0, next_ = 0;
  size_t waiting_bytes_ = 0;
};

}  // namespace kvorum::server

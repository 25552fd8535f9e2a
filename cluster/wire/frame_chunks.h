// SPDX-License-Identifier: Apache-2.0
// Frames that are too long to hold up a link: they travel in chunks, several of them in turn, and
// all other frames of the link go between. One ChunkSender and one ChunkAssembler for each link and
// direction; pure, one thread. What comes out of the assembler is the frame as it was given to the
// sender; small frames that were sent later may have come before.
//
//   kChunk       u64 offset       within the frame's bytes behind length and checksum
//                u64 sent_us      the sender's steady clock
//                u64 total        of those bytes; with offset 0 only
//                ...              some of them; at least the frame's head with offset 0
//   kChunkTaken  u64 taken        so many have come
//
// `operation` is the number of the transfer: they rise by one within a link. Each chunk has the
// checksum of its own frame. No more than kWindowBytes are sent beyond what was taken, so that
// small frames wait behind a moment's bytes only, and the sender knows whether they flow.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/check.h"
#include "base/memory_thread.h"
#include "base/shared_bytes.h"
#include "cluster/wire/frame.h"

namespace kvorum::cluster {

// `front` is the beginning of a frame as FrameWriter made it, whose length and checksum do not
// count; `rest` follows it, and lies in `body`, which others may share.
struct LargeFrame {
  std::string front;
  SharedBytes body;
  std::string_view rest;
};

// Whether any frame of a batch is longer than kLargeFrameBytes. Batches of many small ones are
// longer than that, too.
bool has_large_frame(std::string_view batch);

// Takes the frames that are longer than kLargeFrameBytes out of a batch.
std::vector<LargeFrame> take_large_frames(std::string& batch);

class ChunkSender {
 public:
  static constexpr size_t kChunkBytes = 64 * 1024;
  static constexpr size_t kWindowBytes = 1024 * 1024;
  static constexpr size_t kTogetherMax = 8;  // begun and not all taken

  void add(LargeFrame frame);
  // Whether put_chunks() would put any.
  bool can_send() const;
  // Appends chunks of the transfers in turn, about so many bytes and no more than the window has
  // room for.
  void put_chunks(std::string& batch, size_t bytes_max, uint64_t now_us);
  // False where the other side takes what was not sent.
  bool on_taken(const Frame& frame);

  // The heads of the frames whose bytes flowed since the last call.
  std::vector<FrameHead> take_flowed() { return std::exchange(flowed_, {}); }
  // Of all frames that were not sent to their end.
  size_t held_bytes() const { return held_bytes_; }
  void clear() { *this = ChunkSender(); }

 private:
  struct Transfer {
    uint64_t number = 0;
    LargeFrame frame;
    FrameHead head;
    uint64_t total = 0, sent = 0, taken = 0;
  };

  void begin_some();
  void put_chunk(std::string& batch, Transfer& transfer, uint64_t now_us);

  std::vector<Transfer> begun_;
  std::deque<LargeFrame> waiting_;
  std::vector<FrameHead> flowed_;
  uint64_t last_number_ = 0;
  size_t next_ = 0;    // of begun_
  size_t unsent_ = 0;  // of begun_, those with bytes to send
  size_t in_window_ = 0;
  size_t held_bytes_ = 0;
};

class ChunkAssembler {
 public:
  // Of all frames together: each of them may be far from it when the window is full.
  static constexpr size_t kTakenEvery = 256 * 1024;
  static_assert(kTakenEvery <= ChunkSender::kWindowBytes / 2);

  enum class Result : uint8_t { kMore, kWhole, kMalformed };
  Result on_chunk(const Frame& chunk);
  // Of the chunk taken last.
  const FrameHead& head() const { return head_; }
  // After kWhole, until drop_whole().
  Frame whole() const {
    KVORUM_CHECK(whole_ != nullptr);
    return {head_, *whole_, sent_us_, &whole_};
  }
  void drop_whole() { whole_ = nullptr; }

  // Tells the sender what was taken: after a stretch of chunks.
  bool owes_taken() const { return !owed_.empty(); }
  void put_taken(std::string& batch);

  size_t held_bytes() const { return held_bytes_; }
  void clear() { *this = ChunkAssembler(); }

 private:
  struct Assembly {
    uint64_t number = 0;
    FrameHead head;
    uint64_t total = 0, taken = 0, told = 0;
    MappedMemory payload;
    PagesAhead ahead;

    size_t filled() const;  // of the payload
  };
  struct Owed {
    uint64_t number, taken;
  };

  Assembly* begin(uint64_t number, ByteReader& reader);
  void owe(Assembly& assembly);

  std::vector<Assembly> assemblies_;
  std::vector<Owed> owed_;
  uint64_t last_number_ = 0;
  FrameHead head_{};
  SharedBytes whole_;
  uint64_t sent_us_ = 0;
  size_t held_bytes_ = 0;
  size_t untold_bytes_ = 0;
};

}  // namespace kvorum::cluster

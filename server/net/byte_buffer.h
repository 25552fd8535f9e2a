// SPDX-License-Identifier: Apache-2.0
// Bytes received and not yet taken: written at the end, taken from the front. Room is not
// initialised, so that a buffer sized for a large value costs no memory before its bytes arrive.
// Growing is linear in the bytes; large buffers are mapped memory, which is not copied.
// One owner, one thread. The views it gives hold until the next prepare() or release_memory();
// those into a share of it as long as that.
#pragma once

#include <cstdlib>
#include <cstring>
#include <new>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "base/large_memory.h"
#include "base/memory_thread.h"
#include "base/shared_bytes.h"

namespace kvorum::server {

class ByteBuffer {
 public:
  ByteBuffer() = default;
  ~ByteBuffer() { let_go(); }
  ByteBuffer(const ByteBuffer&) = delete;
  ByteBuffer& operator=(const ByteBuffer&) = delete;

  std::string_view view() const { return {bytes_ + begin_, end_ - begin_}; }
  size_t size() const { return end_ - begin_; }
  bool empty() const { return begin_ == end_; }
  size_t capacity() const { return capacity_; }

  // Room for at least `room` more bytes behind the content.
  char* prepare(size_t room) {
    if (shared_) [[unlikely]]
      move_out(room);
    if (capacity_ - end_ < room) make_room(room);
    return bytes_ + end_;
  }
  size_t room() const { return shared_ ? 0 : capacity_ - end_; }
  void commit(size_t written) {
    KVORUM_CHECK(written <= capacity_ - end_);
    end_ += written;
    if (capacity_ >= kLargeMemoryBytes) [[unlikely]]
      ahead_.wrote(bytes_ + end_, bytes_ + capacity_);
  }
  void append(std::string_view bytes) {
    if (bytes.empty()) return;
    std::memcpy(prepare(bytes.size()), bytes.data(), bytes.size());
    commit(bytes.size());
  }
  void consume(size_t taken) {
    KVORUM_CHECK(taken <= size());
    begin_ += taken;
    if (begin_ == end_) begin_ = end_ = 0;
  }
  // The memory as it is, where it is large; else none. What comes later goes into another.
  const SharedBytes& share() {
    if (mapped_) shared_ = kvorum::share(std::move(mapped_), {bytes_, end_});
    return shared_;
  }
  // Keeps the content, in a buffer that is not much larger.
  void give_back_room() {
    if (empty()) return release_memory();
    if (shared_) return move_out(0);
    to_front();
    resize(size());
  }
  // An idle connection keeps no buffer.
  void release_memory() {
    KVORUM_CHECK(empty());
    let_go();
  }

 private:
  static constexpr size_t kMappedFrom = 1024 * 1024;

  void let_go() {
    if (!shared_ && !mapped_) std::free(bytes_);
    shared_ = nullptr;
    mapped_ = MappedMemory();
    bytes_ = nullptr;
    capacity_ = 0;
  }

  // The content to memory of its own.
  void move_out(size_t room) {
    const SharedBytes before = std::move(shared_);
    const std::string_view content = view();
    bytes_ = nullptr;
    begin_ = end_ = capacity_ = 0;
    resize(content.size() + room + 1);
    append(content);
  }

  void make_room(size_t room) {
    const size_t content = size();
    const bool worth_moving = begin_ >= content;
    to_front();
    if (worth_moving && capacity_ - end_ >= room) return;
    // At least half as large again, so that byte-wise growth stays linear.
    const size_t wanted = content + (room > content / 2 ? room : content / 2);
    if (wanted > capacity_) resize(wanted);
  }

  void to_front() {
    const size_t content = size();
    if (begin_ != 0 && content != 0) std::memmove(bytes_, bytes_ + begin_, content);
    begin_ = 0;
    end_ = content;
  }

  // Of memory that is not shared. The content stands at its front.
  void resize(size_t wanted) {
    if (wanted < kMappedFrom) return resize_small(wanted);
    if (mapped_) {
      mapped_.resize(wanted);
      ahead_.reset(mapped_.data());
    } else {
      MappedMemory larger(wanted);
      if (end_ != 0) std::memcpy(larger.data(), bytes_, end_);
      std::free(bytes_);
      mapped_ = std::move(larger);
      ahead_.reset(mapped_.data() + mapped_.warm_bytes());
    }
    bytes_ = mapped_.data();
    capacity_ = mapped_.size();
  }

  void resize_small(size_t wanted) {
    char* const moved = static_cast<char*>(std::realloc(mapped_ ? nullptr : bytes_, wanted));
    if (moved == nullptr) throw std::bad_alloc();
    if (mapped_) std::memcpy(moved, bytes_, end_);
    mapped_ = MappedMemory();
    bytes_ = moved;
    capacity_ = wanted;
  }

  char* bytes_ = nullptr;
  size_t begin_ = 0, end_ = 0, capacity_ = 0;
  MappedMemory mapped_;  // what bytes_ is, where it is large
  SharedBytes shared_;   // the same, where others have a share
  PagesAhead ahead_;
};

}  // namespace kvorum::server

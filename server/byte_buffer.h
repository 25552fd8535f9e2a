// SPDX-License-Identifier: Apache-2.0
// Bytes received and not yet taken: written at the end, taken from the front. Room is not
// initialised, so that a buffer sized for a large value costs no memory before its bytes arrive.
// Growing is linear in the bytes, and large buffers are moved by the page table, not copied.
// One owner, one thread. The views it gives hold until the next prepare() or release_memory().
#pragma once

#include <cstdlib>
#include <cstring>
#include <new>
#include <string_view>
#include <utility>

#include "base/check.h"

namespace kvorum::server {

class ByteBuffer {
 public:
  ByteBuffer() = default;
  ~ByteBuffer() { std::free(bytes_); }
  ByteBuffer(const ByteBuffer&) = delete;
  ByteBuffer& operator=(const ByteBuffer&) = delete;

  std::string_view view() const { return {bytes_ + begin_, end_ - begin_}; }
  size_t size() const { return end_ - begin_; }
  bool empty() const { return begin_ == end_; }
  size_t capacity() const { return capacity_; }

  // Room for at least `room` more bytes behind the content.
  char* prepare(size_t room) {
    if (capacity_ - end_ < room) make_room(room);
    return bytes_ + end_;
  }
  size_t room() const { return capacity_ - end_; }
  void commit(size_t written) {
    KVORUM_CHECK(written <= capacity_ - end_);
    end_ += written;
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
  // Keeps the content, in a buffer that is not much larger.
  void give_back_room() {
    if (empty()) return release_memory();
    to_front();
    resize(size());
  }
  // An idle connection keeps no buffer.
  void release_memory() {
    KVORUM_CHECK(empty());
    std::free(bytes_);
    bytes_ = nullptr;
    capacity_ = 0;
  }

 private:
  void make_room(size_t room) {
    const size_t content = size();
    const bool has_room = begin_ != 0 && capacity_ - content >= room && begin_ >= content;
    to_front();
    // At least half as large again, so that byte-wise growth stays linear.
    if (!has_room) resize(content + (room > content / 2 ? room : content / 2));
  }

  void to_front() {
    const size_t content = size();
    if (begin_ != 0 && content != 0) std::memmove(bytes_, bytes_ + begin_, content);
    begin_ = 0;
    end_ = content;
  }

  void resize(size_t wanted) {
    char* const moved = static_cast<char*>(std::realloc(bytes_, wanted));
    if (moved == nullptr) throw std::bad_alloc();
    bytes_ = moved;
    capacity_ = wanted;
  }

  char* bytes_ = nullptr;
  size_t begin_ = 0, end_ = 0, capacity_ = 0;
};

}  // namespace kvorum::server

// SPDX-License-Identifier: Apache-2.0
#include "server/stream.h"

#include <sys/socket.h>

#include <algorithm>

namespace kvorum::server {

struct Stream::ReadWait {
  using allocator_type = HandlerAllocator<void>;
  Stream* stream;
  allocator_type get_allocator() const { return allocator_type(stream->read_memory_); }
  void operator()(const error_code& error) const { stream->on_readable(error); }
};

struct Stream::WriteWait {
  using allocator_type = HandlerAllocator<void>;
  Stream* stream;
  allocator_type get_allocator() const { return allocator_type(stream->write_memory_); }
  void operator()(const error_code& error) const { stream->on_writable(error); }
};

Stream::Stream(TcpSocket socket, StreamShare& share, StreamOwner& owner)
    : socket_(std::move(socket)), share_(share), owner_(owner) {
  error_code ignored;  // a connection that broke already is noticed by its first read
  socket_.non_blocking(true, ignored);
  socket_.set_option(Tcp::no_delay(true), ignored);
  socket_.set_option(asio::socket_base::keep_alive(true), ignored);
}

void Stream::start() { wait_to_read(); }

void Stream::wait_to_read() {
  if (!open_ || waits_to_read_) return;
  waits_to_read_ = true;
  socket_.async_wait(asio::socket_base::wait_read, ReadWait{this});
}

void Stream::wait_to_write() {
  if (!open_ || waits_to_write_) return;
  waits_to_write_ = true;
  socket_.async_wait(asio::socket_base::wait_write, WriteWait{this});
}

void Stream::on_readable(const error_code& error) {
  waits_to_read_ = false;
  if (!open_) return;
  if (error) return broke(error);
  read_once();
  if (open_ && owner_.wants_input()) wait_to_read();
}

void Stream::read_once() {
  const bool direct = !kept_.empty();
  char* into = share_.read_buffer.get();
  size_t room = StreamShare::kReadBytes;
  if (direct) {
    const size_t hint = std::min(owner_.input_hint(), kHintBelievedMax);
    into = kept_.prepare(std::max<size_t>(hint, 16 * 1024));
    room = kept_.room();
  }
  const ssize_t got = ::recv(socket_.native_handle(), into, room, 0);
  if (got == 0) return broke(asio::error::eof);
  if (got < 0) {
    if (errno == EAGAIN || errno == EINTR) return;
    return broke(error_code(errno, boost::system::system_category()));
  }
  const auto size = static_cast<size_t>(got);
  share_.bytes_in += size;
  if (direct) {
    kept_.commit(size);
    return show_kept();
  }
  const std::string_view bytes(into, size);
  const size_t taken = owner_.on_input(bytes);
  if (open_ && taken < size) {
    const size_t hint = std::min(owner_.input_hint(), kHintBelievedMax);
    kept_.prepare(size - taken + hint);
    kept_.append(bytes.substr(taken));
  }
}

void Stream::show_kept() {
  const size_t taken = owner_.on_input(kept_.view());
  kept_.consume(taken);
  if (kept_.empty() && kept_.capacity() > 0) kept_.release_memory();
}

void Stream::resume() {
  if (!open_) return;
  if (!kept_.empty()) show_kept();
  if (open_ && owner_.wants_input()) wait_to_read();
}

void Stream::send(std::string& bytes) {
  KVORUM_CHECK(!sending());
  if (!open_) return bytes.clear();
  unsent_.swap(bytes);
  unsent_offset_ = 0;
  if (!push()) wait_to_write();
}

// Sends until all is sent (true) or the socket takes no more.
bool Stream::push() {
  while (open_ && unsent_offset_ < unsent_.size()) {
    const ssize_t sent = ::send(socket_.native_handle(), unsent_.data() + unsent_offset_,
                                unsent_bytes(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN) return false;
      broke(error_code(errno, boost::system::system_category()));
      return true;
    }
    share_.bytes_out += static_cast<size_t>(sent);
    unsent_offset_ += static_cast<size_t>(sent);
  }
  unsent_offset_ = 0;
  if (unsent_.capacity() > kKeptBytesMax) {
    unsent_ = std::string();
  } else {
    unsent_.clear();
  }
  return true;
}

void Stream::on_writable(const error_code& error) {
  waits_to_write_ = false;
  if (!open_) return;
  if (error) return broke(error);
  owner_.on_room();
  if (!push()) return wait_to_write();
  if (open_) owner_.on_sent();
}

void Stream::broke(const error_code& error) {
  close();
  owner_.on_broken(error);
}

void Stream::abort() {
  error_code ignored;
  if (open_) socket_.set_option(asio::socket_base::linger(true, 0), ignored);
  close();
}

void Stream::close() {
  if (!open_) return;
  open_ = false;
  unsent_.clear();
  unsent_offset_ = 0;
  error_code ignored;
  socket_.close(ignored);
}

}  // namespace kvorum::server

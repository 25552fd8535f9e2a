// SPDX-License-Identifier: Apache-2.0
#include "server/net/stream.h"

#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/give_back.h"

namespace kvorum::server {
namespace {

error_code last_error() { return error_code(errno, boost::system::system_category()); }

}  // namespace

Stream::Stream(TcpSocket socket, StreamShare& share, StreamOwner& owner)
    : share_(share),
      owner_(owner),
      kept_held_(share.in_flight, share.kept_as),
      unsent_held_(share.in_flight, share.unsent_as) {
  error_code ignored;  // a connection that broke already is noticed by its first read
  socket.non_blocking(true, ignored);
  socket.set_option(Tcp::no_delay(true), ignored);
  socket.set_option(asio::socket_base::keep_alive(true), ignored);
  watched_.socket = socket.release();
  watched_.pollable = this;
}

void Stream::start() { wait_to_read(); }

// A socket that is none of TCP refuses these options, which does no harm.
void Stream::set_keepalive(uint64_t seconds) {
  constexpr int kProbes = 3;
  constexpr uint64_t kSecondsMax = 32'767;  // the kernel takes no more
  const auto set = [this](int level, int option, int value) {
    ::setsockopt(watched_.socket, level, option, &value, sizeof value);
  };
  set(SOL_SOCKET, SO_KEEPALIVE, seconds != 0);
  if (seconds == 0) return;
  const int idle = static_cast<int>(std::min(seconds, kSecondsMax));
  set(IPPROTO_TCP, TCP_KEEPIDLE, idle);
  set(IPPROTO_TCP, TCP_KEEPINTVL, std::max(idle / kProbes, 1));
  set(IPPROTO_TCP, TCP_KEEPCNT, kProbes);
}

void Stream::wait_to_read() {
  if (!open_ || waits_to_read_ || ended_ || read_paced_) return;
  waits_to_read_ = true;
  watch();
}

void Stream::wait_to_write() {
  if (!open_ || waits_to_write_ || write_paced_) return;
  waits_to_write_ = true;
  watch();
}

uint32_t Stream::wanted_events() const {
  return (waits_to_read_ ? EPOLLIN : 0U) | (waits_to_write_ ? EPOLLOUT : 0U);
}

// Input that nobody wants for a moment stays watched for: on_ready() gives that up when some comes.
void Stream::watch() {
  const uint32_t wanted = wanted_events();
  if ((watched_.events & wanted) == wanted) return;
  if (!share_.polls.watch(watched_, wanted)) broke(last_error());
}

void Stream::on_ready(bool readable, bool writable) {
  const bool in_vain = readable && !waits_to_read_;
  if (open_ && writable && waits_to_write_) on_writable();
  if (open_ && readable && waits_to_read_) on_readable();
  if (!open_) return;
  const bool has_room = (watched_.events & EPOLLOUT) != 0 && !waits_to_write_;
  if ((in_vain || has_room) && !share_.polls.watch(watched_, wanted_events())) broke(last_error());
}

void Stream::on_pace() {
  if (!open_) return;
  if (std::exchange(write_paced_, false)) on_writable();
  if (open_ && std::exchange(read_paced_, false) && owner_.wants_input()) wait_to_read();
}

void Stream::on_readable() {
  waits_to_read_ = false;
  if (keeps_large()) [[unlikely]] {
    read_paced_ = !share_.may_move_piece(*this);
    if (read_paced_) return;
  }
  read_once();
  if (open_ && owner_.wants_input()) wait_to_read();
}

// Room for what the owner waits for, as far as it is believed.
size_t Stream::room_wanted(size_t kept_bytes) const {
  if (kept_bytes >= kAllBelievedFrom) return std::max(owner_.input_hint(), kRoomMin);
  const size_t believed = std::max(kept_bytes, kHintBelievedMin);
  return std::clamp(owner_.input_hint(), kRoomMin, believed);
}

// False where there was nothing to read, or the end.
bool Stream::read_once() {
  const bool direct = !kept_.empty();
  char* into = share_.read_buffer.get();
  size_t room = StreamShare::kReadBytes;
  if (direct) {
    // A buffer with any room to speak of is filled before it grows.
    const size_t needed = std::clamp<size_t>(owner_.input_hint(), 1, kRoomMin);
    into = kept_.prepare(kept_.room() >= needed ? 0 : room_wanted(kept_.size()));
    room = std::min(kept_.room(), keeps_large() ? LargePace::kPieceBytes : kReadOnceMax);
  }
  const ssize_t got = ::recv(watched_.socket, into, room, 0);
  if (got == 0) {
    end();
    return false;
  }
  if (got < 0) {
    if (errno != EAGAIN && errno != EINTR) broke(last_error());
    return false;
  }
  const auto size = static_cast<size_t>(got);
  share_.bytes_in += size;
  if (direct) {
    kept_.commit(size);
    show_kept();
    return true;
  }
  const std::string_view bytes(into, size);
  const size_t taken = show(bytes);
  if (open_ && taken < size) {
    kept_.prepare(size - taken + room_wanted(size - taken));
    kept_.append(bytes.substr(taken));
    kept_held_.set(kept_.size());
  }
  return true;
}

void Stream::end() {
  ended_ = owner_.on_end();
  if (!ended_) broke(asio::error::eof);
}

size_t Stream::show(std::string_view bytes) {
  const bool within = std::exchange(shows_, true);
  const size_t taken = owner_.on_input(bytes);
  shows_ = within;
  return taken;
}

void Stream::show_kept() {
  const size_t taken = show(kept_.view());
  kept_.consume(taken);
  if (kept_.empty() && kept_.capacity() > 0) kept_.release_memory();
  if (kept_.capacity() > kKeptRoomMax && kept_.size() < kept_.capacity() / 4) {
    kept_.give_back_room();
  }
  kept_held_.set(kept_.size());
}

void Stream::resume() {
  if (!open_) return;
  if (!kept_.empty()) show_kept();
  if (open_ && owner_.wants_input()) wait_to_read();
}

void Stream::read_last() {
  if (!open_ || !waits_to_read_) return;
  waits_to_read_ = false;
  read_once();
}

SharedBytes Stream::share_input(std::string_view part) {
  return is_within(part, kept_.view()) ? kept_.share() : nullptr;
}

void Stream::send(std::string& bytes, SharedView body) {
  KVORUM_CHECK(!sending());
  if (!open_ || takes_nothing_) return bytes.clear();
  unsent_.swap(bytes);
  unsent_offset_ = 0;
  body_ = std::move(body);
  if (push()) return;
  unsent_held_.set(unsent_.capacity() + body_.bytes.size());
  wait_to_write();
}

// How many bytes the socket took; 0: it is full, or it broke.
size_t Stream::send_some(std::string_view bytes) {
  for (;;) {
    const ssize_t sent =
        ::send(watched_.socket, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno != EAGAIN) broke_sending(last_error());
    if (sent <= 0) return 0;
    const auto size = static_cast<size_t>(sent);
    share_.bytes_out += size;
    sent_bytes_ += size;
    return size;
  }
}

// Sends until all is sent, or it broke (true), or the socket takes no more, or a body has had its
// part of this turn.
bool Stream::push() {
  while (open_ && unsent_offset_ < unsent_.size()) {
    const size_t sent = send_some(std::string_view(unsent_).substr(unsent_offset_));
    if (sent == 0) return !open_ || takes_nothing_;
    unsent_offset_ += sent;
  }
  unsent_offset_ = 0;
  give_back(unsent_, share_.unsent_kept_max);
  if (!body_.empty() && !push_body()) return false;
  unsent_held_.set(0);
  return true;
}

bool Stream::push_body() {
  write_paced_ = !share_.may_move_piece(*this);
  if (write_paced_) return false;
  const size_t sent = send_some(body_.bytes.substr(0, LargePace::kPieceBytes));
  if (!open_ || takes_nothing_) return true;
  body_.bytes.remove_prefix(sent);
  unsent_held_.set(unsent_.capacity() + body_.bytes.size());
  if (!body_.empty()) return false;
  body_ = {};
  return true;
}

void Stream::broke_sending(const error_code& error) {
  takes_nothing_ = true;
  unsent_.clear();
  body_ = {};
  if (!shows_ && owner_.wants_last_input()) {
    while (open_ && owner_.wants_input() && read_once()) {
    }
  }
  if (open_) broke(error);
}

void Stream::on_writable() {
  waits_to_write_ = false;
  owner_.on_room();
  if (!push()) return wait_to_write();
  if (open_) owner_.on_sent();
}

uint64_t Stream::acknowledged_bytes() const {
  int on_the_way = 0;
  const bool known = open_ && ::ioctl(watched_.socket, SIOCOUTQ, &on_the_way) == 0;
  return known ? sent_bytes_ - static_cast<uint64_t>(on_the_way) : sent_bytes_;
}

std::string Stream::remote_address() const {
  Tcp::endpoint remote;
  socklen_t size = static_cast<socklen_t>(remote.capacity());
  if (::getpeername(watched_.socket, remote.data(), &size) != 0) return "an unknown address";
  remote.resize(size);
  return remote.address().to_string();
}

void Stream::broke(const error_code& error) {
  close();
  owner_.on_broken(error);
}

void Stream::abort() {
  constexpr linger kForgets{1, 0};
  if (open_) ::setsockopt(watched_.socket, SOL_SOCKET, SO_LINGER, &kForgets, sizeof kForgets);
  close();
}

void Stream::close() {
  if (!open_) return;
  open_ = false;
  share_.forget(*this);
  release_memory(unsent_);
  body_ = {};
  unsent_offset_ = 0;
  unsent_held_.set(0);
  ::close(watched_.socket);
}

}  // namespace kvorum::server

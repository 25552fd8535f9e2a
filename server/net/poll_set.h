// SPDX-License-Identifier: Apache-2.0
// The sockets of a reactor's streams, watched by an epoll of their own that Asio sees as one
// descriptor. A socket is registered once, and whoever is ready costs its share of one epoll_wait;
// waiting through Asio takes an epoll_ctl and an epoll_wait more. So a reactor that is busy waits
// here (poll()), and through Asio once nothing came for a while. One thread.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>

#include "server/net/asio.h"

namespace kvorum::server {

class Pollable {
 public:
  // It is ready, or broken, which counts as both. Nothing that is watched may be destroyed in here.
  virtual void on_ready(bool readable, bool writable) = 0;

 protected:
  ~Pollable() = default;
};

class PollSet {
 public:
  static constexpr size_t kEventsMax = 128;

  // `io` outlives it. Fails as a check where the process has no descriptor left.
  explicit PollSet(asio::io_context& io);
  PollSet(const PollSet&) = delete;

  // What a socket is watched for: a set of EPOLLIN and EPOLLOUT, each reported as long as it holds;
  // 0 before the first call. A closed socket is forgotten by itself.
  struct Watched {
    int socket = -1;
    Pollable* pollable = nullptr;
    uint32_t events = 0;
  };
  // False, with errno, where the kernel watches no more sockets.
  bool watch(Watched& watched, uint32_t events);
  // Called in each poll(), before anybody is told.
  void set_first(std::function<void()> first) { first_ = std::move(first); }
  // Tells who is ready, kEventsMax of them at most. Waits so long for the first, milliseconds.
  // Returns how many there were.
  size_t poll(int wait_ms);
  // How many sockets were ready since the start.
  uint64_t seen() const { return seen_; }
  // Tells of nothing any more.
  void stop();

 private:
  void wait();

  asio::posix::basic_stream_descriptor<Executor> epoll_;
  std::array<epoll_event, kEventsMax> events_;
  uint64_t seen_ = 0;
  std::function<void()> first_;
};

}  // namespace kvorum::server

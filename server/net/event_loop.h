// SPDX-License-Identifier: Apache-2.0
// What a reactor waits for: its sockets, work of other threads, a time. In one epoll, so that an
// input costs one wait. Attempts to connect belong to Asio; while there is one, the wait goes
// through Asio, which takes two system calls more.
//
//   sockets, acceptors ----+
//   post() of any thread --+--> PollSet --> wait()
//   set_timer() -----------+       ^
//                                  +--- Asio: resolver, attempts to connect
#pragma once

#include "server/net/asio.h"
#include "server/net/poll_set.h"
#include "server/net/posts.h"

namespace kvorum::server {

class EventLoop {
 public:
  EventLoop();
  EventLoop(const EventLoop&) = delete;
  ~EventLoop();

  // Any thread: to be done in the loop's, within wait().
  void post(Posts::Work work) { posts_.add(std::move(work)); }

  // The loop's own thread, from here on.
  // Of what Asio does, where `asio_waits` is told to wait().
  asio::io_context& io() { return io_; }
  PollSet& polls() { return polls_; }
  // Until something came, and tells whom it is for.
  void wait(bool asio_waits);
  // The next wait() does not wait.
  void go_on() { goes_on_ = true; }
  // wait() ends then, CLOCK_MONOTONIC in microseconds. There is one such time.
  void set_timer(uint64_t at_us);
  // 0: it has come, or was never set.
  uint64_t timer_us() const { return timer_.at_us; }
  // One of Asio's steps that waits for nothing. False where there is none.
  bool step_asio() { return io_.poll_one() != 0; }
  // Waits for nothing any more but what Asio has begun.
  void stop();
  // One step of that. False where there is none.
  bool finish_one() { return io_.run_one() != 0; }

 private:
  struct Timer final : Pollable {
    void on_ready(bool, bool) override { at_us = 0; }
    PollSet::Watched watched;
    uint64_t at_us = 0;
  };

  void run_posts();

  asio::io_context io_{1};
  asio::executor_work_guard<Executor> work_;
  PollSet polls_;
  Posts posts_;
  Timer timer_;
  bool goes_on_ = false;
};

}  // namespace kvorum::server

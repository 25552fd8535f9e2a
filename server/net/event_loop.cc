// SPDX-License-Identifier: Apache-2.0
#include "server/net/event_loop.h"

#include <sys/timerfd.h>
#include <unistd.h>

#include <utility>

#include "base/check.h"

namespace kvorum::server {

EventLoop::EventLoop() : work_(asio::make_work_guard(io_)), polls_(io_), posts_(polls_) {
  timer_.watched.socket = ::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  timer_.watched.pollable = &timer_;
  KVORUM_CHECK(timer_.watched.socket >= 0);
  // Each time that comes is an event by itself: it is never read.
  KVORUM_CHECK(polls_.watch(timer_.watched, EPOLLIN | EPOLLET));
  // Whoever was told by another thread's work, and says so to a client of this one, finds it done.
  polls_.set_first([this] { run_posts(); });
}

EventLoop::~EventLoop() { ::close(timer_.watched.socket); }

void EventLoop::run_posts() {
  posts_.stay_awake();
  posts_.run();
}

void EventLoop::wait(bool asio_waits) {
  constexpr int kForever = -1;
  const bool may_wait = !std::exchange(goes_on_, false) && posts_.fall_asleep();
  if (asio_waits) {
    may_wait ? io_.run_one() : io_.poll_one();  // one: a turn has its bounds
  } else {
    polls_.poll(may_wait ? kForever : 0);
  }
  run_posts();
}

void EventLoop::set_timer(uint64_t at_us) {
  constexpr uint64_t kSecond = 1'000'000;
  itimerspec wanted{};
  wanted.it_value.tv_sec = static_cast<time_t>(at_us / kSecond);
  wanted.it_value.tv_nsec = static_cast<long>(at_us % kSecond * 1000);
  KVORUM_CHECK(at_us != 0 &&
               ::timerfd_settime(timer_.watched.socket, TFD_TIMER_ABSTIME, &wanted, nullptr) == 0);
  timer_.at_us = at_us;
}

void EventLoop::stop() {
  polls_.stop();
  work_.reset();
}

}  // namespace kvorum::server

// SPDX-License-Identifier: Apache-2.0
#include "server/net/poll_set.h"

#include <cerrno>

#include "base/check.h"

namespace kvorum::server {

PollSet::PollSet(asio::io_context& io) : epoll_(io.get_executor()) {
  const int created = ::epoll_create1(EPOLL_CLOEXEC);
  KVORUM_CHECK(created >= 0);
  epoll_.assign(created);
  wait();
}

bool PollSet::watch(Watched& watched, uint32_t events) {
  if (watched.events == events) return true;
  int change = EPOLL_CTL_MOD;
  if (watched.events == 0) change = EPOLL_CTL_ADD;
  if (events == 0) change = EPOLL_CTL_DEL;
  epoll_event wish{};
  wish.events = events;
  wish.data.ptr = watched.pollable;
  if (::epoll_ctl(epoll_.native_handle(), change, watched.socket, &wish) != 0) return false;
  watched.events = events;
  return true;
}

void PollSet::wait() {
  epoll_.async_wait(asio::posix::descriptor_base::wait_read, [this](const error_code& error) {
    if (error) return;
    poll(0);
    if (epoll_.is_open()) wait();
  });
}

size_t PollSet::poll(int wait_ms) {
  const int count =
      ::epoll_wait(epoll_.native_handle(), events_.data(), static_cast<int>(kEventsMax), wait_ms);
  KVORUM_CHECK(count >= 0 || errno == EINTR);
  if (first_) first_();
  for (int at = 0; at < count; ++at) {
    const epoll_event& event = events_[static_cast<size_t>(at)];
    const bool broken = (event.events & (EPOLLERR | EPOLLHUP)) != 0;
    ++seen_;
    static_cast<Pollable*>(event.data.ptr)
        ->on_ready(broken || (event.events & EPOLLIN) != 0,
                   broken || (event.events & EPOLLOUT) != 0);
  }
  return count > 0 ? static_cast<size_t>(count) : 0;
}

void PollSet::stop() {
  error_code ignored;
  epoll_.close(ignored);
}

}  // namespace kvorum::server

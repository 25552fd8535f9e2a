// SPDX-License-Identifier: Apache-2.0
// Takes the connections of one listening socket for its reactor. When the process has no descriptor
// left it pauses instead of spinning, and counts: the log tells of it now and then. Owned by the
// reactor; stop() before the reactor's end. The reactor's thread only.
#pragma once

#include <atomic>
#include <functional>

#include "server/net/event_loop.h"
#include "server/net/listener.h"

namespace kvorum::server {

// Of all acceptors of a node. Any thread.
struct AcceptFailures {
  std::atomic<uint64_t> count{0};
  std::atomic<int> last_error{0};  // errno
};

class Acceptor final : private Pollable {
 public:
  static constexpr uint64_t kPauseUs = 100'000;
  static constexpr int kAtOnceMax = 16;  // others of the reactor have their turn

  // `loop` and `failures` outlive it.
  Acceptor(EventLoop& loop, ListeningSocket socket, AcceptFailures& failures,
           std::function<void(TcpSocket)> take);
  Acceptor(const Acceptor&) = delete;
  ~Acceptor() { stop(); }

  void start();
  // Each turn: whether a pause is over.
  void on_time(uint64_t now_us) {
    if (paused_ && now_us >= pause_until_us_) go_on_after_pause(now_us);
  }
  void stop();

 private:
  void on_ready(bool readable, bool writable) override;
  bool accept_one();
  void pause(int error);
  void go_on_after_pause(uint64_t now_us);

  EventLoop& loop_;
  const Tcp protocol_;
  PollSet::Watched watched_;
  AcceptFailures& failures_;
  std::function<void(TcpSocket)> take_;
  bool paused_ = false;
  uint64_t pause_until_us_ = 0;  // 0: as of the next on_time()
};

}  // namespace kvorum::server

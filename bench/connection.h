// SPDX-License-Identifier: Apache-2.0
// One TCP connection of the load generator: a non-blocking socket, the bytes still to be sent, the
// bytes not yet parsed, and the requests not yet answered, oldest first. It counts and times
// nothing; the load loop does. Closed by its destructor. Used by one thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "bench/codec.h"

namespace kvorum::bench {

// Requests in order of sending: a ring that doubles when it is full.
class RequestQueue {
 public:
  RequestQueue() : ring_(64) {}

  bool empty() const { return head_ == tail_; }
  size_t size() const { return tail_ - head_; }
  const Request& front() const { return ring_[head_ & (ring_.size() - 1)]; }
  void pop() { ++head_; }
  void push(const Request& request) {
    if (size() == ring_.size()) grow();
    ring_[tail_++ & (ring_.size() - 1)] = request;
  }

 private:
  void grow();

  std::vector<Request> ring_;  // its size is a power of two
  size_t head_ = 0;
  size_t tail_ = 0;
};

class Connection {
 public:
  // Blocks until connected; `address` is HOST:PORT.
  static Result<Connection> open(const std::string& address);

  Connection(Connection&& other) noexcept;
  Connection& operator=(Connection&&) = delete;
  ~Connection();

  int socket() const { return socket_; }
  const std::string& address() const { return address_; }
  RequestQueue& unanswered() { return unanswered_; }

  // Where a codec appends requests; flush() sends what the socket takes.
  std::string& output() { return output_; }
  bool output_pending() const { return sent_ < output_.size(); }
  Status flush();

  // One recv(); afterwards input() is everything not yet consumed. Reads nothing on a false alarm.
  Status receive();
  std::string_view input() const {
    return {input_.data() + input_begin_, input_end_ - input_begin_};
  }
  void consume(size_t bytes) { input_begin_ += bytes; }

 private:
  Connection(int socket, std::string address);
  void make_room();
  Status failure(std::string_view what) const;

  int socket_;
  std::string address_;
  std::string output_;
  size_t sent_ = 0;
  std::vector<char> input_;
  size_t input_begin_ = 0;
  size_t input_end_ = 0;
  RequestQueue unanswered_;
};

}  // namespace kvorum::bench

// SPDX-License-Identifier: Apache-2.0
#include "bench/load.h"

#include <fmt/format.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace kvorum::bench {
namespace {

constexpr int kEventsMax = 256;
constexpr int kWaitMsMax = 100;
constexpr uint64_t kSpinNs = 1'000'000;
// Open loop: beyond this, requests are sent late (and measured from when they were due).
constexpr uint64_t kUnansweredMax = 1'000'000;
constexpr size_t kErrorTextBytesMax = 200;

uint64_t steady_ns() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(time.tv_nsec);
}

}  // namespace

Load::Load(const LoadPlan& plan, const Codec& codec, KeyChooser& keys,
           std::vector<Connection>& connections)
    : plan_(plan),
      codec_(codec),
      keys_(keys),
      connections_(connections),
      waits_for_room_(connections.size(), false),
      rng_(plan.seed) {}

Load::~Load() {
  if (epoll_ >= 0) close(epoll_);
}

Status Load::watch_all() {
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  for (size_t i = 0; epoll_ >= 0 && i < connections_.size(); ++i) {
    epoll_event event{.events = EPOLLIN, .data = {.u64 = i}};
    if (epoll_ctl(epoll_, EPOLL_CTL_ADD, connections_[i].socket(), &event) != 0)
      return Status(Code::kIoError, fmt::format("epoll_ctl: {}", std::strerror(errno)));
  }
  if (epoll_ >= 0) return {};
  return Status(Code::kIoError, fmt::format("epoll_create1: {}", std::strerror(errno)));
}

Result<LoadResult> Load::run() {
  if (Status status = watch_all(); !status.ok()) return status;
  start_ns_ = now_ns_ = last_reply_ns_ = steady_ns();
  end_ns_ = plan_.duration_ns > UINT64_MAX - start_ns_ ? UINT64_MAX : start_ns_ + plan_.duration_ns;
  for (size_t i = 0; plan_.rate == 0 && i < connections_.size(); ++i) {
    if (Status status = send_batch(i); !status.ok()) return status;
  }
  while (may_issue() || issued_ > answered_) {
    if (Status status = turn(); !status.ok()) return status;
  }
  result_.elapsed_ns = last_reply_ns_ - start_ns_;
  return std::move(result_);
}

Status Load::turn() {
  if (plan_.rate > 0) {
    if (Status status = send_due(); !status.ok()) return status;
  }
  std::array<epoll_event, kEventsMax> events;
  const int count = epoll_wait(epoll_, events.data(), kEventsMax, wait_ms());
  if (count < 0 && errno != EINTR)
    return Status(Code::kIoError, fmt::format("epoll_wait: {}", std::strerror(errno)));
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<size_t>(i)];
    if (Status status = on_event(event.data.u64, event.events); !status.ok()) return status;
  }
  if (count > 0) return {};
  now_ns_ = steady_ns();
  return issued_ > answered_ && now_ns_ - last_reply_ns_ > plan_.patience_ns ? silence() : Status();
}

Status Load::silence() const {
  for (Connection& connection : connections_) {
    if (connection.unanswered().empty()) continue;
    return Status(
        Code::kUnavailable,
        fmt::format("{}: no reply for {} s ({} requests unanswered)", connection.address(),
                    plan_.patience_ns / 1'000'000'000, issued_ - answered_));
  }
  return {};
}

int Load::wait_ms() const {
  if (plan_.rate == 0 || !may_issue()) return kWaitMsMax;
  const uint64_t due = due_ns(issued_);
  if (due <= now_ns_ + kSpinNs) return 0;
  return static_cast<int>(std::min<uint64_t>((due - now_ns_ - kSpinNs) / 1'000'000, kWaitMsMax));
}

Status Load::on_event(size_t connection, uint32_t events) {
  if (events & EPOLLOUT) {
    if (Status status = flush(connection); !status.ok()) return status;
  }
  if (!(events & (EPOLLIN | EPOLLERR | EPOLLHUP))) return {};
  if (Status status = read_replies(connection); !status.ok()) return status;
  const bool idle = connections_[connection].unanswered().empty();
  return plan_.rate == 0 && idle ? send_batch(connection) : Status();
}

Status Load::read_replies(size_t index) {
  Connection& connection = connections_[index];
  if (Status status = connection.receive(); !status.ok()) return status;
  now_ns_ = steady_ns();
  RequestQueue& unanswered = connection.unanswered();
  while (!connection.input().empty()) {
    const std::string_view bytes = connection.input();
    const Reply reply =
        unanswered.empty() ? Reply{Outcome::kBroken, 0} : codec_.parse(bytes, unanswered.front());
    if (reply.outcome == Outcome::kIncomplete) return {};
    if (reply.outcome == Outcome::kBroken)
      return Status(Code::kCorruption,
                    fmt::format("{}: not a reply of the protocol: {:?}", connection.address(),
                                bytes.substr(0, kErrorTextBytesMax)));
    const uint64_t intended = unanswered.front().intended_ns;
    result_.latency_ns.record(now_ns_ > intended ? now_ns_ - intended : 0);
    count(reply, bytes);
    unanswered.pop();
    connection.consume(reply.size);
  }
  return {};
}

void Load::count(const Reply& reply, std::string_view bytes) {
  ++answered_;
  last_reply_ns_ = now_ns_;
  Tally& tally = result_.tally;
  switch (reply.outcome) {
    case Outcome::kGood:
      ++tally.good;
      return;
    case Outcome::kMiss:
      ++tally.misses;
      return;
    case Outcome::kWrong:
      ++tally.wrong;
      return;
    case Outcome::kError:
      if (tally.errors++ == 0)
        tally.first_error = bytes.substr(0, std::min(reply.size - 2, kErrorTextBytesMax));
      return;
    case Outcome::kIncomplete:
    case Outcome::kBroken:
      return;
  }
}

Operation Load::draw_operation() {
  if (plan_.reset_counters) return Operation::kResetCounter;
  if (plan_.mix.get == 1) return Operation::kGet;
  if (plan_.mix.set == 1) return Operation::kSet;
  const double drawn = rng_.unit();
  if (drawn < plan_.mix.get) return Operation::kGet;
  return drawn < plan_.mix.get + plan_.mix.set ? Operation::kSet : Operation::kIncrement;
}

Status Load::send_batch(size_t index) {
  if (!may_issue()) return {};
  Connection& connection = connections_[index];
  const uint64_t count = std::min<uint64_t>(plan_.depth, plan_.operations_max - issued_);
  for (uint64_t i = 0; i < count; ++i) {
    const Request request{keys_.next(), now_ns_, draw_operation()};
    codec_.append(connection.output(), request);
    connection.unanswered().push(request);
  }
  issued_ += count;
  return flush(index);
}

// The open loop asks the schedule, not the clock: what fell due while this thread did not run is
// still sent, and its lateness measured.
bool Load::may_issue() const {
  const uint64_t next_ns = plan_.rate > 0 ? due_ns(issued_) : now_ns_;
  return issued_ < plan_.operations_max && next_ns < end_ns_;
}

uint64_t Load::due_ns(uint64_t index) const {
  return start_ns_ + static_cast<uint64_t>(static_cast<double>(index) * 1e9 / plan_.rate);
}

// Everything due by now, connection by connection in turn, one send per connection.
Status Load::send_due() {
  now_ns_ = steady_ns();
  const uint64_t first = issued_;
  const uint64_t due_until = std::min(now_ns_, end_ns_ - 1);
  while (issued_ < plan_.operations_max && issued_ - answered_ < kUnansweredMax) {
    const uint64_t due = due_ns(issued_);
    if (due > due_until) break;
    const Request request{keys_.next(), due, draw_operation()};
    Connection& connection = connections_[issued_ % connections_.size()];
    codec_.append(connection.output(), request);
    connection.unanswered().push(request);
    ++issued_;
  }
  const uint64_t touched = std::min<uint64_t>(issued_ - first, connections_.size());
  for (uint64_t i = 0; i < touched; ++i) {
    if (Status status = flush((first + i) % connections_.size()); !status.ok()) return status;
  }
  return {};
}

Status Load::flush(size_t index) {
  Connection& connection = connections_[index];
  if (Status status = connection.flush(); !status.ok()) return status;
  if (connection.output_pending() == waits_for_room_[index]) return {};
  waits_for_room_[index] = connection.output_pending();
  epoll_event event{.events = EPOLLIN, .data = {.u64 = index}};
  if (waits_for_room_[index]) event.events |= EPOLLOUT;
  if (epoll_ctl(epoll_, EPOLL_CTL_MOD, connection.socket(), &event) == 0) return {};
  return Status(Code::kIoError, fmt::format("epoll_ctl: {}", std::strerror(errno)));
}

}  // namespace kvorum::bench

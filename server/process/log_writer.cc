// SPDX-License-Identifier: Apache-2.0
#include "server/process/log_writer.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

#include "base/mutex.h"

namespace kvorum::server {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// A pipe that poll() calls writable takes so much without blocking.
constexpr size_t kPipeBytes = 4096;
constexpr size_t kFileBytes = 64 * 1024;
constexpr int kLookMs = 100;

int open_log(const std::string& path) {
  return open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
}

}  // namespace

// Shared by the owner and the thread, which may outlive it.
struct LogWriter::State {
  void loop();
  bool take(std::string* batch, uint64_t* lost);
  void write_out(std::string_view batch);
  void open_again() KVORUM_REQUIRES(mutex);
  void tell(const std::string& text) {
    if (on_trouble && !stopping) on_trouble(text);
  }
  bool is_over() const { return stopping && Clock::now() >= ends_at.load(); }

  // Of the thread, which has a first line to write before it looks: they are set before.
  int descriptor = STDERR_FILENO;
  bool is_regular = false;
  std::function<void(std::string_view)> on_trouble;
  std::string trouble;

  Mutex mutex;
  ConditionVariable wake, idle;
  std::string path KVORUM_GUARDED_BY(mutex);  // empty: standard error
  std::string pending KVORUM_GUARDED_BY(mutex);
  uint64_t lost KVORUM_GUARDED_BY(mutex) = 0;     // not yet told of
  bool writing KVORUM_GUARDED_BY(mutex) = false;  // what was taken is not out yet
  bool reopen_wanted KVORUM_GUARDED_BY(mutex) = false;
  bool finished KVORUM_GUARDED_BY(mutex) = false;
  std::atomic<bool> stopping{false};
  std::atomic<Clock::time_point> ends_at{Clock::time_point::max()};
  std::atomic<uint64_t> dropped{0};
  std::thread thread;
};

void LogWriter::State::loop() {
  std::string batch;
  uint64_t gone = 0;
  while (take(&batch, &gone)) {
    write_out(batch);
    if (gone != 0) {
      tell(fmt::format("{} lines of the log were dropped: whoever reads it did not keep up", gone));
    }
    if (!trouble.empty()) tell(std::exchange(trouble, {}));
  }
  const MutexLock guard(mutex);
  finished = true;
  idle.notify_all();
}

// False: nothing is left, and it is time to end.
bool LogWriter::State::take(std::string* batch, uint64_t* gone) {
  batch->clear();
  const MutexLock guard(mutex);
  writing = false;
  if (pending.empty()) idle.notify_all();
  while (!stopping && !reopen_wanted && pending.empty()) wake.wait(mutex);
  if (reopen_wanted) open_again();
  if (pending.empty() && stopping) return false;
  batch->swap(pending);
  *gone = std::exchange(lost, 0);
  writing = !batch->empty();
  return !is_over();
}

void LogWriter::State::write_out(std::string_view batch) {
  const size_t step = is_regular ? kFileBytes : kPipeBytes;
  while (!batch.empty()) {
    if (is_over()) return;
    pollfd ready{descriptor, POLLOUT, 0};
    const int polled = poll(&ready, 1, kLookMs);
    if (polled == 0 || (polled < 0 && errno == EINTR)) continue;
    const ssize_t written = ::write(descriptor, batch.data(), std::min(batch.size(), step));
    if (written > 0) {
      batch.remove_prefix(static_cast<size_t>(written));
    } else if (errno != EINTR && errno != EAGAIN) {
      // Nobody reads any more, or the disk is full.
      dropped += static_cast<uint64_t>(std::count(batch.begin(), batch.end(), '\n'));
      return;
    }
  }
}

// The lines that were written before may be anywhere; those that follow are in the new file.
void LogWriter::State::open_again() {
  reopen_wanted = false;
  if (path.empty()) return;
  const int fresh = open_log(path);
  if (fresh < 0) {
    trouble = fmt::format("cannot open the log file {} again: {}", path, std::strerror(errno));
    return;
  }
  close(descriptor);
  descriptor = fresh;
}

LogWriter::LogWriter() : state_(std::make_shared<State>()) {
  struct stat kind {};
  state_->is_regular = fstat(STDERR_FILENO, &kind) == 0 && S_ISREG(kind.st_mode);
  state_->thread = std::thread([state = state_] { state->loop(); });
  pthread_setname_np(state_->thread.native_handle(), "log");
}

LogWriter::~LogWriter() {
  const Clock::time_point now = Clock::now();
  bool ended = false, has_file = false;
  {
    const MutexLock guard(state_->mutex);
    state_->ends_at = now + milliseconds(kEndMs);
    state_->stopping = true;
    state_->wake.notify_all();
    const Clock::time_point until = now + milliseconds(kEndMs + 2 * kLookMs);
    while (!state_->finished && state_->idle.wait_until(state_->mutex, until)) {
    }
    ended = state_->finished;
    has_file = !state_->path.empty();
  }
  if (ended) {
    state_->thread.join();
    if (has_file) close(state_->descriptor);
  } else {
    state_->thread.detach();
  }
}

Status LogWriter::open_file(const std::string& path) {
  const int opened = open_log(path);
  if (opened < 0) {
    return {Code::kIoError,
            fmt::format("cannot open the log file {}: {}", path, std::strerror(errno))};
  }
  const MutexLock guard(state_->mutex);
  state_->path = path;
  state_->descriptor = opened;
  state_->is_regular = true;
  return {};
}

void LogWriter::set_on_trouble(std::function<void(std::string_view)> on_trouble) {
  const MutexLock guard(state_->mutex);
  state_->on_trouble = std::move(on_trouble);
}

void LogWriter::write(std::string_view line) {
  const MutexLock guard(state_->mutex);
  if (state_->pending.size() + line.size() > kQueueBytesMax) {
    ++state_->lost;
    ++state_->dropped;
    return;
  }
  state_->pending.append(line);
  if (!state_->writing) state_->wake.notify_one();
}

void LogWriter::flush() {
  const Clock::time_point until = Clock::now() + milliseconds(kEndMs);
  const MutexLock guard(state_->mutex);
  while ((state_->writing || !state_->pending.empty()) &&
         state_->idle.wait_until(state_->mutex, until)) {
  }
}

void LogWriter::reopen() {
  const MutexLock guard(state_->mutex);
  state_->reopen_wanted = true;
  state_->wake.notify_one();
}

bool LogWriter::has_file() const {
  const MutexLock guard(state_->mutex);
  return !state_->path.empty();
}

uint64_t LogWriter::dropped() const { return state_->dropped; }

}  // namespace kvorum::server

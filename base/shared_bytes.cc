// SPDX-License-Identifier: Apache-2.0
#include "base/shared_bytes.h"

#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/large_memory.h"

namespace kvorum {
namespace {

// Ends with the process: what is left then the system takes back by itself.
class Disposer {
 public:
  static Disposer& instance() {
    static Disposer* const disposer = new Disposer;
    return *disposer;
  }

  void dispose(const std::string* bytes) {
    {
      const std::lock_guard guard(mutex_);
      waiting_.emplace_back(bytes);
    }
    wake_.notify_one();
  }

 private:
  Disposer() {
    std::thread([this] { run(); }).detach();
  }

  void run() {
    std::vector<std::unique_ptr<const std::string>> taken;
    for (;;) {
      {
        std::unique_lock guard(mutex_);
        wake_.wait(guard, [this] { return !waiting_.empty(); });
        taken.swap(waiting_);
      }
      taken.clear();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<std::unique_ptr<const std::string>> waiting_;
};

void dispose(const std::string* bytes) {
  if (bytes->capacity() < kLargeMemoryBytes) {
    delete bytes;
  } else {
    Disposer::instance().dispose(bytes);
  }
}

}  // namespace

SharedBytes share(std::string&& bytes) {
  return SharedBytes(new std::string(std::move(bytes)), &dispose);
}

}  // namespace kvorum

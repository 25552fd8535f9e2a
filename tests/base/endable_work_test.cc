// SPDX-License-Identifier: Apache-2.0
#include "base/endable_work.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

namespace kvorum {
namespace {

// Runs until it is told to end.
struct Endless final : EndableWork {
  void run() override {
    started.set_value();
    while (!ended) std::this_thread::yield();
  }
  void end() override { ended = true; }

  std::promise<void> started;
  std::atomic<bool> ended = false;
};

struct Quick final : EndableWork {
  void run() override { ran = true; }
  void end() override {}
  std::atomic<bool> ran = false;
};

TEST(EndableWorkThreads, TellsWhenItIsDone) {
  EndableWorkThreads threads;
  const auto work = std::make_shared<Quick>();
  std::promise<void> done;
  EXPECT_TRUE(threads.add(work, [&] { done.set_value(); }));
  done.get_future().wait();
  EXPECT_TRUE(work->ran);
  EXPECT_EQ(threads.end_all(), 0u);
  threads.stop();
}

TEST(EndableWorkThreads, EndsWhatRunsAndWhatWaits) {
  EndableWorkThreads threads;
  std::vector<std::shared_ptr<Endless>> works;
  std::atomic<int> done = 0;
  for (int at = 0; at < EndableWorkThreads::kThreads + 3; ++at) {
    works.push_back(std::make_shared<Endless>());
    EXPECT_TRUE(threads.add(works.back(), [&] { ++done; }));
  }
  works[0]->started.get_future().wait();
  EXPECT_EQ(threads.end_all(), works.size());
  threads.stop();
  EXPECT_EQ(done, static_cast<int>(works.size()));
}

TEST(EndableWorkThreads, TakesNoMoreThanItMay) {
  EndableWorkThreads threads;
  const size_t most = EndableWorkThreads::kThreads + EndableWorkThreads::kWaitingMax;
  for (size_t at = 0; at < most; ++at) {
    EXPECT_TRUE(threads.add(std::make_shared<Endless>(), [] {}));
  }
  EXPECT_FALSE(threads.add(std::make_shared<Endless>(), [] {}));
  threads.stop();
  EXPECT_FALSE(threads.add(std::make_shared<Endless>(), [] {}));
}

}  // namespace
}  // namespace kvorum

// SPDX-License-Identifier: Apache-2.0
// The budget that hints, anti-entropy, scrub and reaping share (paper 6.5), steered by how long the
// node's clients waited in the last minute (admission_rate.h). One per node, shared by its
// reactors: a batch costs two atomic operations, no lock; whoever asks half a second after the last
// decision makes the next one. The kinds of work that are busy get equal shares, so none starves.
// Each has a time at which its work so far is paid for at its rate; work may run kBurstUs ahead,
// and be as much behind.
// What a batch costs is an estimate of the thread time that it takes; the steering mends what is
// wrong with it, since it cuts from what was used. Time is handed in, as everywhere in cluster/.
#pragma once

#include <array>
#include <atomic>
#include <vector>

#include "base/latency_histogram.h"
#include "base/spin_lock.h"
#include "cluster/health/admission_rate.h"
#include "cluster/health/background_budget.h"

namespace kvorum::cluster {

struct OperationLatency;  // operation_latency.h

const char* background_work_name(BackgroundWork work);

// For operators.
struct BackgroundReport {
  struct Work {
    uint64_t done_us = 0;  // estimated, since the start
    uint64_t waits = 0;    // times that it was put off
    bool waiting = false;  // it was a moment ago
  };
  uint64_t rate = 0;  // microseconds a second, of AdmissionRate::kFull
  bool unlimited = true;
  bool slowed = false;
  uint64_t p99_us = 0, target_us = 0;
  std::array<Work, kBackgroundWorks> works;

  double percent() const {
    return 100 * static_cast<double>(rate) / static_cast<double>(AdmissionRate::kFull);
  }
};

class AdmissionController final : public BackgroundBudget {
 public:
  static constexpr uint64_t kSteerUs = 500'000;
  static constexpr uint64_t kBurstUs = 1'000;
  static constexpr uint64_t kBusyUs = 100'000;      // work that has not asked for so long is not
  static constexpr uint64_t kLatelyUs = 1'000'000;  // for operators

  // 0: clients' latency does not matter.
  explicit AdmissionController(uint64_t target_p99_us) : steered_(target_p99_us) {}

  // The operations of a coordinator. All before the first question.
  void watch(const OperationLatency* operations) { watched_.push_back(operations); }

  // Any thread.
  uint64_t wait_us(BackgroundWork work, size_t bytes, Now now) override;
  uint8_t percent(BackgroundWork work, Now now) override;
  BackgroundReport report(Now now);

 private:
  struct Work {
    std::atomic<uint64_t> paid_until_us{0};
    std::atomic<uint64_t> asked_us{0};
    std::atomic<uint64_t> put_off_us{0};
    std::atomic<uint64_t> done_us{0};
    std::atomic<uint64_t> waits{0};
  };
  struct Steered {
    explicit Steered(uint64_t target_p99_us) : rate(target_p99_us) {}

    AdmissionRate rate;
    uint64_t at_us = 0;
    uint64_t p99_us = 0;
    uint64_t served = 0, done_us = 0;
    LatencyCounts ever{};
  };

  void steer(uint64_t now_us);
  uint64_t busy_works(uint64_t now_us) const;

  std::vector<const OperationLatency*> watched_;
  std::array<Work, kBackgroundWorks> works_;
  std::atomic<uint64_t> rate_{AdmissionRate::kFull};
  std::atomic<uint64_t> steer_at_us_{0};
  SpinLock lock_;
  Steered steered_ KVORUM_GUARDED_BY(lock_);
};

}  // namespace kvorum::cluster

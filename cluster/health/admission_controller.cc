// SPDX-License-Identifier: Apache-2.0
#include "cluster/health/admission_controller.h"

#include <algorithm>

#include "base/check.h"
#include "cluster/health/operation_latency.h"

namespace kvorum::cluster {
namespace {

// Thread time of a batch, here and at the peer: 4 to 5 us were measured for a key of 100 bytes.
constexpr uint64_t kBatchUs[kBackgroundWorks] = {
    5,    // a hint
    5,    // a question of an exchange, or a key to repair
    50,   // a turn of a tree's building
    400,  // a turn of reaping
};
constexpr uint64_t kBytesPerUs = 64;

uint64_t relaxed(const std::atomic<uint64_t>& number) {
  return number.load(std::memory_order_relaxed);
}

LatencyCounts since(const LatencyCounts& then, const LatencyCounts& now) {
  KVORUM_CHECK(now.total >= then.total);  // both of all that was ever counted
  LatencyCounts difference;
  for (size_t bucket = 0; bucket < kLatencyBuckets; ++bucket) {
    difference.buckets[bucket] = now.buckets[bucket] - then.buckets[bucket];
  }
  difference.total = now.total - then.total;
  return difference;
}

}  // namespace

const char* background_work_name(BackgroundWork work) {
  switch (work) {
    case BackgroundWork::kHints:
      return "hints";
    case BackgroundWork::kAntiEntropy:
      return "anti_entropy";
    case BackgroundWork::kScrub:
      return "scrub";
    case BackgroundWork::kReaping:
      return "reaping";
  }
  return "";
}

uint64_t AdmissionController::busy_works(uint64_t now_us) const {
  uint64_t busy = 0;
  for (const Work& work : works_) {
    const uint64_t asked_us = std::max(relaxed(work.asked_us), relaxed(work.paid_until_us));
    busy += asked_us != 0 && now_us < asked_us + kBusyUs;
  }
  return std::max<uint64_t>(busy, 1);
}

uint64_t AdmissionController::wait_us(BackgroundWork kind, size_t bytes, Now now) {
  KVORUM_CHECK(static_cast<size_t>(kind) < kBackgroundWorks);
  const uint64_t now_us = now.steady_us;
  if (now_us >= relaxed(steer_at_us_)) steer(now_us);
  Work& work = works_[static_cast<size_t>(kind)];
  work.asked_us.store(now_us, std::memory_order_relaxed);
  const uint64_t cost_us = kBatchUs[static_cast<size_t>(kind)] + bytes / kBytesPerUs;
  const uint64_t rate = relaxed(rate_);
  if (rate < AdmissionRate::kFull) {
    uint64_t paid_us = relaxed(work.paid_until_us);
    do {
      if (paid_us > now_us + kBurstUs) {
        work.waits.fetch_add(1, std::memory_order_relaxed);
        work.put_off_us.store(now_us, std::memory_order_relaxed);
        return paid_us - now_us;
      }
      const uint64_t share = rate / busy_works(now_us);
      KVORUM_CHECK(share > 0);
      const uint64_t until_us =
          std::max(paid_us, now_us - kBurstUs) + cost_us * AdmissionRate::kFull / share;
      if (work.paid_until_us.compare_exchange_weak(paid_us, until_us)) break;
    } while (true);
  }
  work.done_us.fetch_add(cost_us, std::memory_order_relaxed);
  return 0;
}

// Whoever finds the lock held comes back half a second later.
void AdmissionController::steer(uint64_t now_us) {
  const SpinLockGuard lock(lock_);
  if (now_us < relaxed(steer_at_us_)) return;
  steer_at_us_.store(now_us + kSteerUs, std::memory_order_relaxed);
  LatencyCounts minute, ever;
  uint64_t served = 0, done_us = 0;
  for (const OperationLatency* operations : watched_) {
    operations->add_recent(now_us, &minute);
    operations->gets.add_ever(&ever);
    operations->puts.add_ever(&ever);
    served += operations->served();
  }
  for (const Work& work : works_) done_us += relaxed(work.done_us);
  // Counters only grow, and whoever was here before held the lock.
  KVORUM_CHECK(served >= steered_.served && done_us >= steered_.done_us);
  const LatencyCounts latest = since(steered_.ever, ever);
  steered_.p99_us = minute.quantile_us(0.99);
  const uint64_t elapsed_us = now_us - std::min(steered_.at_us, now_us);
  AdmissionRate::Foreground seen;
  seen.minute_operations = minute.total;
  seen.minute_p99_us = steered_.p99_us;
  seen.latest_operations = latest.total;
  seen.latest_p99_us = latest.quantile_us(0.99);
  seen.serves_others = served - steered_.served >= AdmissionRate::kLatestMin;
  steered_.rate.decide(seen, {done_us - steered_.done_us, elapsed_us});
  steered_.ever = ever;
  steered_.served = served;
  steered_.done_us = done_us;
  steered_.at_us = now_us;
  rate_.store(steered_.rate.rate(), std::memory_order_relaxed);
}

uint8_t AdmissionController::percent(BackgroundWork work, Now now) {
  const BackgroundReport now_is = report(now);
  if (now_is.unlimited || !now_is.works[static_cast<size_t>(work)].waiting) return 100;
  return static_cast<uint8_t>(std::min(now_is.percent(), 99.0));
}

BackgroundReport AdmissionController::report(Now now) {
  if (now.steady_us >= relaxed(steer_at_us_)) steer(now.steady_us);
  BackgroundReport report;
  {
    const SpinLockGuard lock(lock_);
    report.rate = steered_.rate.rate();
    report.unlimited = steered_.rate.unlimited();
    report.slowed = steered_.rate.slowed();
    report.target_us = steered_.rate.target_us();
    report.p99_us = steered_.p99_us;
  }
  for (size_t at = 0; at < kBackgroundWorks; ++at) {
    const uint64_t put_off_us = relaxed(works_[at].put_off_us);
    report.works[at] = {relaxed(works_[at].done_us), relaxed(works_[at].waits),
                        put_off_us != 0 && now.steady_us < put_off_us + kLatelyUs};
  }
  return report;
}

}  // namespace kvorum::cluster

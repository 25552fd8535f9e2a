// SPDX-License-Identifier: Apache-2.0
#include "cluster/copies/hint_ledger.h"

#include <algorithm>

#include "base/check.h"

namespace kvorum::cluster {

const char* hint_wait_name(HintWait wait) {
  switch (wait) {
    case HintWait::kScan:
      return "waits for the next scan";
    case HintWait::kNone:
      return "being delivered";
    case HintWait::kUnreachable:
      return "no link to it";
    case HintWait::kSilent:
      return "it does not answer";
    case HintWait::kRefused:
      return "it refuses writes";
    case HintWait::kStore:
      return "the store of hints failed";
    case HintWait::kForeground:
      return "slowed down: clients go first";
    case HintWait::kMoving:
      return "no owner any more: moving to the owners";
  }
  return "";
}

// The check and the addition are one step, so that reactors cannot pass the bound together.
bool HintLedger::reserve(uint64_t before, uint64_t after, bool bounded) {
  if (after <= before) {
    const uint64_t held = bytes_.fetch_sub(before - after, std::memory_order_relaxed);
    KVORUM_CHECK(held >= before - after);  // what shrinks was counted when it grew
    return true;
  }
  const uint64_t growth = after - before;
  const uint64_t sum = bytes_.fetch_add(growth, std::memory_order_relaxed) + growth;
  if (!bounded || bytes_max_ == 0 || sum <= bytes_max_) return true;
  bytes_.fetch_sub(growth, std::memory_order_relaxed);
  refused_.fetch_add(1, std::memory_order_relaxed);
  return false;
}

bool HintLedger::note(const Change& change) {
  const uint64_t before_bytes = change.before == nullptr ? 0 : change.before->bytes;
  const uint64_t after_bytes = change.after == nullptr ? 0 : change.after->bytes;
  if (!reserve(before_bytes, after_bytes, change.bounded)) return false;
  const SpinLockGuard guard(lock_);
  Target& target = targets_[change.target];
  KVORUM_CHECK(target.bytes >= before_bytes);
  target.bytes += after_bytes - before_bytes;
  if (change.before != nullptr) {
    // Else it would be shown for ever, and hold the frontier back.
    KVORUM_CHECK(target.places.erase({change.before->oldest, change.name}) == 1);
    count_.fetch_sub(1, std::memory_order_relaxed);
  }
  if (change.after != nullptr) {
    target.places.insert({change.after->oldest, change.name});
    count_.fetch_add(1, std::memory_order_relaxed);
  }
  return true;
}

std::optional<HintPlace> HintLedger::first_from(NodeId target, const HintPlace& from,
                                                bool inclusive) const {
  const SpinLockGuard guard(lock_);
  const auto found = targets_.find(target);
  if (found == targets_.end()) return std::nullopt;
  const std::set<HintPlace>& places = found->second.places;
  const auto place = inclusive ? places.lower_bound(from) : places.upper_bound(from);
  if (place == places.end()) return std::nullopt;
  return *place;
}

std::vector<NodeId> HintLedger::targets() const {
  const SpinLockGuard guard(lock_);
  std::vector<NodeId> ids;
  for (const auto& [id, target] : targets_) {
    if (!target.places.empty()) ids.push_back(id);
  }
  return ids;
}

uint64_t HintLedger::count_for(NodeId target) const {
  const SpinLockGuard guard(lock_);
  const auto found = targets_.find(target);
  return found == targets_.end() ? 0 : found->second.places.size();
}

void HintLedger::delivered(NodeId id, uint64_t bytes, uint64_t now_us) {
  const SpinLockGuard guard(lock_);
  Target& target = targets_[id];
  ++target.delivered;
  target.delivered_bytes += bytes;
  const uint64_t passed_us = now_us - std::min(now_us, target.window_began_us);
  if (target.window_began_us == 0 || passed_us > 2 * kRateWindowUs) {
    target.window_began_us = now_us;  // after a pause: what came before says nothing
    target.window_bytes = 0;
    target.bytes_per_second = 0;
  } else if (passed_us >= kRateWindowUs) {
    target.bytes_per_second = target.window_bytes * 1'000'000 / passed_us;
    target.window_began_us = now_us;
    target.window_bytes = 0;
  }
  target.window_bytes += bytes;
}

void HintLedger::waits(NodeId target, HintWait wait) {
  const SpinLockGuard guard(lock_);
  targets_[target].wait = wait;
}

HintWait HintLedger::wait_of(NodeId target) const {
  const SpinLockGuard guard(lock_);
  const auto found = targets_.find(target);
  return found == targets_.end() ? HintWait::kScan : found->second.wait;
}

std::optional<Hlc> HintLedger::oldest() const {
  const SpinLockGuard guard(lock_);
  std::optional<Hlc> least;
  for (const auto& [id, target] : targets_) {
    if (target.places.empty()) continue;
    const Hlc first = target.places.begin()->oldest;
    if (!least || first < *least) least = first;
  }
  return least;
}

std::vector<HintTargetReport> HintLedger::report(uint64_t now_us) const {
  const SpinLockGuard guard(lock_);
  std::vector<HintTargetReport> rows;
  for (const auto& [id, target] : targets_) {
    HintTargetReport& row = rows.emplace_back();
    row.target = id;
    row.count = target.places.size();
    row.bytes = target.bytes;
    if (!target.places.empty()) row.oldest = target.places.begin()->oldest;
    row.delivered = target.delivered;
    row.delivered_bytes = target.delivered_bytes;
    row.wait = target.wait;
    const uint64_t passed_us = now_us - std::min(now_us, target.window_began_us);
    if (target.window_began_us == 0 || passed_us > 2 * kRateWindowUs) continue;
    // Of a first, unfinished window, what there is.
    row.bytes_per_second = target.bytes_per_second;
    if (row.bytes_per_second == 0 && passed_us > 0) {
      row.bytes_per_second =
          target.window_bytes * 1'000'000 / std::max<uint64_t>(passed_us, 100'000);
    }
  }
  return rows;
}

}  // namespace kvorum::cluster

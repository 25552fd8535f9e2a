// SPDX-License-Identifier: Apache-2.0
#include "cluster/upkeep/expiry.h"

#include <algorithm>
#include <utility>

namespace kvorum::cluster {
namespace {

constexpr uint64_t kWaitMaxMs = 3'600'000;

}  // namespace

std::vector<ExpiredKey> Expiry::take_told(bool wanted) {
  told_wanted_ = wanted;
  return std::exchange(told_, {});
}

// Each replica empties its own copy: the first healthy one of the key tells of it.
bool Expiry::tells_of(const KeyRef& key) const {
  if (!told_wanted_) return false;
  const MemberIndex self = core_.view->self;
  for (const MemberIndex member : core_.preference_list(key)) {
    if (member == self) return true;
    if (core_.health.healthy(member)) return false;
  }
  return false;
}

// An expired version is emptied under its own dot: neither dot nor digest change, so that replicas
// which notice at different times stay equal.
engine::RecordChange Expiry::emptied(const KeyRef& key, engine::RecordView bytes, uint64_t now_ms) {
  engine::RecordChange change;
  decode_record(bytes, *core_.parts.authors, record_);
  Object& object = record_.object;
  const uint64_t digest = leaf_digest(key, object, core_.parts.digest_seed);
  bool any = false;
  for (Version& version : object.versions) {
    if (version.type == TypeTag::kTombstone || visible(version, now_ms)) continue;
    version.type = TypeTag::kTombstone;
    version.bytes = {};
    ++core_.counters.expired;
    any = true;
  }
  if (any && core_.parts.tells_changes()) core_.outbox.changed.note(key.key, 0);
  if (any && tells_of(key)) told_.push_back({key.keyspace, std::string(key.key)});
  describe_record(object, &change);
  change.frees = true;
  const bool alone = core_.view->members.size() == 1;
  if (alone && !change.live) {
    change.action = engine::RecordChange::Action::kErase;
    change.digest_change = digest;
  } else if (encode_record(record_, *core_.parts.authors, head_, &change)) {
    change.action = engine::RecordChange::Action::kStore;
    change.head = head_;
  }
  return change;
}

void Expiry::on_time(Now now) {
  last_now_ = now;
  const std::atomic<bool>* const rests = core_.parts.expiry_rests;
  if (rests != nullptr && rests->load(std::memory_order_relaxed)) {
    due_us_ = now.steady_us + kIntervalUs;
    return;
  }
  const uint64_t now_ms = core_.clock_ms(now);
  const uint64_t next_ms = core_.parts.table->next_deadline_ms();
  if (next_ms == 0 || next_ms > now_ms || now.steady_us < due_us_) return;
  const auto change = [&](const KeyRef& key, engine::RecordView bytes) {
    return emptied(key, bytes, now_ms);
  };
  const size_t shown = core_.parts.table->expire(now_ms, kPerTurn, change);
  due_us_ = shown < kPerTurn ? now.steady_us + kIntervalUs : now.steady_us;
}

uint64_t Expiry::next_deadline_us() const {
  const uint64_t expiry_ms = core_.parts.table->next_deadline_ms();
  if (expiry_ms == 0) return 0;
  const uint64_t clock_ms = core_.clock_ms(last_now_);
  // A look that is too early does no harm; the latest deadlines do not fit into microseconds.
  const uint64_t wait_ms = expiry_ms > clock_ms ? expiry_ms - clock_ms : 0;
  const uint64_t wait_us = std::min(wait_ms, kWaitMaxMs) * 1000;
  return std::max(last_now_.steady_us + wait_us, due_us_);
}

}  // namespace kvorum::cluster

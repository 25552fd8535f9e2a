// SPDX-License-Identifier: Apache-2.0
#include "server/dispatch/due_work.h"

#include <algorithm>

#include "base/check.h"
#include "cluster/health/timer_queue.h"

namespace kvorum::server {
namespace {

constexpr size_t kScansPerRunMax = 64;

}  // namespace

void DueWork::flush_at(uint64_t due_us) {
  if (flushes_due_us_.size() < kFlushesMax) flushes_due_us_.push_back(due_us);
}

void DueWork::postpone(ClientState& client, uint64_t again_at_us) {
  KVORUM_CHECK(again_at_us != 0 && client.slot != 0);
  if (client.again_at_us == again_at_us) return;
  client.again_at_us = again_at_us;
  postponed_.push_back({again_at_us, client.slot});
  if (postponed_.size() < sweep_at_) return;
  std::erase_if(postponed_, [this](const Postponed& one) { return !waits(one); });
  sweep_at_ = std::max<size_t>(64, 2 * postponed_.size());
}

bool DueWork::waits(const Postponed& one) const {
  const ClientState* const client = clients_.find(one.client);
  return client != nullptr && client->again_at_us == one.due_us;
}

size_t DueWork::postponed() const {
  return static_cast<size_t>(std::count_if(postponed_.begin(), postponed_.end(),
                                           [this](const auto& one) { return waits(one); }));
}

void DueWork::run(Now now) {
  run_scans(now);
  run_follow_ups(now);
  run_flushes(now);
  wake_postponed(now);
}

// A scan that goes on may finish another step within submit(), hence the bound.
void DueWork::run_scans(Now now) {
  for (size_t steps = 0; !scans_.empty() && steps < kScansPerRunMax; ++steps) {
    const Scan next = scans_.back();
    scans_.pop_back();
    Call* const call = calls_.find(next.call);
    if (!call) continue;
    if (!clients_.find(call->client)) {
      calls_.release(next.call, *call);
      continue;
    }
    call->keyspace_request.cursor = next.cursor;
    coordinator_.submit(call->keyspace_request, next.call, now);
  }
}

void DueWork::run_follow_ups(Now now) {
  std::vector<FollowUp> due;
  due.swap(follow_ups_);
  for (const FollowUp& next : due) {
    Call* const call = calls_.find(next.call);
    if (!call) continue;
    ClientState* const client = clients_.find(call->client);
    if (!client) {
      calls_.release(next.call, *call);
      continue;
    }
    call->kind = cluster::Request::Kind::kEdit;
    ++client->operations_pending;
    const std::string key = call->key;  // the call's may go while the edit runs
    cluster::Request request;
    request.kind = call->kind;
    request.key = {key, position_of(key, coordinator_.view().partitioner), call->keyspace};
    request.edit = next.code;
    request.argument = next.argument;
    coordinator_.submit(request, next.call, now);
  }
}

void DueWork::run_flushes(Now now) {
  for (size_t i = 0; i < flushes_due_us_.size();) {
    if (flushes_due_us_[i] > now.steady_us) {
      ++i;
      continue;
    }
    flushes_due_us_[i] = flushes_due_us_.back();
    flushes_due_us_.pop_back();
    SlotId id = 0;
    Call& call = calls_.open(CallShape(), &id);  // of no client
    call.keyspace_request = {};
    call.keyspace_request.kind = cluster::KeyspaceRequest::Kind::kFlush;
    coordinator_.submit(call.keyspace_request, id, now);
  }
}

void DueWork::wake_postponed(Now now) {
  for (size_t i = 0; i < postponed_.size();) {
    const Postponed one = postponed_[i];
    if (one.due_us > now.steady_us) {
      ++i;
      continue;
    }
    postponed_[i] = postponed_.back();
    postponed_.pop_back();
    if (!waits(one)) continue;
    ClientState* const client = clients_.find(one.client);
    client->again_at_us = 0;
    client->notify();
  }
}

uint64_t DueWork::next_deadline_us() const {
  uint64_t next = 0;
  for (const uint64_t due_us : flushes_due_us_) next = cluster::sooner_of(next, due_us);
  for (const Postponed& one : postponed_) next = cluster::sooner_of(next, one.due_us);
  return next;
}

}  // namespace kvorum::server

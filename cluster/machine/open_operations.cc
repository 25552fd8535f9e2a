// SPDX-License-Identifier: Apache-2.0
#include "cluster/machine/open_operations.h"

#include <algorithm>

#include "base/check.h"
#include "base/give_back.h"

namespace kvorum::cluster {

void OpenOperations::await_own_vote(engine::Ticket ticket, SlotId id) {
  AwaitedCommit& vote = awaited_commits.emplace_back();
  vote.ticket = ticket;
  vote.operation = id;
}

void OpenOperations::await_own_hint(engine::Ticket ticket, SlotId id) {
  AwaitedCommit& vote = awaited_hint_commits.emplace_back();
  vote.ticket = ticket;
  vote.operation = id;
}

SlotId OpenOperations::renew(SlotId id, Now now) {
  const SlotId later = requests.renew(id);
  const uint64_t deadline_us = requests.find(later)->deadline_us;
  timers.add(now.steady_us, std::max(deadline_us, now.steady_us) - now.steady_us, later);
  return later;
}

void OpenOperations::release(SlotId id) {
  Operation* const found = requests.find(id);
  KVORUM_CHECK(found != nullptr);
  Operation& operation = *found;
  if (!operation.payload_body.empty()) [[unlikely]]
    operation.payload_body = {};
  const bool roomy = static_cast<uint32_t>(id) < kOperationsRoomy;
  const size_t kept = roomy ? kRoomyBytesKept : kBytesKept;
  release_head(operation, kept);
  give_back(operation.payload, kept);
  if (operation.was_read()) {
    operation.reading.held.clear();
    operation.reading.held.give_back_memory(kept);
  }
  if (operation.was_put()) {
    if (operation.writing.made) [[unlikely]]
      operation.writing.made = nullptr;
    give_back(operation.writing.reply_storage, kept);
  }
  if (operation.was_handed()) give_back(operation.handing.answer, kept);
  if (operation.inspection) operation.inspection.reset();
  requests.release(id);
}

void OpenOperations::release_head(OperationHead& operation) { release_head(operation, kBytesKept); }

void OpenOperations::release_head(OperationHead& operation, size_t bytes_kept) {
  if (!operation.object.body.empty()) [[unlikely]]
    operation.object.body = {};
  count_held(operation, 0);
  give_back(operation.object.head, bytes_kept);
}

}  // namespace kvorum::cluster

// SPDX-License-Identifier: Apache-2.0
#include "server/connection/open_calls.h"

#include "base/check.h"
#include "base/give_back.h"

namespace kvorum::server {
namespace {

constexpr size_t kCallBytesKept = 1024;
constexpr size_t kGatheredBytesKept = 64 * 1024;
constexpr size_t kGatheredOperationsKept = 1024;

}  // namespace

Call& OpenCalls::open(const CallShape& shape, SlotId* id) {
  Call& call = calls_.acquire(id);
  static_cast<CallShape&>(call) = shape;
  call.causal = CausalNote::kNone;
  call.registered = false;
  call.change = {};
  call.read_ticket = 0;
  call.own_write = false;
  call.reserved_bytes = 0;
  return call;
}

// Its strings are cleared by who takes the slot.
void OpenCalls::release(SlotId id, Call& call) {
  if (call.strings_capacity() > kCallBytesKept) [[unlikely]] {
    release_memory(call.key);
    release_memory(call.remembered.text);
    release_memory(call.remembered.gathered);
  }
  calls_.release(id);
}

Gathering& OpenCalls::open_gathering(Plan& plan, SlotId* id) {
  KVORUM_CHECK(!plan.requests.empty());  // the last operation ends it
  Gathering& gathering = gatherings_.acquire(id);
  gathering.how = plan.gather;
  gathering.size = gathering.remaining = plan.requests_all;
  gathering.sum = 0;
  gathering.failed = false;
  gathering.counted_bytes = 0;
  gathering.remembered.take(plan.remembered);
  return gathering;
}

void OpenCalls::release_gathering(SlotId id, Gathering& gathering) {
  KVORUM_CHECK(gathering.remaining == 0);
  gathering.error.clear();
  gathering.replies.output().clear();
  give_back(gathering.remembered.text, kGatheredBytesKept);
  give_back(gathering.remembered.gathered, kGatheredBytesKept);
  const bool is_large = gathering.size > kGatheredOperationsKept ||
                        gathering.replies.output().capacity() > kGatheredBytesKept;
  if (is_large || gathering.failed) gathering.replies.reset();
  gatherings_.release(id);
}

StagedRun& OpenCalls::open_staged(SlotId* id) {
  Gathering& gathering = gatherings_.acquire(id);
  gathering.staged = std::make_unique<StagedRun>();
  return *gathering.staged;
}

void OpenCalls::release_staged(SlotId id, Gathering& gathering) {
  KVORUM_CHECK(gathering.staged != nullptr && gathering.staged->open == 0);
  gathering.staged.reset();
  gatherings_.release(id);
}

void OpenCalls::drop_unsent(const Unsent& unsent) {
  Gathering* const gathering = gatherings_.find(unsent.gathering);
  if (!gathering) return;
  KVORUM_CHECK(gathering->remaining >= gathering->size - unsent.first);
  gathering->remaining -= gathering->size - unsent.first;
  if (gathering->remaining == 0) release_gathering(unsent.gathering, *gathering);
}

}  // namespace kvorum::server

// SPDX-License-Identifier: Apache-2.0
#include "cluster/machine/operation.h"

#include "base/prefetch.h"

namespace kvorum::cluster {

void Reading::reset() {
  tally.reset();
  held.clear();
  digest = 0;
  frontier = {};
  fastest = 0;
  asked_us = settles_until_us = 0;
  attempt = UINT8_MAX;
  contentions = flux_readings = apart = repairs_open = 0;
  own_unreadable = hedged = contested = false;
}

void Writing::reset() {
  tally.reset();
  dead.clear();
  ticket = 0;
  asked_us = 0;
  own_vote_open = own_vote_hinted = blind = second_write_done = was_stored = saw_siblings = false;
  late = beside = awaits_owner = false;
  hints_left = apart = 0;
  uncovered.clear();
  new_context.vector.clear();
  new_context.detached.clear();
  edit = {};
  reply_storage.clear();
}

void Claiming::reset() {
  quorum = 0;
  own = waited = given_up = false;
  asked.clear();
  until_us = 0;
  holder = kNoMember;
}

void Route::reset() {
  tried.clear();
  refusals = hops = 0;
  retried = false;
}

void Handing::reset() {
  asked_us = 0;
  permitted.clear();
  hedge = kNoMember;
  hedged_us = 0;
  hedged = quarter_passed = holds_answer = false;
  answer.clear();
}

void Operation::begin(Now now) {
  OperationHead::reset(now);
  kind = Kind::kGet;
  phase = Phase::kReading;
  remote = answered_client = false;
  reply_to = {};
  reply_operation = 0;
  tag = 0;
  payload.clear();
  payload_is_encoded = false;
  keyspace = 0;
  route.reset();
  if (was_read()) reading.reset();
  if (was_put()) {
    claim.reset();
    writing.reset();
  }
  if (was_handed()) handing.reset();
  had = 0;
}

void Operation::prefetch_begin() const {
  prefetch_reading();
  prefetch(&forwarded.request, &forwarded.context);
  prefetch(&payload, &payload_body + 1);
}

void Operation::prefetch_reading() const { prefetch(this, &reading.held + 1); }

void Operation::prefetch_writing() const {
  prefetch(this, &reading);
  prefetch(&writing.tally, &writing.tally + 1);
}

size_t Operation::bytes() const {
  size_t bytes = payload_size() + object.size();
  if (was_read()) bytes += reading.held.bytes();
  if (was_put()) bytes += writing.reply_storage.size();
  if (was_handed()) bytes += handing.answer.size();
  return bytes;
}

}  // namespace kvorum::cluster

// SPDX-License-Identifier: Apache-2.0
#include "cluster/membership/history_link.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/check.h"
#include "cluster/copies/shared_history.h"
#include "cluster/history/history_delta.h"

namespace kvorum::cluster {
namespace {

constexpr uint16_t kHasBuckets = 1 << 0;

}  // namespace

void HistoryLink::on_link_up(MemberIndex peer) {
  if (core_.parts.history != nullptr) send_buckets(peer);
}

void HistoryLink::send_buckets(LinkIndex to) {
  KVORUM_CHECK(core_.parts.history != nullptr);
  FrameWriter frame(core_.outbox.frames(to), {MessageType::kHistoryBuckets, 0, 0, 0});
  encode_buckets(*core_.parts.history->history(), frame.out());
  frame.finish();
}

bool HistoryLink::on_message(LinkIndex from, const Frame& frame, Now now) {
  if (core_.parts.history == nullptr) return true;
  if (frame.head.type == MessageType::kHistoryBuckets) return on_buckets(from, frame);
  return on_difference(from, frame, now);
}

bool HistoryLink::on_buckets(LinkIndex from, const Frame& frame) {
  const std::shared_ptr<const History> history = core_.parts.history->history();
  std::string difference;
  if (!encode_difference(*history, frame.payload, difference)) return false;
  if (difference.empty()) return true;  // nothing differs
  std::string buckets;
  encode_buckets(*history, buckets);
  FrameWriter answer(core_.outbox.frames(from),
                     {MessageType::kHistoryDifference, 0, kHasBuckets, 0});
  put_bytes(answer.out(), buckets);
  answer.out().append(difference);
  answer.finish();
  return true;
}

bool HistoryLink::on_difference(LinkIndex from, const Frame& frame, Now now) {
  ByteReader reader(frame.payload);
  const bool has_buckets = frame.head.flags & kHasBuckets;
  const std::string_view buckets = has_buckets ? reader.bytes() : std::string_view();
  if (!reader.ok()) return false;
  // What the other one lacks is told by what was known before.
  std::string difference;
  if (has_buckets && !encode_difference(*core_.parts.history->history(), buckets, difference)) {
    return false;
  }
  if (!core_.parts.history->merge_difference(reader.rest())) return false;
  if (!difference.empty()) {
    FrameWriter answer(core_.outbox.frames(from), {MessageType::kHistoryDifference, 0, 0, 0});
    answer.out().append(difference);
    answer.finish();
  }
  on_merged_(now);
  return true;
}

void HistoryLink::on_apart(LinkIndex peer, Now now) {
  if (core_.parts.history == nullptr) return;
  uint64_t& told_us = told_us_.at(peer);
  if (told_us != 0 && now.steady_us < told_us + kApartUs) return;
  told_us = now.steady_us;
  send_buckets(peer);
}

void HistoryLink::on_digest(LinkIndex from, uint64_t digest) {
  if (core_.parts.history == nullptr) return;
  if (core_.parts.history->history()->digest() != digest) send_buckets(from);
}

void HistoryLink::tell_all(Now now) {
  if (core_.parts.history == nullptr) return;
  if (tell_at_us_ == 0) tell_at_us_ = now.steady_us + kTellUs;
}

void HistoryLink::on_time(Now now) {
  if (tell_at_us_ == 0 || now.steady_us < tell_at_us_) return;
  tell_at_us_ = 0;
  std::vector<MemberIndex> linked;
  for (MemberIndex member = 0; member < core_.view->members.size(); ++member) {
    if (member != core_.self() && core_.health.linked(member)) linked.push_back(member);
  }
  // In a large cluster some at random: each of them tells others in turn.
  size_t left = std::min(linked.size(), core_.options.tells_max);
  for (size_t at = 0; left > 0; ++at, --left) {
    if (left < linked.size() - at)
      std::swap(linked[at], linked[at + core_.rng.below(linked.size() - at)]);
    send_buckets(linked[at]);
  }
}

}  // namespace kvorum::cluster

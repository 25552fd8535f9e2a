// SPDX-License-Identifier: Apache-2.0
#include "cluster/repair/anti_entropy.h"

#include <algorithm>

namespace kvorum::cluster {
namespace {

constexpr uint64_t kTickUs = 100'000;
constexpr uint64_t kLinkUpUs = 10'000;
constexpr size_t kKeysInFlightMin = 4;

}  // namespace

AntiEntropy::AntiEntropy(Core& core, KeyRepair& keys) : core_(core), keys_(keys) {
  keys_.set_sink(this);
  rounds_.resize(core_.view->members.size());
}

bool AntiEntropy::enabled() const {
  return core_.options.anti_entropy_ms != 0 && core_.view->is_member() &&
         core_.view->members.size() > 1;
}

void AntiEntropy::ask(MemberIndex peer, FunctionRef<void(std::string& batch)> fn) {
  std::string& batch = core_.outbox.frames(peer);
  const size_t before = batch.size();
  fn(batch);
  core_.counters.exchange_bytes += batch.size() - before;
}

bool AntiEntropy::may_begin(size_t bytes, Now now) {
  if (now.steady_us < budget_at_us_) return false;
  const uint64_t wait_us = core_.background_wait_us(BackgroundWork::kAntiEntropy, bytes, now);
  if (wait_us == 0) return true;
  budget_at_us_ = now.steady_us + wait_us;
  return false;
}

// Large objects: fewer at a time.
size_t AntiEntropy::keys_in_flight_max() const {
  return std::clamp(kBytesInFlightMax / keys_.average_bytes(), kKeysInFlightMin, kKeysInFlightMax);
}

void AntiEntropy::on_link(MemberIndex peer, bool up, Now now) {
  if (!enabled() || peer >= rounds_.size()) return;
  Round& round = rounds_[peer];
  if (up) {
    round.due_us = now.steady_us + kLinkUpUs + core_.rng.below(kLinkUpUs);
    return;
  }
  round.due_us = 0;
  round.state = Round::State::kIdle;
  round.differing.clear();
  end_ranges_of(peer);
  const std::vector<SlotId> broken = round.exchanges;
  for (const SlotId id : broken) {
    fail(*exchanges_.find(id));
    advance(id, now);
  }
}

// Whoever was asked about them answers no more. Those that the store reads end when it has.
void AntiEntropy::end_ranges_of(MemberIndex peer) {
  std::vector<SlotId> ids;
  ranges_.for_each([&](SlotId id, const Range& range) {
    if (!range.reading && exchanges_.find(range.exchange)->peer == peer) ids.push_back(id);
  });
  for (const SlotId id : ids) end_range(id);
}

// What is in flight for it may still be answered; nothing new is begun.
void AntiEntropy::fail(Exchange& exchange) {
  exchange.failed = true;
  exchange.nodes_open = exchange.done_sent = false;
  exchange.deadline_us = 0;
  exchange.parents.clear();
  exchange.children.clear();
  exchange.stretches.clear();
  exchange.keys.clear();
}

bool AntiEntropy::on_message(MemberIndex from, const Frame& frame, Now now) {
  switch (frame.head.type) {
    case MessageType::kExchangeOpenReply:
      return on_opened(from, frame, now);
    case MessageType::kPartitionRootsReply:
      return on_roots(from, frame, now);
    case MessageType::kTreeNodesReply:
      return on_nodes(from, frame, now);
    case MessageType::kRangeDifferences:
      return on_differences(from, frame, now);
    case MessageType::kExchangeDoneReply:
      return on_done(from, frame, now);
    default:
      return false;
  }
}

void AntiEntropy::look_for_silence(Now now) {
  std::vector<SlotId> ids;
  ranges_.for_each([&](SlotId id, Range& range) {
    if (!range.reading && now.steady_us >= range.deadline_us) ids.push_back(id);
  });
  for (const SlotId id : ids) {
    const SlotId exchange = ranges_.find(id)->exchange;
    fail(*exchanges_.find(exchange));
    end_range(id);
    advance(exchange, now);
  }
  ids.clear();
  exchanges_.for_each([&](SlotId id, Exchange& exchange) {
    if (exchange.deadline_us != 0 && now.steady_us >= exchange.deadline_us) ids.push_back(id);
  });
  for (const SlotId id : ids) {
    Exchange* exchange = exchanges_.find(id);
    if (exchange == nullptr) continue;
    fail(*exchange);
    advance(id, now);
  }
}

// A budget allows a burst at a time: who comes after it has its turn when those before are done.
void AntiEntropy::spend_budget(Now now) {
  budget_at_us_ = 0;
  std::vector<SlotId> ids;
  exchanges_.for_each([&](SlotId id, Exchange&) { ids.push_back(id); });
  for (const SlotId id : ids) {
    if (budget_at_us_ != 0) return;
    advance(id, now);
  }
}

void AntiEntropy::on_time(Now now) {
  if (!enabled()) return;
  if (grace_until_us_ == 0) grace_until_us_ = now.steady_us + kGraceUs;
  if (budget_at_us_ != 0 && now.steady_us >= budget_at_us_) spend_budget(now);
  if (tick_at_us_ != 0 && now.steady_us >= tick_at_us_) {
    look_for_silence(now);
    tick_at_us_ = exchanges_.used() == 0 ? 0 : now.steady_us + kTickUs;
  }
  for (size_t at = 0; at < rounds_.size(); ++at) {
    const auto peer = static_cast<MemberIndex>(at);
    Round& round = rounds_[at];
    if (round.state == Round::State::kIdle) {
      if (round.due_us != 0 && now.steady_us >= round.due_us) begin_round(peer, now);
    } else if (round.state == Round::State::kExchanging) {
      advance_round(peer, now);
    } else if (now.steady_us >= round.deadline_us) {
      round.clean = false;
      end_round(peer, now);
    }
  }
  if (now.steady_us >= wholeness_at_us_) look_at_wholeness(now);
  if (tick_at_us_ == 0 && exchanges_.used() != 0) tick_at_us_ = now.steady_us + kTickUs;
}

uint64_t AntiEntropy::next_deadline_us() const {
  if (!enabled()) return 0;
  uint64_t next = 0;
  const auto consider = [&](uint64_t due_us) {
    if (due_us != 0 && (next == 0 || due_us < next)) next = due_us;
  };
  consider(grace_until_us_ == 0 ? 1 : 0);
  consider(tick_at_us_);
  consider(budget_at_us_);
  consider(wholeness_at_us_);
  for (const Round& round : rounds_) {
    if (round.state == Round::State::kIdle) consider(round.due_us);
    if (round.state == Round::State::kOpening || round.state == Round::State::kRoots) {
      consider(round.deadline_us);
    }
  }
  return next;
}

void AntiEntropy::repair(const RepairWish& wish, Now now) {
  if (!enabled()) return;
  const bool under_way = std::any_of(rounds_.begin(), rounds_.end(), [](const Round& round) {
    return round.next_wish || (round.state != Round::State::kIdle && round.wish);
  });
  if (!under_way) {
    began_us_ = now.steady_us;
    partitions_done_ = 0;
    keys_before_ = core_.counters.keys_pulled + core_.counters.keys_pushed;
  }
  for (size_t at = 0; at < rounds_.size(); ++at) {
    if (at == core_.self()) continue;
    if (!core_.health.linked(static_cast<MemberIndex>(at))) continue;  // a round follows its link
    rounds_[at].next_wish = wish;
    rounds_[at].due_us = now.steady_us;
  }
}

RepairProgress AntiEntropy::progress() const {
  RepairProgress progress;
  for (size_t at = 0; at < rounds_.size(); ++at) {
    const Round& round = rounds_[at];
    if (at == core_.self()) continue;
    progress.active |= round.state != Round::State::kIdle || round.next_wish.has_value();
    progress.partitions_left += round.differing.size() + round.exchanges.size();
    progress.peers_unreachable += !core_.health.linked(static_cast<MemberIndex>(at));
  }
  progress.partitions_done = partitions_done_;
  progress.keys_repaired = core_.counters.keys_pulled + core_.counters.keys_pushed - keys_before_;
  progress.began_us = began_us_;
  progress.waits_for_budget = budget_at_us_ != 0;
  return progress;
}

}  // namespace kvorum::cluster

// SPDX-License-Identifier: Apache-2.0
#include "cluster/repair/exchange_asker.h"

#include <algorithm>

#include "base/check.h"

namespace kvorum::cluster {
namespace {

constexpr uint64_t kTickUs = 100'000;
constexpr size_t kKeysInFlightMin = 4;
constexpr size_t kObjectsMax = 1024;  // compared with one message
constexpr size_t kDigestsBytes = kObjectsMax * sizeof(uint64_t);

}  // namespace

ExchangeAsker::ExchangeAsker(Core& core, KeyRepair& keys, ExchangeSink& sink)
    : core_(core), keys_(keys), sink_(sink) {
  keys_.set_sink(this);
  publish();
}

void ExchangeAsker::begin(const Start& start, Now now) {
  KVORUM_CHECK(start.peer < begun_.size() && start.peer != core_.self());
  SlotId id;
  Exchange& exchange = exchanges_.acquire(&id);
  exchange.peer = start.peer;
  exchange.keyspace = start.keyspace;
  exchange.partition = start.partition;
  exchange.own = start.own;
  exchange.other = start.other;
  exchange.fence = start.fence;
  exchange.own_whole = core_.parts.is_whole(start.keyspace, start.partition);
  exchange.nodes_open = exchange.failed = exchange.done_sent = false;
  exchange.ranges_open = exchange.keys_open = 0;
  exchange.ticket = 0;
  exchange.deadline_us = 0;
  exchange.stretches.clear();
  exchange.keys.clear();
  begun_[start.peer].push_back(id);
  ++core_.counters.exchanges_started;
  const int own_depth = core_.parts.table->trees().depth(start.keyspace, start.partition);
  exchange.peer_depth = start.depth;
  exchange.descent.begin(std::min(own_depth, start.depth));
  advance(id, now);
}

// What has only keys left never goes back.
bool ExchangeAsker::takes_another(MemberIndex peer, Now now) {
  const std::vector<SlotId>& begun = begun_[peer];
  if (begun.size() >= kExchangesPerPeerMax) return false;
  const bool busy = !begun.empty() && !only_keys_left(*exchanges_.find(begun.back()));
  return !busy && may_begin(0, now);
}

void ExchangeAsker::break_off(MemberIndex peer, Now now) {
  end_ranges_with(peer);
  const std::vector<SlotId> broken = begun_[peer];
  for (const SlotId id : broken) {
    fail(*exchanges_.find(id));
    advance(id, now);
  }
}

bool ExchangeAsker::on_message(MemberIndex from, const Frame& frame, Now now) {
  switch (frame.head.type) {
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

bool ExchangeAsker::only_keys_left(const Exchange& exchange) const {
  return exchange.descent.ended() && exchange.stretches.empty() && !exchange.nodes_open &&
         exchange.ranges_open == 0;
}

void ExchangeAsker::advance(SlotId id, Now now) {
  Exchange* exchange = exchanges_.find(id);
  if (exchange == nullptr) return;
  if (tick_at_us_ == 0) tick_at_us_ = now.steady_us;
  const MemberIndex peer = exchange->peer;
  if (exchange->failed) {
    if (exchange->ranges_open == 0 && exchange->keys_open == 0) end(id, now);
    return;
  }
  if (exchange->done_sent) return;
  descend(id, *exchange, now);
  begin_ranges(id, *exchange, now);
  begin_keys(id, *exchange, now);
  exchange = exchanges_.find(id);
  if (exchange == nullptr || exchange->failed || exchange->done_sent) return;
  if (!only_keys_left(*exchange)) return;
  if (exchange->keys.empty() && exchange->keys_open == 0) {
    if (is_committed(*exchange)) {
      tell_done(id, *exchange, now);
    } else {
      commits_at_us_ = now.steady_us + kCommitLookUs;
    }
  }
  sink_.on_only_keys_left(peer, now);
}

// What is in flight for it may still be answered; nothing new is begun.
void ExchangeAsker::fail(Exchange& exchange) {
  exchange.failed = true;
  exchange.nodes_open = exchange.done_sent = false;
  exchange.deadline_us = 0;
  exchange.descent.stop();
  exchange.stretches.clear();
  exchange.keys.clear();
}

void ExchangeAsker::tell_done(SlotId id, Exchange& exchange, Now now) {
  KVORUM_CHECK(only_keys_left(exchange) && exchange.keys.empty() && exchange.keys_open == 0);
  exchange.done_sent = true;
  exchange.deadline_us = now.steady_us + kAnswerUs;
  const ExchangeDone message{exchange.own,
                             exchange.other.run,
                             exchange.other.clock,
                             exchange.partition,
                             {exchange.fence.signature, exchange.own_whole}};
  const FrameHead head{MessageType::kExchangeDone, exchange.keyspace, 0, id};
  send_counted(core_, exchange.peer,
               [&](std::string& batch) { put_exchange_done(batch, head, message); });
}

bool ExchangeAsker::on_done(MemberIndex from, const Frame& frame, Now now) {
  bool refused = false;
  if (!parse_exchange_done_reply(frame, &refused)) return false;
  const SlotId id = frame.head.operation;
  Exchange* exchange = exchanges_.find(id);
  if (exchange == nullptr || exchange->peer != from || !exchange->done_sent) return true;
  if (refused) {
    fail(*exchange);
  } else {
    core_.note_clean(exchange->keyspace, std::span(&exchange->partition, 1),
                     clean_exchange(exchange->own, exchange->other, exchange->fence));
  }
  end(id, now);
  return true;
}

void ExchangeAsker::end(SlotId id, Now now) {
  const Exchange& exchange = *exchanges_.find(id);
  KVORUM_CHECK(exchange.ranges_open == 0 && exchange.keys_open == 0);
  const MemberIndex peer = exchange.peer;
  const bool clean = !exchange.failed;
  ++(clean ? core_.counters.exchanges_clean : core_.counters.exchanges_failed);
  std::erase(begun_[peer], id);
  exchanges_.release(id);
  sink_.on_exchange_ended(peer, clean, now);
}

// ---- trees

void ExchangeAsker::descend(SlotId id, Exchange& exchange, Now now) {
  if (exchange.nodes_open) return;
  if (exchange.descent.at_leaves()) {
    const Ring& ring = core_.view->ring;
    const PartitionStart start{ring.start_of(exchange.partition).high, ring.partition_bits()};
    for (const Stretch& stretch : exchange.descent.take_stretches(start)) {
      add_stretch(exchange, stretch);
    }
    return;
  }
  KVORUM_CHECK(!exchange.failed && !exchange.done_sent);
  TreeNodes message;
  message.partition = exchange.partition;
  if (!exchange.descent.next(&message)) return;
  exchange.nodes_open = true;
  exchange.deadline_us = now.steady_us + kAnswerUs;
  const FrameHead head{MessageType::kTreeNodes, exchange.keyspace, 0, id};
  send_counted(core_, exchange.peer,
               [&](std::string& batch) { put_tree_nodes(batch, head, message); });
}

bool ExchangeAsker::on_nodes(MemberIndex from, const Frame& frame, Now now) {
  TreeNodesReply reply;
  if (!parse_tree_nodes_reply(frame, &reply)) return false;
  const SlotId id = frame.head.operation;
  Exchange* exchange = exchanges_.find(id);
  if (exchange == nullptr || exchange->peer != from || !exchange->nodes_open) return true;
  exchange->nodes_open = false;
  exchange->deadline_us = 0;
  compare_nodes(*exchange, reply);
  advance(id, now);
  return true;
}

void ExchangeAsker::compare_nodes(Exchange& exchange, const TreeNodesReply& reply) {
  const int fan = exchange.descent.fan(), level = exchange.descent.level();
  const engine::ObjectTable& table = *core_.parts.table;
  std::vector<uint64_t> own;
  bool deep = reply.depth >= level;
  for (const uint64_t parent : exchange.descent.asked()) {
    deep = deep && table.trees().nodes({exchange.keyspace, exchange.partition, level, parent << fan,
                                        uint64_t{1} << fan},
                                       own);
  }
  if (!deep) {  // one of the trees was made coarser in between
    const int own_depth = table.trees().depth(exchange.keyspace, exchange.partition);
    return exchange.descent.begin(std::min<int>(own_depth, reply.depth));
  }
  if (!exchange.descent.compare(own, reply.nodes)) fail(exchange);
}

// ---- stretches

void ExchangeAsker::begin_ranges(SlotId id, Exchange& exchange, Now now) {
  while (!exchange.stretches.empty() && exchange.ranges_open < kRangesInFlightMax &&
         exchange.keys.size() < kKeysQueuedMax) {
    if (!may_begin(exchange.own_whole ? kDigestsBytes : kPageBytes, now)) return;
    const Stretch stretch = exchange.stretches.front();
    exchange.stretches.pop_front();
    begin_range(id, stretch, now);
    if (exchange.failed) return;
  }
}

void ExchangeAsker::begin_range(SlotId exchange_id, const Stretch& stretch, Now now) {
  Exchange& exchange = *exchanges_.find(exchange_id);
  SlotId id;
  Range& range = ranges_.acquire(&id);
  range.exchange = exchange_id;
  range.stretch = stretch;
  range.deadline_us = 0;
  range.fills = false;
  ++exchange.ranges_open;
  const RangeLoad load{id,
                       exchange.keyspace,
                       exchange.partition,
                       Position{stretch.from, 0},
                       kObjectsMax,
                       stretch.end,
                       RangeLoad::Reader::kExchangeAsker};
  std::optional<RangeObjects> own = read_range(core_, load);
  range.reading = !own;
  if (!own) return core_.outbox.range_loads.push_back(load);
  range.own = std::move(*own);
  ask_range(id, range, now);
}

void ExchangeAsker::on_scanned(SlotId id, const ScanPage& page, Now now) {
  Range* range = ranges_.find(id);
  if (range == nullptr) return;
  range->reading = false;
  const SlotId exchange_id = range->exchange;
  range->own = range_objects_of(core_, exchanges_.find(exchange_id)->keyspace, page);
  ask_range(id, *range, now);
  advance(exchange_id, now);
}

void ExchangeAsker::ask_range(SlotId id, Range& range, Now now) {
  Exchange& exchange = *exchanges_.find(range.exchange);
  if (range.own.refused) fail(exchange);
  if (exchange.failed) return end_range(id);
  if (range.own.end != 0) {
    exchange.stretches.push_front({range.own.end, range.stretch.end});
    range.stretch.end = range.own.end;
  }
  RangeDigests message;
  message.partition = exchange.partition;
  message.from = range.stretch.from;
  message.end = range.stretch.end;
  message.digests = digests_of(range.own);
  range.fills = message.wants_values =
      range.own.objects.empty() && !core_.hands_over(exchange.keyspace, exchange.partition);
  if (message.digests.size() > kRangeDigestsMax) {  // so many keys at one position
    fail(exchange);
    return end_range(id);
  }
  core_.counters.keys_compared += range.own.objects.size();
  range.deadline_us = now.steady_us + kAnswerUs;
  const FrameHead head{MessageType::kRangeDigests, exchange.keyspace, 0, id};
  send_counted(core_, exchange.peer,
               [&](std::string& batch) { put_range_digests(batch, head, message); });
}

bool ExchangeAsker::on_differences(MemberIndex from, const Frame& frame, Now now) {
  RangeDifferences found;
  if (!parse_range_differences(frame, &found)) return false;
  const SlotId id = frame.head.operation;
  Range* range = ranges_.find(id);
  if (range == nullptr || range->reading) return true;
  const SlotId exchange_id = range->exchange;
  Exchange& exchange = *exchanges_.find(exchange_id);
  if (exchange.peer != from) return true;
  const uint64_t end = range->stretch.end;
  if (found.end == end) found.end = 0;  // all of it was looked at
  const bool within = found.end > range->stretch.from && (end == 0 || found.end < end);
  const bool sensible = found.end == 0 || within;
  const bool taken = !range->fills || found.refused || take_values(exchange, found, now);
  if (found.refused || !sensible || !taken || !plan_keys(exchange, *range, found)) {
    fail(exchange);
  } else if (found.end != 0 && !exchange.failed) {
    exchange.stretches.push_front({found.end, range->stretch.end});
  }
  end_range(id);
  advance(exchange_id, now);
  return true;
}

bool ExchangeAsker::plan_keys(Exchange& exchange, const Range& range,
                              const RangeDifferences& found) {
  const DifferingRules rules{core_.lww(exchange.keyspace),
                             core_.hands_over(exchange.keyspace, exchange.partition)};
  auto keys = differing_keys(range.own, found, rules);
  if (!keys) return false;
  if (exchange.failed) return true;
  for (DifferingKey& key : *keys) exchange.keys.push_back(std::move(key));
  return true;
}

void ExchangeAsker::end_range(SlotId id) {
  Exchange& exchange = *exchanges_.find(ranges_.find(id)->exchange);
  KVORUM_CHECK(exchange.ranges_open > 0);
  --exchange.ranges_open;
  ranges_.release(id);
}

// Whoever was asked about them answers no more. Those that the store reads end when it has.
void ExchangeAsker::end_ranges_with(MemberIndex peer) {
  std::vector<SlotId> ids;
  ranges_.for_each([&](SlotId id, const Range& range) {
    if (!range.reading && exchanges_.find(range.exchange)->peer == peer) ids.push_back(id);
  });
  for (const SlotId id : ids) end_range(id);
}

// ---- keys

// Large objects: fewer at a time.
size_t ExchangeAsker::keys_in_flight_max() const {
  return std::clamp(kBytesInFlightMax / keys_.average_bytes(), kKeysInFlightMin, kKeysInFlightMax);
}

void ExchangeAsker::begin_keys(SlotId id, Exchange& first, Now now) {
  Exchange* exchange = &first;
  while (exchange != nullptr && !exchange->keys.empty() && keys_in_flight_ < keys_in_flight_max()) {
    if (!may_begin(keys_.average_bytes(), now)) return;
    const DifferingKey next = std::move(exchange->keys.front());
    exchange->keys.pop_front();
    ++exchange->keys_open;
    ++keys_in_flight_;
    const bool young = next.newest_ms + kYoungMs > core_.clock_ms(now);
    keys_.begin({id, exchange->peer, exchange->keyspace}, {next.key, next.pull, young}, now);
    exchange = exchanges_.find(id);  // it may have failed within
  }
  keys_held_back_ |= exchange != nullptr && !exchange->keys.empty();
}

void ExchangeAsker::begin_held_back_keys(Now now) {
  if (keys_in_flight_ >= keys_in_flight_max() || now.steady_us < budget_at_us_) return;
  keys_held_back_ = false;
  std::vector<SlotId> waiting;
  exchanges_.for_each([&](SlotId id, const Exchange& exchange) {
    if (!exchange.keys.empty()) waiting.push_back(id);
  });
  for (const SlotId id : waiting) {
    Exchange* exchange = exchanges_.find(id);
    if (exchange != nullptr) begin_keys(id, *exchange, now);
  }
}

void ExchangeAsker::on_key_repaired(SlotId id, bool ok, Now now) {
  Exchange& exchange = *exchanges_.find(id);
  KVORUM_CHECK(keys_in_flight_ > 0 && exchange.keys_open > 0);
  --keys_in_flight_;
  --exchange.keys_open;
  if (!ok) fail(exchange);
  advance(id, now);
  if (keys_held_back_) begin_held_back_keys(now);
}

// ---- pace

bool ExchangeAsker::may_begin(size_t bytes, Now now) {
  if (now.steady_us < budget_at_us_) return false;
  const uint64_t wait_us = core_.background_wait_us(BackgroundWork::kAntiEntropy, bytes, now);
  if (wait_us == 0) return true;
  budget_at_us_ = now.steady_us + wait_us;
  return false;
}

// A budget allows a burst at a time: who comes after it has its turn when those before are done.
void ExchangeAsker::spend_budget(Now now) {
  budget_at_us_ = 0;
  std::vector<SlotId> ids;
  exchanges_.for_each([&](SlotId id, Exchange&) { ids.push_back(id); });
  for (const SlotId id : ids) {
    if (budget_at_us_ != 0) return;
    advance(id, now);
  }
}

void ExchangeAsker::look_for_silence(Now now) {
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

void ExchangeAsker::on_time(Now now) {
  if (budget_at_us_ != 0 && now.steady_us >= budget_at_us_) spend_budget(now);
  if (commits_at_us_ != 0 && now.steady_us >= commits_at_us_) look_for_commits(now);
  if (tick_at_us_ == 0 || now.steady_us < tick_at_us_) return;
  look_for_silence(now);
  tick_at_us_ = exchanges_.used() == 0 ? 0 : now.steady_us + kTickUs;
}

}  // namespace kvorum::cluster

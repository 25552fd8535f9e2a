// SPDX-License-Identifier: Apache-2.0
// The exchange of one partition: down the two trees, into nodes that differ alone.
#include <algorithm>

#include "cluster/repair/anti_entropy.h"

namespace kvorum::cluster {
namespace {

constexpr uint64_t kLeavesPerStretchMax = 8;

}  // namespace

void AntiEntropy::begin_exchange(MemberIndex peer, const Differing& differing, Now now) {
  Round& round = rounds_[peer];
  SlotId id;
  Exchange& exchange = exchanges_.acquire(&id);
  exchange.peer = peer;
  exchange.keyspace = differing.keyspace;
  exchange.partition = differing.partition;
  exchange.own = round.own;
  exchange.other = round.peer;
  exchange.nodes_open = exchange.failed = exchange.done_sent = false;
  exchange.ranges_open = exchange.keys_open = 0;
  exchange.deadline_us = 0;
  exchange.keys.clear();
  round.exchanges.push_back(id);
  ++core_.counters.exchanges_started;
  const int own_depth = core_.parts.table->trees().depth(exchange.keyspace, exchange.partition);
  restart_at(exchange, std::min(own_depth, differing.depth));
  advance(id, now);
}

void AntiEntropy::restart_at(Exchange& exchange, int depth) {
  exchange.depth = depth;
  exchange.level = 0;
  exchange.parents.clear();
  exchange.asked.clear();
  exchange.children.assign(1, 0);
  exchange.stretches.clear();
}

bool AntiEntropy::only_keys_left(const Exchange& exchange) const {
  return exchange.parents.empty() && exchange.children.empty() && exchange.stretches.empty() &&
         !exchange.nodes_open && exchange.ranges_open == 0;
}

// Does what can be done now. The exchange may be gone afterwards.
void AntiEntropy::advance(SlotId id, Now now) {
  Exchange* exchange = exchanges_.find(id);
  if (exchange == nullptr) return;
  if (tick_at_us_ == 0) tick_at_us_ = now.steady_us;
  const MemberIndex peer = exchange->peer;
  if (exchange->failed) {
    if (exchange->ranges_open == 0 && exchange->keys_open == 0) end_exchange(id, now);
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
    exchange->done_sent = true;
    exchange->deadline_us = now.steady_us + kAnswerUs;
    const ExchangeDone message{exchange->own, exchange->other.session, exchange->other.clock,
                               exchange->partition};
    const FrameHead head{MessageType::kExchangeDone, exchange->keyspace, 0, id};
    ask(peer, [&](std::string& batch) { put_exchange_done(batch, head, message); });
  }
  advance_round(peer, now);
}

void AntiEntropy::descend(SlotId id, Exchange& exchange, Now now) {
  if (exchange.nodes_open) return;
  if (exchange.parents.empty() && exchange.level == exchange.depth) return add_stretches(exchange);
  if (exchange.parents.empty()) {
    exchange.parents.assign(exchange.children.begin(), exchange.children.end());
    exchange.children.clear();
  }
  if (exchange.parents.empty()) return;
  TreeNodes message;
  message.partition = exchange.partition;
  message.fan = static_cast<uint8_t>(std::min<int>(kTreeFanMax, exchange.depth - exchange.level));
  message.level = static_cast<uint8_t>(exchange.level + message.fan);
  while (!exchange.parents.empty() && message.parents.size() < kTreeParentsMax) {
    message.parents.push_back(exchange.parents.front());
    exchange.parents.pop_front();
  }
  exchange.asked = message.parents;
  exchange.nodes_open = true;
  exchange.deadline_us = now.steady_us + kAnswerUs;
  const FrameHead head{MessageType::kTreeNodes, exchange.keyspace, 0, id};
  ask(exchange.peer, [&](std::string& batch) { put_tree_nodes(batch, head, message); });
}

bool AntiEntropy::on_nodes(MemberIndex from, const Frame& frame, Now now) {
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

void AntiEntropy::compare_nodes(Exchange& exchange, const TreeNodesReply& reply) {
  const int fan = std::min<int>(kTreeFanMax, exchange.depth - exchange.level);
  const int level = exchange.level + fan;
  const engine::ObjectTable& table = *core_.parts.table;
  std::vector<uint64_t> own;
  bool deep = reply.depth >= level;
  for (const uint64_t parent : exchange.asked) {
    deep = deep && table.trees().nodes({exchange.keyspace, exchange.partition, level, parent << fan,
                                        uint64_t{1} << fan},
                                       own);
  }
  if (!deep) {  // one of the trees was made coarser in between
    const int own_depth = table.trees().depth(exchange.keyspace, exchange.partition);
    return restart_at(exchange, std::min<int>(own_depth, reply.depth));
  }
  if (own.size() != reply.nodes.size()) return fail(exchange);
  for (size_t at = 0; at < own.size(); ++at) {
    if (own[at] == reply.nodes[at]) continue;
    const uint64_t parent = exchange.asked[at >> fan];
    exchange.children.push_back(parent << fan | (at & ((uint64_t{1} << fan) - 1)));
  }
  if (exchange.parents.empty()) exchange.level = level;
}

// Differing leaves, neighbours together, as stretches of positions.
void AntiEntropy::add_stretches(Exchange& exchange) {
  const uint64_t start = core_.view->ring.start_of(exchange.partition).high;
  const int bits = core_.view->ring.partition_bits() + exchange.depth;
  const uint64_t leaves = uint64_t{1} << exchange.depth;
  const auto position = [&](uint64_t leaf) {
    return bits == 0 ? 0 : start + (leaf << (64 - bits));
  };
  for (size_t at = 0; at < exchange.children.size();) {
    const uint64_t first = exchange.children[at];
    uint64_t end = first + 1;
    for (++at; at < exchange.children.size(); ++at, ++end) {
      if (exchange.children[at] != end || end - first >= kLeavesPerStretchMax) break;
    }
    exchange.stretches.push_back({position(first), end == leaves ? 0 : position(end)});
  }
  exchange.children.clear();
}

bool AntiEntropy::on_done(MemberIndex from, const Frame& frame, Now now) {
  bool refused = false;
  if (!parse_exchange_done_reply(frame, &refused)) return false;
  const SlotId id = frame.head.operation;
  Exchange* exchange = exchanges_.find(id);
  if (exchange == nullptr || exchange->peer != from || !exchange->done_sent) return true;
  if (refused) {
    fail(*exchange);
  } else {
    note_clean(exchange->keyspace, {exchange->partition}, exchange->own, exchange->other);
  }
  end_exchange(id, now);
  return true;
}

void AntiEntropy::end_exchange(SlotId id, Now now) {
  const Exchange& exchange = *exchanges_.find(id);
  const MemberIndex peer = exchange.peer;
  Round& round = rounds_[peer];
  ++(exchange.failed ? core_.counters.exchanges_failed : core_.counters.exchanges_clean);
  if (exchange.failed) round.clean = false;
  std::erase(round.exchanges, id);
  exchanges_.release(id);
  advance_round(peer, now);
}

void AntiEntropy::on_key_repaired(SlotId id, bool ok, Now now) {
  --keys_in_flight_;
  Exchange& exchange = *exchanges_.find(id);
  --exchange.keys_open;
  if (!ok) fail(exchange);
  advance(id, now);
  if (keys_held_back_) begin_held_back_keys(now);
}

}  // namespace kvorum::cluster

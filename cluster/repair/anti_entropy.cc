// SPDX-License-Identifier: Apache-2.0
#include "cluster/repair/anti_entropy.h"

#include <algorithm>

#include "base/check.h"

namespace kvorum::cluster {
namespace {

constexpr uint64_t kLinkUpUs = 10'000;
constexpr uint64_t kViewUs = 5'000;  // for what else changes meanwhile

}  // namespace

AntiEntropy::AntiEntropy(Core& core, KeyRepair& keys)
    : core_(core), asker_(core, keys, *this), wholeness_(core) {
  rounds_.resize(core_.view->members.size());
}

void AntiEntropy::publish(Now now) {
  rounds_.resize(core_.view->members.size());
  asker_.publish();
  if (!enabled() || core_.view->moving.empty()) return;
  // What moves waits for exchanges that begin now.
  for (size_t at = 0; at < rounds_.size(); ++at) {
    if (at == core_.self() || !core_.health.linked(static_cast<MemberIndex>(at))) continue;
    const uint64_t soon_us = now.steady_us + kViewUs;
    if (rounds_[at].due_us == 0 || rounds_[at].due_us > soon_us) rounds_[at].due_us = soon_us;
  }
}

bool AntiEntropy::enabled() const {
  return core_.options.anti_entropy_ms != 0 && core_.view->is_member() &&
         core_.view->members.size() > 1;
}

void AntiEntropy::on_link(MemberIndex peer, bool up, Now now) {
  if (!enabled() || peer >= rounds_.size()) return;
  PeerRound& round = rounds_[peer];
  if (up) {
    round.due_us = now.steady_us + kLinkUpUs + core_.rng.below(kLinkUpUs);
    return;
  }
  round.break_off();
  asker_.break_off(peer, now);
}

bool AntiEntropy::on_message(MemberIndex from, const Frame& frame, Now now) {
  switch (frame.head.type) {
    case MessageType::kExchangeOpenReply:
      return on_opened(from, frame, now);
    case MessageType::kPartitionRootsReply:
      return on_roots(from, frame, now);
    default:
      return asker_.on_message(from, frame, now);
  }
}

void AntiEntropy::on_damage(uint8_t keyspace, uint32_t partition, Now now) {
  if (core_.parts.whole == nullptr) return;
  wholeness_.on_damage(keyspace, partition, now);
  for (size_t at = 0; at < rounds_.size(); ++at) {
    const bool linked = core_.health.linked(static_cast<MemberIndex>(at));
    if (at != core_.self() && linked) rounds_[at].due_us = now.steady_us;
  }
}

void AntiEntropy::on_time(Now now) {
  if (!enabled()) return;
  KVORUM_CHECK(rounds_.size() == core_.view->members.size());  // publish() was called
  asker_.on_time(now);
  for (size_t at = 0; at < rounds_.size(); ++at) {
    const auto peer = static_cast<MemberIndex>(at);
    PeerRound& round = rounds_[at];
    if (round.is_due(now)) {
      begin_round(peer, now);
    } else if (round.is_silent(now)) {
      round.clean = false;
      end_round(peer, now);
    } else {
      advance_round(peer, now);
    }
  }
  wholeness_.on_time(now);
}

uint64_t AntiEntropy::next_deadline_us() const {
  if (!enabled()) return 0;
  uint64_t next = sooner_of(asker_.next_deadline_us(), wholeness_.next_deadline_us());
  for (const PeerRound& round : rounds_) next = sooner_of(next, round.next_deadline_us());
  return next;
}

void AntiEntropy::begin_round(MemberIndex peer, Now now) {
  PeerRound& round = rounds_[peer];
  round.due_us = 0;
  if (!core_.health.linked(peer)) return;
  bool any = round.next_wish.has_value();
  for (uint8_t keyspace = 0; keyspace < kKeyspacesMax; ++keyspace) {
    round.compared[keyspace] = shared_partitions(core_, keyspace, peer);
    round.moving[keyspace] = moving_partitions(core_, keyspace, peer);
    any |= !round.compared[keyspace].empty() || !round.moving[keyspace].empty();
  }
  if (!any) return rest(peer, now);  // of many members few have copies in common
  round.open(next_number_++, party_of(core_, now), now.steady_us + ExchangeAsker::kAnswerUs);
  ++core_.counters.exchange_rounds;

  ExchangeOpen message;
  message.asker = round.own;
  message.view_hash = core_.view->exchange_hash();
  std::string gossip;
  CleanExchanges* const exchanges = core_.parts.exchanges;
  if (exchanges && exchanges->observer()) {
    exchanges->observer()->write_gossip(core_.id_of(peer), gossip);
  }
  message.gossip = gossip;
  for (uint8_t keyspace = 0; keyspace < kKeyspacesMax; ++keyspace) {
    const std::vector<uint32_t>& shared = round.compared[keyspace];
    if (shared.empty()) continue;
    message.keyspaces.emplace_back(keyspace, roots_digest(core_, keyspace, shared));
  }
  send_counted(core_, peer,
               [&](std::string& batch) { put_exchange_open(batch, round.number, message); });
}

bool AntiEntropy::on_opened(MemberIndex from, const Frame& frame, Now now) {
  ExchangeOpenReply reply;
  if (!parse_exchange_open_reply(frame, &reply)) return false;
  if (from >= rounds_.size()) return false;
  PeerRound& round = rounds_[from];
  if (round.state != PeerRound::State::kOpening) return true;
  if (round.number != frame.head.operation) return true;
  core_.health.heard(from, now.steady_us);
  round.peer = reply.peer;
  if (reply.refused || reply.peer.node != core_.id_of(from)) {
    round.clean = false;
    end_round(from, now);
    return true;
  }
  CleanExchanges* const exchanges = core_.parts.exchanges;
  if (exchanges && exchanges->observer()) {
    exchanges->observer()->on_gossip(reply.peer.node, reply.gossip);
  }
  for (uint8_t keyspace = 0; keyspace < kKeyspacesMax; ++keyspace) {
    const auto& differing = reply.differing;
    if (std::find(differing.begin(), differing.end(), keyspace) == differing.end()) {
      // The signatures were equal, too: they are the newest set's, since none of these moves.
      note_equal(round, keyspace, round.compared[keyspace],
                 {core_.view->is_changed() ? core_.view->newest_set : 0, reply.peer.whole});
      round.compared[keyspace].clear();
    } else {
      round.keep_driven(keyspace, core_.self(), from);
    }
    ask_roots(from, keyspace);
  }
  round.state = PeerRound::State::kRoots;
  round.deadline_us = now.steady_us + ExchangeAsker::kAnswerUs;
  if (round.roots_open == 0) end_round(from, now);
  return true;
}

void AntiEntropy::ask_roots(MemberIndex peer, uint8_t keyspace) {
  PeerRound& round = rounds_[peer];
  const std::vector<uint32_t>& partitions = round.add_moving(keyspace);
  round.fences[keyspace].clear();
  if (partitions.empty()) return;
  PartitionRoots message;
  message.asker = round.own;
  message.all = round.all || round.own.whole != round.peer.whole;
  const bool changed = core_.view->is_changed();
  message.names_all = changed || core_.parts.is_moving() ||
                      (core_.parts.agreement && !core_.parts.agreement->same_as(peer));
  for (const uint32_t partition : partitions) {
    const RootFence fence = fence_of(core_, keyspace, partition);  // before its root is taken
    const uint64_t root = core_.parts.table->digest(keyspace, partition);
    if (root == 0 && !message.names_all) continue;
    message.roots.emplace_back(partition, root);
    if (changed) message.fences.push_back(fence);
  }
  round.fences[keyspace] = message.fences;
  round.await_roots(keyspace);
  const FrameHead head{MessageType::kPartitionRoots, keyspace, 0, round.number};
  send_counted(core_, peer, [&](std::string& batch) { put_partition_roots(batch, head, message); });
}

bool AntiEntropy::on_roots(MemberIndex from, const Frame& frame, Now now) {
  PartitionRootsReply reply;
  if (!parse_partition_roots_reply(frame, &reply)) return false;
  if (from >= rounds_.size()) return false;
  PeerRound& round = rounds_[from];
  const uint8_t keyspace = frame.head.keyspace;
  if (round.number != frame.head.operation || !round.awaits_roots(keyspace)) return true;
  for (const PeerRound::EqualPartition& equal : round.take_roots(keyspace, reply)) {
    if (round.clean) note_equal(round, keyspace, {equal.partition}, equal.fence);
  }
  if (round.roots_open != 0) return true;
  round.state = PeerRound::State::kExchanging;
  advance_round(from, now);
  return true;
}

void AntiEntropy::note_equal(const PeerRound& round, uint8_t keyspace,
                             const std::vector<uint32_t>& partitions, const RootFence& fence) {
  partitions_done_ += partitions.size();
  core_.note_clean(keyspace, partitions, clean_exchange(round.own, round.peer, fence));
}

void AntiEntropy::advance_round(MemberIndex peer, Now now) {
  PeerRound& round = rounds_[peer];
  if (round.state != PeerRound::State::kExchanging) return;
  while (!round.differing.empty() && asker_.takes_another(peer, now)) {
    const auto free = std::find_if(
        round.differing.begin(), round.differing.end(), [&](const DifferingPartition& differing) {
          return !asker_.fills_from_another(peer, differing.keyspace, differing.partition);
        });
    if (free == round.differing.end()) break;  // others fill what is left
    const DifferingPartition next = *free;
    round.differing.erase(free);
    asker_.begin(
        {peer, next.keyspace, next.partition, round.own, round.peer, next.depth, next.fence}, now);
  }
  const bool idle = round.differing.empty() && asker_.begun_with(peer) == 0;
  if (idle && round.state == PeerRound::State::kExchanging) end_round(peer, now);
}

void AntiEntropy::on_exchange_ended(MemberIndex peer, bool clean, Now now) {
  KVORUM_CHECK(peer < rounds_.size());
  partitions_done_ += clean;
  if (!clean) rounds_[peer].clean = false;
  advance_round(peer, now);
}

// This node holds what the peer owns, and no longer it.
bool AntiEntropy::gives_to(MemberIndex peer) const {
  for (uint8_t keyspace = 0; keyspace < kKeyspacesMax; ++keyspace) {
    for (const uint32_t partition : moving_partitions(core_, keyspace, peer)) {
      if (core_.hands_over(keyspace, partition)) return true;
    }
  }
  return false;
}

void AntiEntropy::rest(MemberIndex peer, Now now) {
  PeerRound& round = rounds_[peer];
  const uint64_t interval_us = core_.options.anti_entropy_ms * 1000ULL;
  const uint64_t pause_us = round.pause_us(interval_us, in_haste() || gives_to(peer));
  round.due_us = now.steady_us + pause_us / 2 + core_.rng.below(pause_us + 1);
}

void AntiEntropy::end_round(MemberIndex peer, Now now) {
  PeerRound& round = rounds_[peer];
  KVORUM_CHECK(round.state != PeerRound::State::kIdle);
  round.state = PeerRound::State::kIdle;
  rest(peer, now);
  wholeness_.look(now);
}

void AntiEntropy::repair(const RepairWish& wish, Now now) {
  if (!enabled()) return;
  const bool under_way = std::any_of(rounds_.begin(), rounds_.end(),
                                     [](const PeerRound& round) { return round.has_wish(); });
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
    const auto peer = static_cast<MemberIndex>(at);
    const PeerRound& round = rounds_[at];
    if (peer == core_.self()) continue;
    progress.active |= round.state != PeerRound::State::kIdle || round.next_wish.has_value();
    progress.partitions_left += round.differing.size() + asker_.begun_with(peer);
    progress.peers_unreachable += !core_.health.linked(peer);
  }
  progress.partitions_done = partitions_done_;
  progress.keys_repaired = core_.counters.keys_pulled + core_.counters.keys_pushed - keys_before_;
  progress.began_us = began_us_;
  progress.waits_for_budget = asker_.waits_for_budget();
  return progress;
}

}  // namespace kvorum::cluster

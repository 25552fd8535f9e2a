// SPDX-License-Identifier: Apache-2.0
// A round of anti-entropy with one peer: which partitions differ. And what rounds are good for:
// copies that become whole.
#include <algorithm>

#include "cluster/repair/anti_entropy.h"

namespace kvorum::cluster {
namespace {

constexpr uint64_t kAllEveryRounds = 8;  // then also those that the peer drives
constexpr uint64_t kAfterFailureUs = 1'000'000;
constexpr uint64_t kNotWholeUs = 300'000;
constexpr uint64_t kWholenessUs = 100'000;

}  // namespace

void AntiEntropy::begin_round(MemberIndex peer, Now now) {
  Round& round = rounds_[peer];
  round.due_us = 0;
  if (!core_.health.linked(peer)) return;
  round.state = Round::State::kOpening;
  round.number = next_number_++;
  round.deadline_us = now.steady_us + kAnswerUs;
  round.clean = true;
  round.wish = std::exchange(round.next_wish, std::nullopt);
  round.all = round.wish.has_value() || ++round.rounds % kAllEveryRounds == 0;
  round.own = party_of(core_, now);
  round.roots_open = 0;
  round.differing.clear();
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
    round.compared[keyspace] = shared_partitions(core_, keyspace, peer);
    const std::vector<uint32_t>& shared = round.compared[keyspace];
    if (shared.empty()) continue;
    message.keyspaces.emplace_back(keyspace, roots_digest(core_, keyspace, shared));
  }
  ask(peer, [&](std::string& batch) { put_exchange_open(batch, round.number, message); });
}

bool AntiEntropy::on_opened(MemberIndex from, const Frame& frame, Now now) {
  ExchangeOpenReply reply;
  if (!parse_exchange_open_reply(frame, &reply)) return false;
  if (from >= rounds_.size()) return false;
  Round& round = rounds_[from];
  if (round.state != Round::State::kOpening || round.number != frame.head.operation) return true;
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
      note_clean(keyspace, round.compared[keyspace], round.own, round.peer);
    } else {
      ask_roots(from, keyspace);
    }
  }
  round.state = Round::State::kRoots;
  round.deadline_us = now.steady_us + kAnswerUs;
  if (round.roots_open == 0) end_round(from, now);
  return true;
}

std::vector<uint32_t> AntiEntropy::driven_partitions(const Round& round, MemberIndex peer,
                                                     uint8_t keyspace) const {
  std::vector<uint32_t> partitions = round.compared[keyspace];
  if (round.all) return partitions;
  if (round.own.whole != round.peer.whole) {
    if (round.own.whole) partitions.clear();
    return partitions;
  }
  std::erase_if(partitions,
                [&](uint32_t partition) { return !drives(core_.self(), peer, partition); });
  return partitions;
}

bool AntiEntropy::wished(const Round& round, uint8_t keyspace, uint32_t partition) const {
  if (!round.wish) return true;
  return (round.wish->keyspace < 0 || round.wish->keyspace == keyspace) &&
         (round.wish->partition < 0 || round.wish->partition == partition);
}

void AntiEntropy::ask_roots(MemberIndex peer, uint8_t keyspace) {
  Round& round = rounds_[peer];
  round.compared[keyspace] = driven_partitions(round, peer, keyspace);
  const std::vector<uint32_t>& partitions = round.compared[keyspace];
  if (partitions.empty()) return;
  PartitionRoots message;
  message.asker = round.own;
  message.all = round.all || round.own.whole != round.peer.whole;
  message.names_all =
      core_.parts.is_moving() || (core_.parts.agreement && !core_.parts.agreement->same_as(peer));
  for (const uint32_t partition : partitions) {
    const uint64_t root = core_.parts.table->digest(keyspace, partition);
    if (root != 0 || message.names_all) message.roots.emplace_back(partition, root);
  }
  round.roots_open = static_cast<KeyspaceMask>(round.roots_open | mask_of(keyspace));
  const FrameHead head{MessageType::kPartitionRoots, keyspace, 0, round.number};
  ask(peer, [&](std::string& batch) { put_partition_roots(batch, head, message); });
}

bool AntiEntropy::on_roots(MemberIndex from, const Frame& frame, Now now) {
  PartitionRootsReply reply;
  if (!parse_partition_roots_reply(frame, &reply)) return false;
  if (from >= rounds_.size()) return false;
  Round& round = rounds_[from];
  if (round.state != Round::State::kRoots || round.number != frame.head.operation) return true;
  const uint8_t keyspace = frame.head.keyspace;
  const bool asked = keyspace < kKeyspacesMax && (round.roots_open & mask_of(keyspace)) != 0;
  if (!asked) return true;
  round.roots_open = static_cast<KeyspaceMask>(round.roots_open & ~mask_of(keyspace));
  round.peer.clock = reply.peer.clock;
  if (reply.peer.session != round.peer.session) round.clean = false;
  std::vector<uint32_t> equal;
  auto named = reply.differing.begin();
  for (const uint32_t partition : round.compared[keyspace]) {
    while (named != reply.differing.end() && named->first < partition) ++named;
    if (named == reply.differing.end() || named->first != partition) {
      equal.push_back(partition);
    } else if (wished(round, keyspace, partition)) {
      round.differing.push_back({keyspace, partition, named->second});
    }
  }
  if (round.clean) note_clean(keyspace, equal, round.own, round.peer);
  if (round.roots_open != 0) return true;
  round.state = Round::State::kExchanging;
  advance_round(from, now);
  return true;
}

void AntiEntropy::note_clean(uint8_t keyspace, const std::vector<uint32_t>& partitions,
                             const ExchangeParty& own, const ExchangeParty& peer) {
  partitions_done_ += partitions.size();
  core_.note_clean(keyspace, partitions, {peer.node, own.session, peer.session, own.clock});
}

void AntiEntropy::advance_round(MemberIndex peer, Now now) {
  Round& round = rounds_[peer];
  if (round.state != Round::State::kExchanging) return;
  while (!round.differing.empty() && round.exchanges.size() < kExchangesPerPeerMax) {
    // One at a time is more than keys; what has only those left never goes back.
    const bool busy =
        !round.exchanges.empty() && !only_keys_left(*exchanges_.find(round.exchanges.back()));
    if (busy || !may_begin(0, now)) break;
    const Differing next = round.differing.front();
    round.differing.pop_front();
    begin_exchange(peer, next, now);
  }
  const bool idle = round.differing.empty() && round.exchanges.empty();
  if (idle && round.state == Round::State::kExchanging) end_round(peer, now);
}

void AntiEntropy::end_round(MemberIndex peer, Now now) {
  Round& round = rounds_[peer];
  round.state = Round::State::kIdle;
  uint64_t wait_us = core_.options.anti_entropy_ms * 1000ULL;
  if (!round.clean) wait_us = std::min(wait_us, kAfterFailureUs);
  if (core_.parts.whole && core_.parts.whole->missing() > 0)
    wait_us = std::min(wait_us, kNotWholeUs);
  if (round.next_wish) wait_us = 0;
  round.due_us = now.steady_us + wait_us / 2 + core_.rng.below(wait_us + 1);
  look_at_wholeness(now);
}

void AntiEntropy::on_damage(uint8_t keyspace, uint32_t partition, Now now) {
  if (core_.parts.whole == nullptr) return;
  core_.parts.whole->set(keyspace, partition, false);
  damaged_at_ = core_.parts.clock->tick(now.wall_ms);
  for (size_t at = 0; at < rounds_.size(); ++at) {
    const bool linked = core_.health.linked(static_cast<MemberIndex>(at));
    if (at != core_.self() && linked) rounds_[at].due_us = now.steady_us;
  }
}

bool AntiEntropy::has_exchanged(uint8_t keyspace, uint32_t partition, MemberIndex with) const {
  const auto latest = core_.parts.exchanges->latest(keyspace, partition, core_.id_of(with));
  if (!latest || latest->session != core_.parts.current_incarnation()) return false;
  // Until most members had this configuration, others took writes by the former one.
  const Agreement* const agreement = core_.parts.agreement;
  if (agreement && latest->began < agreement->agreed_at()) return false;
  return latest->began >= damaged_at_;
}

// With so many of the former primaries, this node counted, as know every write that was
// acknowledged by the former configuration.
bool AntiEntropy::former_exchanged(uint8_t keyspace, uint32_t partition) const {
  const std::shared_ptr<const FormerList> former = core_.parts.former->list();
  for (const FormerPlacement& placement : *former) {
    size_t exchanged = 0;
    for (const MemberIndex primary : placement.primaries(keyspace, partition)) {
      exchanged += primary == core_.self() || has_exchanged(keyspace, partition, primary);
    }
    if (exchanged < placement.needed(keyspace)) return false;
  }
  return true;
}

bool AntiEntropy::may_be_whole(uint8_t keyspace, uint32_t partition, Now now) const {
  const bool moving = core_.parts.is_moving();
  const Holders holders = holders_of(
      *core_.view, moving ? *core_.parts.former->list() : FormerList{}, keyspace, partition);
  if (std::find(holders.begin(), holders.end(), core_.self()) == holders.end()) return true;
  if (core_.parts.is_damaged(keyspace, partition)) return false;
  if (core_.parts.agreement && !core_.parts.agreement->in_force() && moving) return false;
  bool any = holders.size() == 1;
  for (const MemberIndex holder : holders) {
    if (holder == core_.self()) continue;
    const bool clean = has_exchanged(keyspace, partition, holder);
    any |= clean;
    if (!clean && !is_away(holder, now)) return false;
  }
  return any && (!moving || former_exchanged(keyspace, partition));
}

// Who is silent on its link may only be slow, and a link that broke may come back: what it alone
// still knows of what this copy forgot is waited for. At the start links take a while, too.
bool AntiEntropy::is_away(MemberIndex primary, Now now) const {
  if (core_.health.linked(primary) || now.steady_us < grace_until_us_) return false;
  return now.steady_us >= core_.health.report(primary).since_us + kGraceUs;
}

void AntiEntropy::look_at_wholeness(Now now) {
  WholeReplicas* const whole = core_.parts.whole;
  wholeness_at_us_ = 0;
  if (!whole || !core_.parts.exchanges || whole->missing() == 0) return;
  for (uint8_t keyspace = 0; keyspace < kKeyspacesMax; ++keyspace) {
    for (uint32_t partition = 0; partition < whole->partitions(); ++partition) {
      if (whole->is_whole(keyspace, partition)) continue;
      if (may_be_whole(keyspace, partition, now)) whole->set(keyspace, partition, true);
    }
  }
  if (whole->missing() > 0) wholeness_at_us_ = now.steady_us + kWholenessUs;
}

}  // namespace kvorum::cluster

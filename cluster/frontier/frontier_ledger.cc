// SPDX-License-Identifier: Apache-2.0
#include "cluster/frontier/frontier_ledger.h"

#include <algorithm>

#include "base/check.h"

namespace kvorum::cluster {

FrontierLedger::FrontierLedger(const ClusterView& view, engine::ObjectTable* table)
    : table_(table),
      partitions_(uint32_t{1} << view.ring.partition_bits()),
      copies_(size_t{kKeyspacesMax} * partitions_) {
  if (!view.is_member()) return;
  for (uint32_t partition = 0; partition < partitions_; ++partition) publish(view, partition);
}

void FrontierLedger::publish(const ClusterView& before, const ClusterView& view) {
  if (!view.is_member()) return;
  for_changed_partitions(before, view, [&](uint32_t partition) { publish(view, partition); });
}

void FrontierLedger::publish(const ClusterView& view, uint32_t partition) {
  for (uint8_t keyspace = 0; keyspace < kKeyspacesMax; ++keyspace) {
    Copy& copy = *find(keyspace, partition);
    copy.held = view.is_owner(view.self, keyspace, partition);
    if (!copy.held && copy.peers.empty()) continue;
    std::vector<Peer> peers;
    for (const MemberIndex member : view.owners(keyspace, partition)) {
      if (member == view.self || !copy.held) continue;
      const auto known = std::find_if(copy.peers.begin(), copy.peers.end(),
                                      [&](const Peer& peer) { return peer.member == member; });
      peers.push_back(known != copy.peers.end() ? *known : Peer{member, 0, 0, {}});
    }
    copy.peers = std::move(peers);
    if (copy.peers.empty()) copy.slices.clear();
  }
}

FrontierLedger::Copy* FrontierLedger::find(uint8_t keyspace, uint32_t partition) {
  KVORUM_CHECK(keyspace < kKeyspacesMax && partition < partitions_);
  return &copies_[size_t{keyspace} * partitions_ + partition];
}

// The clock is read after what the slices hold was taken: an exchange that begins at a later
// reading finds all of it in the tables.
bool FrontierLedger::take_slices(HybridClock& clock, Now now) {
  taken_.clear();
  bool changed = false;
  for (size_t at = 0; at < copies_.size(); ++at) {
    const Hlc least{table_->take_oldest_changed(static_cast<uint8_t>(at / partitions_),
                                                static_cast<uint32_t>(at % partitions_))};
    changed |= least != kNoHlc;
    if (least != kNoHlc && !copies_[at].peers.empty()) taken_.emplace_back(at, least);
  }
  if (taken_.empty()) return changed;
  const Hlc end = clock.tick(now.wall_ms);
  for (const auto& [at, least] : taken_) {
    std::deque<Slice>& slices = copies_[at].slices;
    KVORUM_CHECK(slices.empty() || slices.back().end < end);  // prune() goes by their order
    slices.push_back({end, least});
  }
  return changed;
}

void FrontierLedger::note_clean(const PeerCopy& of, uint64_t run, uint64_t peer_run, Hlc began) {
  if (of.keyspace >= kKeyspacesMax || of.partition >= partitions_) return;
  const engine::Ticket ticket = table_->commits().issued();
  KVORUM_CHECK(pending_.empty() || pending_.back().ticket <= ticket);  // settle() goes by it
  pending_.push_back({of, run, peer_run, began, ticket});
}

void FrontierLedger::settle() {
  while (!pending_.empty() && pending_.front().ticket <= table_->commits().synced()) {
    const Pending clean = pending_.front();
    pending_.pop_front();
    Copy& copy = *find(clean.of.keyspace, clean.of.partition);
    for (Peer& peer : copy.peers) {
      if (peer.member != clean.of.peer) continue;
      const bool same = peer.run == clean.run && peer.peer_run == clean.peer_run;
      if (same && clean.began <= peer.began) continue;
      settled_ = std::min(settled_, least_since(copy, same ? peer.began : Hlc{}));
      peer = {peer.member, clean.run, clean.peer_run, clean.began};
    }
    prune(copy);
  }
}

Hlc FrontierLedger::least_since(const Copy& copy, Hlc began) {
  Hlc least = kNoHlc;
  for (const Slice& slice : copy.slices) {
    if (slice.end >= began) least = std::min(least, slice.least);
  }
  return least;
}

// What every peer has is forgotten.
void FrontierLedger::prune(Copy& copy) {
  Hlc oldest = kNoHlc;
  for (const Peer& peer : copy.peers) oldest = std::min(oldest, peer.run ? peer.began : Hlc{});
  while (!copy.slices.empty() && copy.slices.front().end < oldest) copy.slices.pop_front();
}

Hlc FrontierLedger::least(uint64_t run, std::span<const uint64_t> runs,
                          std::optional<PeerCopy>* open) const {
  Hlc least = kNoHlc;
  for (size_t at = 0; at < copies_.size(); ++at) {
    for (const Peer& peer : copies_[at].peers) {
      KVORUM_CHECK(peer.member < runs.size());
      if (peer.run != run || peer.peer_run != runs[peer.member]) {
        *open = PeerCopy{static_cast<uint8_t>(at / partitions_),
                         static_cast<uint32_t>(at % partitions_), peer.member};
        return Hlc{};
      }
      least = std::min(least, least_since(copies_[at], peer.began));
    }
  }
  return least;
}

Hlc FrontierLedger::take_settled() { return std::exchange(settled_, kNoHlc); }

}  // namespace kvorum::cluster

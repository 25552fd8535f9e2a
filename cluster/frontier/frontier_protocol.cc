// SPDX-License-Identifier: Apache-2.0
#include "cluster/frontier/frontier_protocol.h"

#include <algorithm>
#include <utility>

#include "base/bytes.h"
#include "base/check.h"
#include "base/hash.h"

namespace kvorum::cluster {
namespace {

// One that leaves still holds copies.
bool takes_part(const Member& member) { return !member.has_departed(); }

std::vector<NodeId> ids_of(const ClusterView& view) {
  KVORUM_CHECK(view.is_member());
  std::vector<NodeId> ids;
  for (const Member& member : view.members) {
    const bool self = &member == &view.members[view.self];  // who departed counts for itself alone
    if (self || takes_part(member)) ids.push_back(member.id);
  }
  return ids;
}

// Also of what expired long after the last write.
bool has_tombstones(const engine::ObjectTable& table) {
  const uint32_t partitions = 1u << table.partition_bits();
  for (uint8_t keyspace = 0; keyspace < kKeyspacesMax; ++keyspace) {
    for (uint32_t partition = 0; partition < partitions; ++partition) {
      if (table.record_count(keyspace, partition) > table.live_count(keyspace, partition)) {
        return true;
      }
    }
  }
  return false;
}

// Of a flush: forgotten once the frontier has passed them.
bool has_marks(const FlushMarks& marks) {
  for (uint8_t keyspace = 0; keyspace < kKeyspacesMax; ++keyspace) {
    if (marks.any(keyspace)) return true;
  }
  return false;
}

}  // namespace

FrontierProtocol::FrontierProtocol(FrontierParts parts, uint64_t run)
    : parts_(std::move(parts)),
      copies_(parts_.view->ring.partition_bits()),
      view_(parts_.view),
      ledger_(*view_, parts_.table),
      rounds_(ids_of(*view_), view_->members[view_->self].id, run) {
  KVORUM_CHECK(parts_.table != nullptr && parts_.hints != nullptr);
  KVORUM_CHECK(parts_.clock != nullptr && parts_.marks != nullptr);
}

void FrontierProtocol::publish(std::shared_ptr<const ClusterView> later) {
  const MutexLock lock(mutex_);
  if (later->generation <= view_->generation) return;  // as another reactor did
  const std::shared_ptr<const ClusterView> before = std::exchange(view_, std::move(later));
  viewed_since_report_ = stirred_ = true;
  ledger_.publish(*before, *view_);
  if (view_->takes_part()) rounds_.set_members(ids_of(*view_));
}

// The least HLC of all that became a hint since there last was none.
Hlc FrontierProtocol::oldest_hint() {
  const uint32_t partitions = 1u << parts_.hints->partition_bits();
  uint64_t pending = 0;
  for (uint32_t partition = 0; partition < partitions; ++partition) {
    const Hlc stored{parts_.hints->take_oldest_changed(0, partition)};
    oldest_hint_ = std::min(oldest_hint_, stored);
    pending += parts_.hints->record_count(0, partition);
  }
  const Hlc oldest = oldest_hint_;
  if (pending == 0) oldest_hint_ = kNoHlc;
  return oldest;
}

bool FrontierProtocol::tick(uint64_t run, Now now) {
  const MutexLock lock(mutex_);
  // A tick: what is minted later is above it even where the wall clock goes back.
  const Hlc clock = parts_.clock->tick(now.wall_ms);
  if (run != rounds_.run()) {
    rounds_.begin_run(run);
    first_round_of_run_ = rounds_.round() + 1;
    stirred_ = true;
  }
  const bool changed = ledger_.take_slices(*parts_.clock, now);
  ledger_.settle();
  least_since_report_ = std::min({least_since_report_, ledger_.take_settled(), oldest_hint()});
  if (is_something_under_way(changed)) busy_at_ = parts_.clock->reading(now.wall_ms);
  stirred_ = rests_ = false;
  bool rose = false;
  if (rounds_.round() != 0) {
    const std::optional<FrontierRounds::Ended> ended = rounds_.ended();
    if (!ended) return false;
    rose = judge(*ended);
    parts_.marks->forget_below(frontier_);
    rests_ = !wants_round();
  }
  if (!rests_) report(run, clock);
  return rose;
}

// Copies that are not whole are not raised, and hints are no objects of the ledger: the round that
// counts for them comes afterwards.
bool FrontierProtocol::is_something_under_way(bool changed) const {
  return changed || stirred_ || oldest_hint_ != kNoHlc ||
         (parts_.whole != nullptr && parts_.whole->missing() != 0) ||
         (parts_.former != nullptr && parts_.former->any());
}

// After a round that ended.
bool FrontierProtocol::wants_round() const {
  return !agreed_ || frontier_ <= busy_at_ || rounds_.is_behind() ||
         rounds_.round() < first_round_of_run_ || belief() != reported_belief_ ||
         has_marks(*parts_.marks) || has_tombstones(*parts_.table);
}

void FrontierProtocol::lose(uint8_t keyspace, uint32_t partition, uint64_t over) {
  const MutexLock lock(mutex_);
  stirred_ = true;
  losing_run_ = over;
  copies_.reset(keyspace, partition);
}

void FrontierProtocol::lose_all(uint64_t over) {
  const MutexLock lock(mutex_);
  stirred_ = true;
  losing_run_ = over;
  for (uint8_t keyspace = 0; keyspace < kKeyspacesMax; ++keyspace) {
    for (uint32_t partition = 0; partition < copies_.partitions(); ++partition) {
      copies_.reset(keyspace, partition);
    }
  }
}

bool FrontierProtocol::judge(const FrontierRounds::Ended& ended) {
  agreed_ = ended.agreed;
  // What this node vouched for before copies were lost says nothing of what they hold now.
  const bool reported_since =
      rounds_.run() != losing_run_ && rounds_.round() >= first_round_of_run_;
  if (!reported_since || viewed_since_report_) return false;
  if (!ended.agreed || ended.least <= frontier_) return false;
  frontier_ = ended.least;
  for (uint8_t keyspace = 0; keyspace < kKeyspacesMax; ++keyspace) {
    for (uint32_t partition = 0; partition < copies_.partitions(); ++partition) {
      if (!ledger_.holds(keyspace, partition)) continue;
      if (parts_.whole != nullptr && !parts_.whole->is_whole(keyspace, partition)) continue;
      copies_.raise(keyspace, partition, frontier_);
    }
  }
  return true;
}

void FrontierProtocol::report(uint64_t run, Hlc clock) {
  open_.reset();
  std::vector<uint64_t> runs;
  for (const Member& member : view_->members) {
    runs.push_back(rounds_.run_of(member.id));
  }
  viewed_since_report_ = false;
  const Hlc unexchanged = ledger_.least(run, runs, &open_);
  const Hlc present = std::min(unexchanged, oldest_hint_);
  Hlc least = std::min({least_since_report_, present, clock_at_report_});
  if (rounds_.round() + 1 == first_round_of_run_) least = Hlc{};
  if (parts_.former != nullptr && parts_.former->any()) least = Hlc{};
  reported_belief_ = belief();
  rounds_.report(reported_belief_, least);
  KVORUM_CHECK(clock > clock_at_report_);  // ticks rise, and what is minted later lies above
  clock_at_report_ = clock;
  least_since_report_ = present;
}

// Of all on which members have to agree before a round counts.
uint64_t FrontierProtocol::belief() const {
  std::string bytes;
  put_u64(bytes, view_->hash());
  // A mark that this node might forget is no knowledge yet.
  const bool stored = parts_.marks->stored() >= parts_.marks->generation();
  put_u64(bytes, stored ? 0 : view_->members[view_->self].id);
  put_u64(bytes, parts_.marks->digest());
  // In an order that all have in common: indexes are each node's own.
  std::vector<NodeId> ids = ids_of(*view_);
  std::sort(ids.begin(), ids.end());
  for (const NodeId id : ids) {
    put_u64(bytes, id);
    put_u64(bytes, rounds_.run_of(id));
  }
  return xxh64(bytes);
}

Hlc FrontierProtocol::reached() const {
  const MutexLock lock(mutex_);
  return frontier_;
}

void FrontierProtocol::encode_gossip(std::string& out) const {
  const MutexLock lock(mutex_);
  rounds_.encode(out);
}

bool FrontierProtocol::merge_gossip(std::string_view bytes) {
  const MutexLock lock(mutex_);
  const uint64_t round = rounds_.round();
  const bool well_formed = rounds_.merge_encoded(bytes);
  // What an earlier run vouched for stays true: this one mints above it.
  parts_.clock->raise(rounds_.vouched_before());
  if (well_formed) heard_.store(true, std::memory_order_release);
  // Rounds of an earlier run of this node: the next report is the first of this one.
  if (rounds_.round() != round) first_round_of_run_ = rounds_.round() + 1;
  return well_formed;
}

uint64_t FrontierProtocol::gossip_digest() const {
  const MutexLock lock(mutex_);
  return rounds_.digest();
}

bool FrontierProtocol::encode_newer_gossip(std::string_view theirs, std::string& out) const {
  const MutexLock lock(mutex_);
  return rounds_.encode_newer(theirs, out);
}

// What is known of the two that compare copies, whose runs have to be known: of all others gossip
// tells.
void FrontierProtocol::write_gossip(NodeId peer, std::string& out) {
  const MutexLock lock(mutex_);
  const NodeId both[] = {view_->members[view_->self].id, peer};
  rounds_.encode_of(both, out);
}

void FrontierProtocol::on_gossip(NodeId, std::string_view bytes) { merge_gossip(bytes); }

void FrontierProtocol::on_clean_exchange(uint8_t keyspace, uint32_t partition,
                                         const CleanExchange& exchange) {
  const MutexLock lock(mutex_);
  const MemberIndex peer = view_->find_id(exchange.peer);
  if (peer == kNoMember) return;
  ledger_.note_clean({keyspace, partition, peer}, exchange.run, exchange.peer_run, exchange.began);
}

FrontierStatus FrontierProtocol::status() const {
  const MutexLock lock(mutex_);
  FrontierStatus status;
  status.round = rounds_.round();
  status.frontier = frontier_;
  status.agreed = agreed_;
  status.awaited = rounds_.awaited();
  status.open = open_;
  status.hints_wait = oldest_hint_ != kNoHlc;
  status.rests = rests_;
  return status;
}

}  // namespace kvorum::cluster

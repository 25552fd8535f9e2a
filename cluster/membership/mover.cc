// SPDX-License-Identifier: Apache-2.0
#include "cluster/membership/mover.h"

#include <algorithm>
#include <set>

#include "base/check.h"
#include "cluster/copies/shared_history.h"
#include "cluster/version/planted_bug.h"

namespace kvorum::cluster {

// What is under way: something moves, is voted for and not settled, or this node leaves.
bool Mover::is_busy() const {
  const ClusterView& view = *core_.view;
  if (!view.moving.empty()) return true;
  if (view.is_member() && view.members[view.self].standing == Standing::kLeaving) return true;
  const std::shared_ptr<const History> history = core_.parts.history->history();
  return std::any_of(history->facts().begin(), history->facts().end(), [](const auto& item) {
    return std::any_of(item.second.begin(), item.second.end(),
                       [](const Fact& fact) { return fact.kind == FactKind::kVote; });
  });
}

void Mover::on_time(Now now) {
  if (due_us_ == 0 || now.steady_us < due_us_) return;
  due_us_ = 0;
  SharedHistory* const shared = core_.parts.history;
  if (shared == nullptr || !core_.view->is_changed() || !core_.view->is_member()) return;
  if (core_.view->members[core_.self()].standing == Standing::kRemoved) return;
  if (!is_busy()) return;
  due_us_ = now.steady_us + kLookUs;
  std::vector<Fact> facts;
  look(*shared->history(), &facts);
  if (has_left()) facts.push_back(Fact::gone(core_.self_id()));
  if (!facts.empty()) shared->add(facts);
}

void Mover::look(const History& history, std::vector<Fact>* facts) {
  PlacedOwners owners(history, placements_);
  std::set<uint32_t> partitions;
  for (const MovingPartition& moving : core_.view->moving) partitions.insert(moving.partition);
  for (const auto& [partition, known] : history.facts()) partitions.insert(partition);
  for (const uint32_t partition : partitions) {
    look_at({partition, PartitionSets(history, owners, partition), owners}, facts);
  }
}

void Mover::look_at(const Partition& of, std::vector<Fact>* facts) {
  const PartitionSets& sets = of.sets;
  const uint32_t partition = of.number;
  const NodeId self = core_.self_id();
  const SetId newest = sets.newest();
  if (confirms(of)) {
    std::vector<SetId> from = sets.live();
    std::erase(from, newest);
    make_whole(partition);
    facts->push_back(Fact::confirmed(partition, self, newest, std::move(from)));
  }
  if (sets.may_vote(self)) facts->push_back(Fact::vote(partition, self, newest));
  if (sets.may_settle(self)) facts->push_back(Fact::settled(partition, newest));
  for (Fact& lost : sets.losses(self)) facts->push_back(std::move(lost));
}

// In each keyspace, not only in that which stands for its class.
bool Mover::confirms(const Partition& partition) const {
  const std::vector<Sources> needed = partition.sets.sources_for(core_.self_id());
  return !needed.empty() && std::all_of(needed.begin(), needed.end(), [&](const Sources& sources) {
    for (uint8_t keyspace = 0; keyspace < kKeyspacesMax; ++keyspace) {
      const uint8_t stands = partition.owners.classes()[partition.owners.class_of(keyspace)];
      if (stands == sources.keyspace && !is_sourced(sources, keyspace, partition)) return false;
    }
    return true;
  });
}

// Enough of the old owners that are whole were compared with this copy since both know what is
// known now; or all of them, where fewer are left.
bool Mover::is_sourced(const Sources& sources, uint8_t keyspace, const Partition& of) const {
  if (planted(PlantedBug::kConfirmUnasked)) return true;
  const uint32_t partition = of.number;
  const uint64_t signature = of.sets.signature();
  KVORUM_CHECK(core_.parts.exchanges != nullptr && signature != 0);
  size_t whole = 0;
  size_t compared = 0;
  for (const NodeId owner : sources.owners) {
    if (owner == core_.self_id()) {
      ++compared;
      whole += core_.parts.is_whole(keyspace, partition);
      continue;
    }
    const auto latest = core_.parts.exchanges->latest(keyspace, partition, owner);
    if (!latest || latest->signature != signature) continue;
    if (latest->run != core_.parts.current_incarnation()) continue;
    ++compared;
    whole += latest->peer_whole;
  }
  if (planted(PlantedBug::kConfirmByOne) && compared > 0) return true;
  return whole >= sources.needed || compared == sources.owners.size();
}

void Mover::make_whole(uint32_t partition) const {
  if (core_.parts.whole == nullptr) return;
  for (uint8_t keyspace = 0; keyspace < kKeyspacesMax; ++keyspace) {
    if (!core_.view->is_owner(core_.self(), keyspace, partition)) continue;
    core_.parts.whole->set(keyspace, partition, true);
  }
}

bool Mover::has_left() const {
  const Member& own = core_.view->members[core_.self()];
  if (own.standing != Standing::kLeaving) return false;
  if (core_.hints.pending() > 0 || core_.open.requests.used() > 0) return false;
  const engine::ObjectTable& table = *core_.parts.table;
  for (uint8_t keyspace = 0; keyspace < kKeyspacesMax; ++keyspace) {
    for (uint32_t partition = 0; partition < core_.view->ring.partitions(); ++partition) {
      if (table.record_count(keyspace, partition) > 0) return false;
      if (core_.view->is_owner(core_.self(), keyspace, partition)) return false;
    }
  }
  return true;
}

}  // namespace kvorum::cluster

// SPDX-License-Identifier: Apache-2.0
#include "cluster/membership/mover.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/check.h"
#include "base/planted_bug.h"
#include "cluster/copies/shared_history.h"

namespace kvorum::cluster {

// What is under way: something moves, is voted for and not settled, or this node leaves.
bool Mover::is_busy() const {
  const ClusterView& view = *core_.view;
  if (!view.moving.empty()) return true;
  if (view.is_member() && view.members[view.self].standing == Standing::kLeaving) return true;
  const std::shared_ptr<const History> history = core_.parts.history->history();
  return std::any_of(history->facts().begin(), history->facts().end(), [](const auto& item) {
    return std::any_of(item.second->begin(), item.second->end(),
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
  looked_us_ = now.steady_us;
  std::vector<Fact> facts;
  look(shared->history(), &facts);
  if (has_left()) facts.push_back(Fact::gone(core_.self_id()));
  if (!facts.empty()) shared->add(facts);
}

void Mover::look(std::shared_ptr<const History> history, std::vector<Fact>* facts) {
  if (looked_ == nullptr || looked_->newest() != history->newest()) {
    placements_ = core_.parts.history->placements();
  }
  PlacedOwners owners(*history, placements_);
  const std::vector<uint32_t> others = unseen(*history);
  looked_ = std::move(history);
  for (const uint32_t partition : others) look_at(partition, owners, facts);
  const SetId newest = looked_->newest();
  for (const auto& [partition, awaited] : awaited_) {
    if (!confirms(partition, awaited)) continue;
    make_whole(partition);
    facts->push_back(Fact::confirmed(partition, core_.self_id(), newest, awaited.from));
  }
}

// Of others all was stated that follows from the history alone.
std::vector<uint32_t> Mover::unseen(const History& history) const {
  if (looked_ != nullptr && have_same_sets(*looked_, history)) {
    return history.other_facts(*looked_);
  }
  std::vector<uint32_t> all(core_.view->ring.partitions());
  std::iota(all.begin(), all.end(), 0);
  return all;
}

void Mover::look_at(uint32_t partition, PlacedOwners& owners, std::vector<Fact>* facts) {
  const PartitionSets sets(*looked_, owners, partition);
  const NodeId self = core_.self_id();
  awaited_.erase(partition);
  if (std::vector<Sources> needed = sets.sources_for(self); !needed.empty()) {
    Awaited& awaited = awaited_[partition];
    awaited.signature = sets.signature();
    awaited.needed = std::move(needed);
    awaited.from = sets.live();
    std::erase(awaited.from, sets.newest());
    for (uint8_t keyspace = 0; keyspace < kKeyspacesMax; ++keyspace) {
      awaited.stands_for[keyspace] = owners.classes()[owners.class_of(keyspace)];
    }
  }
  if (sets.may_vote(self)) facts->push_back(Fact::vote(partition, self, sets.newest()));
  if (sets.may_settle(self)) facts->push_back(Fact::settled(partition, sets.newest()));
  for (Fact& lost : sets.losses(self)) facts->push_back(std::move(lost));
}

// In each keyspace, not only in that which stands for its class.
bool Mover::confirms(uint32_t partition, const Awaited& awaited) const {
  return std::all_of(awaited.needed.begin(), awaited.needed.end(), [&](const Sources& sources) {
    for (uint8_t keyspace = 0; keyspace < kKeyspacesMax; ++keyspace) {
      if (awaited.stands_for[keyspace] != sources.keyspace) continue;
      if (!is_sourced(sources, keyspace, partition, awaited.signature)) return false;
    }
    return true;
  });
}

// Enough of the old owners that are whole were compared with this copy since both know what is
// known now; or all of them, where fewer are left.
bool Mover::is_sourced(const Sources& sources, uint8_t keyspace, uint32_t partition,
                       uint64_t signature) const {
  if (planted(PlantedBug::kConfirmUnasked)) return true;
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

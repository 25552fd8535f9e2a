// SPDX-License-Identifier: Apache-2.0
#include "cluster/history/partition_sets.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/check.h"
#include "base/hash.h"

namespace kvorum::cluster {
namespace {

template <class T>
bool contains(const std::vector<T>& list, const T& wanted) {
  return std::find(list.begin(), list.end(), wanted) != list.end();
}

}  // namespace

PartitionSets::PartitionSets(const History& history, OwnerSource& source, uint32_t partition)
    : history_(history),
      source_(source),
      partition_(partition),
      newest_(history.newest()),
      classes_(source.classes()) {
  KVORUM_CHECK(!classes_.empty());
  read_facts();
  find_live();
}

void PartitionSets::read_facts() {
  for (const Fact& fact : history_.facts_of(partition_)) {
    if (fact.kind == FactKind::kVote) votes_[fact.set].insert(fact.node);
    if (fact.kind == FactKind::kSettled) settled_.push_back(fact.set);
    if (fact.kind != FactKind::kConfirmed) continue;
    confirmed_[{fact.set, fact.node}].insert(fact.from.begin(), fact.from.end());
  }
}

// The settled set, and each that was voted for and is not within it; but those that another one,
// which was voted for, has replaced.
void PartitionSets::find_live() {
  std::set<SetId> candidates;
  for (const SetId set : settled_) {
    const bool below = std::any_of(settled_.begin(), settled_.end(),
                                   [&](SetId other) { return history_.is_within(set, other); });
    if (!below) candidates.insert(set);
  }
  if (candidates.empty()) candidates.insert(history_.cluster_id());
  const std::set<SetId> base = candidates;
  for (const auto& [set, voters] : votes_) {
    const bool below = std::any_of(base.begin(), base.end(), [&, voted = set](SetId other) {
      return voted == other || history_.is_within(voted, other);
    });
    if (!below) candidates.insert(set);
  }
  for (const SetId set : candidates) {
    const bool replaced = std::any_of(votes_.begin(), votes_.end(), [&](const auto& vote) {
      return history_.is_within(set, vote.first) && is_replaced(set, vote.first);
    });
    if (!replaced) live_.push_back(set);
  }
  KVORUM_CHECK(!live_.empty());  // nothing replaces the largest
  const auto size_of = [&](SetId set) { return history_.find_set(set)->size(); };
  std::sort(live_.begin(), live_.end(),
            [&](SetId a, SetId b) { return std::pair(size_of(a), a) < std::pair(size_of(b), b); });
  if (live_.size() == 1 && is_same(live_[0], newest_)) live_[0] = newest_;
}

bool PartitionSets::is_same(SetId a, SetId b) const {
  return a == b || std::all_of(classes_.begin(), classes_.end(), [&](uint8_t keyspace) {
           return source_.quorum(a, keyspace) == source_.quorum(b, keyspace) &&
                  source_.owners(a, keyspace, partition_) ==
                      source_.owners(b, keyspace, partition_);
         });
}

bool PartitionSets::is_struck(NodeId node) const {
  return history_.gone().contains(node) || source_.has_removed(newest_, node);
}

std::vector<NodeId> PartitionSets::owners(SetId set, uint8_t keyspace) const {
  std::vector<NodeId> owners = source_.owners(set, keyspace, partition_);
  std::erase_if(owners, [&](NodeId node) { return is_struck(node); });
  return owners;
}

bool PartitionSets::is_owner(NodeId node) const {
  const auto owns = [&](SetId set) {
    return std::any_of(classes_.begin(), classes_.end(),
                       [&](uint8_t keyspace) { return contains(owners(set, keyspace), node); });
  };
  return owns(newest_) || std::any_of(live_.begin(), live_.end(), owns);
}

uint64_t PartitionSets::signature() const {
  if (!is_moving()) return newest_;
  std::string text;
  put_u64(text, newest_);
  for (const SetId set : live_) put_u64(text, set);
  const uint64_t digest = xxh64(text);
  return digest == 0 ? 1 : digest;
}

size_t PartitionSets::knowing(SetId set, uint8_t keyspace) const {
  const EffectiveQuorum q = source_.quorum(set, keyspace);
  return std::max<size_t>(q.n - std::min(q.r, q.w) + size_t{1}, q.n / 2 + size_t{1});
}

// Those who own the partition anew. All, where w of the older owners may have no one in common with
// w of the newer ones.
std::vector<NodeId> PartitionSets::fresh(SetId older, SetId newer, uint8_t keyspace) const {
  const EffectiveQuorum before = source_.quorum(older, keyspace);
  const EffectiveQuorum after = source_.quorum(newer, keyspace);
  std::vector<NodeId> owners = source_.owners(newer, keyspace, partition_);
  if (int{before.w} + after.n - before.n < after.w) return owners;
  const std::vector<NodeId> old = source_.owners(older, keyspace, partition_);
  std::erase_if(owners, [&](NodeId node) { return contains(old, node); });
  return owners;
}

bool PartitionSets::has_confirmed(NodeId node, SetId set, SetId from) const {
  const auto found = confirmed_.find({set, node});
  return found != confirmed_.end() && found->second.contains(from);
}

bool PartitionSets::is_replaced(SetId older, SetId newer) const {
  const auto votes = votes_.find(newer);
  if (votes == votes_.end()) return false;
  return std::all_of(classes_.begin(), classes_.end(), [&](uint8_t keyspace) {
    std::vector<NodeId> eligible = source_.owners(older, keyspace, partition_);
    std::erase_if(eligible, [&](NodeId node) {
      return history_.gone().contains(node) || source_.has_removed(newer, node);
    });
    const auto voted = std::count_if(eligible.begin(), eligible.end(),
                                     [&](NodeId node) { return votes->second.contains(node); });
    if (static_cast<size_t>(voted) < std::min(knowing(older, keyspace), eligible.size())) {
      return false;
    }
    const std::vector<NodeId> new_owners = fresh(older, newer, keyspace);
    return std::all_of(new_owners.begin(), new_owners.end(),
                       [&](NodeId node) { return has_confirmed(node, newer, older); });
  });
}

std::vector<SetId> PartitionSets::below_newest() const {
  std::vector<SetId> below;
  for (const SetId set : live_) {
    if (history_.is_within(set, newest_)) below.push_back(set);
  }
  return below;
}

std::vector<Sources> PartitionSets::sources_for(NodeId node) const {
  std::vector<Sources> sources;
  if (!is_moving()) return sources;
  bool lacks = false;
  for (const SetId set : live_) {
    if (set == newest_) continue;
    lacks |= !has_confirmed(node, newest_, set);
    for (const uint8_t keyspace : classes_) {
      if (!contains(fresh(set, newest_, keyspace), node)) continue;
      Sources from{keyspace, set, owners(set, keyspace), 0};
      std::erase_if(from.owners, [&](NodeId owner) { return source_.has_removed(newest_, owner); });
      from.needed = std::min(knowing(set, keyspace), from.owners.size());
      sources.push_back(std::move(from));
    }
  }
  return lacks ? sources : std::vector<Sources>();
}

bool PartitionSets::may_vote(NodeId node) const {
  if (!is_moving() || !is_owner(node)) return false;
  const auto votes = votes_.find(newest_);
  if (votes != votes_.end() && votes->second.contains(node)) return false;
  const std::vector<SetId> below = below_newest();
  return !below.empty() && std::all_of(below.begin(), below.end(), [&](SetId set) {
    return std::all_of(classes_.begin(), classes_.end(), [&](uint8_t keyspace) {
      const std::vector<NodeId> nodes = fresh(set, newest_, keyspace);
      return std::all_of(nodes.begin(), nodes.end(),
                         [&](NodeId one) { return has_confirmed(one, newest_, set); });
    });
  });
}

bool PartitionSets::may_settle(NodeId node) const {
  return !is_moving() && votes_.contains(newest_) && newest_ != history_.cluster_id() &&
         !contains(settled_, newest_) && is_owner(node);
}

std::vector<Fact> PartitionSets::losses(NodeId node) const {
  std::vector<Fact> losses;
  if (!is_owner(node)) return losses;
  for (const SetId set : live_) {
    if (set == newest_) continue;
    for (const uint8_t keyspace : classes_) {
      std::vector<NodeId> removed = source_.owners(set, keyspace, partition_);
      std::erase_if(removed, [&](NodeId owner) { return !source_.has_removed(newest_, owner); });
      if (removed.size() < source_.quorum(set, keyspace).w) continue;
      std::sort(removed.begin(), removed.end());
      Fact lost{FactKind::kLost, partition_, 0, set, {}, std::move(removed)};
      if (!history_.facts_of(partition_).contains(lost)) losses.push_back(std::move(lost));
    }
  }
  return losses;
}

std::vector<NodeId> PartitionSets::awaited() const {
  std::vector<NodeId> nodes;
  for (const SetId set : below_newest()) {
    for (const uint8_t keyspace : classes_) {
      for (const NodeId node : fresh(set, newest_, keyspace)) {
        if (!has_confirmed(node, newest_, set) && !contains(nodes, node)) nodes.push_back(node);
      }
    }
  }
  return nodes;
}

PlacedOwners::PlacedOwners(const History& history, SetPlacements& placements)
    : history_(history), placements_(placements) {
  // The policies of all sets that facts name, and of the newest.
  std::set<SetId> sets{history.cluster_id(), history.newest()};
  for (const auto& [partition, facts] : history.facts()) {
    for (const Fact& fact : facts) {
      sets.insert(fact.set);
      sets.insert(fact.from.begin(), fact.from.end());
    }
  }
  std::set<std::vector<uint8_t>> met;
  for (uint8_t keyspace = 0; keyspace < kKeyspacesMax; ++keyspace) {
    std::vector<uint8_t> numbers;
    for (const SetId set : sets) {
      const EffectiveQuorum q = quorum(set, keyspace);
      numbers.insert(numbers.end(), {q.n, q.r, q.w});
    }
    if (met.insert(std::move(numbers)).second) classes_.push_back(keyspace);
  }
}

const SetPlacement& PlacedOwners::placement(SetId set) {
  std::shared_ptr<const SetPlacement>& known = known_[set];
  if (known == nullptr) known = placements_.of(history_, set);
  return *known;
}

std::vector<NodeId> PlacedOwners::owners(SetId set, uint8_t keyspace, uint32_t partition) {
  return placement(set).owners(keyspace, partition);
}

EffectiveQuorum PlacedOwners::quorum(SetId set, uint8_t keyspace) {
  return placement(set).quorum(keyspace);
}

bool PlacedOwners::has_removed(SetId set, NodeId node) { return placement(set).has_removed(node); }

}  // namespace kvorum::cluster

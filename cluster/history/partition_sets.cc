// SPDX-License-Identifier: Apache-2.0
#include "cluster/history/partition_sets.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/check.h"
#include "base/contains.h"
#include "base/hash.h"

namespace kvorum::cluster {
namespace {

const std::set<NodeId> kNobody;

}  // namespace

bool have_same_sets(const History& a, const History& b) {
  return a.newest() == b.newest() && a.founding_hash() == b.founding_hash() && a.gone() == b.gone();
}

PartitionSets::PartitionSets(const History& history, OwnerSource& source, uint32_t partition)
    : history_(history),
      source_(source),
      partition_(partition),
      newest_(history.newest()),
      classes_(source.classes()) {
  KVORUM_CHECK(!classes_.empty() && partition < history.founding().partitions);
  read_facts();
  find_live();
}

void PartitionSets::read_facts() {
  for (const Fact& fact : history_.facts_of(partition_)) {
    switch (fact.kind) {
      case FactKind::kVote:
        votes_[fact.set].insert(fact.node);
        break;
      case FactKind::kConfirmed:
        confirmed_[{fact.set, fact.node}].insert(fact.from.begin(), fact.from.end());
        break;
      case FactKind::kSettled:
        settled_.insert(fact.set);
        break;
      case FactKind::kLost:
      case FactKind::kGone:
        break;
    }
  }
}

bool PartitionSets::is_within_any(SetId set, const std::set<SetId>& sets) const {
  return std::any_of(sets.begin(), sets.end(),
                     [&](SetId other) { return history_.is_within(set, other); });
}

// What was settled, on both sides of a cut perhaps; at first the founding set.
std::set<SetId> PartitionSets::base() const {
  std::set<SetId> base = settled_;
  std::erase_if(base, [&](SetId set) { return is_within_any(set, settled_); });
  if (base.empty()) base.insert(history_.cluster_id());
  return base;
}

// The base, and each set that was voted for and is not within it; but those that another one, which
// was voted for, has replaced.
void PartitionSets::find_live() {
  const std::set<SetId> base_sets = base();
  std::set<SetId> candidates = base_sets;
  for (const auto& [set, voters] : votes_) {
    if (!is_within_any(set, base_sets)) candidates.insert(set);
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

bool PartitionSets::is_live(SetId set) const { return contains(live_, set); }

uint64_t PartitionSets::signature() const {
  if (!is_moving()) return newest_;
  std::string text;
  put_u64(text, newest_);
  for (const SetId set : live_) put_u64(text, set);
  const uint64_t digest = xxh64(text);
  return digest == 0 ? 1 : digest;
}

// It left, and is no member again because its leaving means nothing beside other changes.
bool PartitionSets::is_gone(NodeId node) const {
  return history_.is_gone(node) && !source_.is_placed(newest_, node);
}

bool PartitionSets::is_struck(NodeId node) const {
  return is_gone(node) || source_.has_removed(newest_, node);
}

std::vector<NodeId> PartitionSets::owners(SetId set, uint8_t keyspace) const {
  std::vector<NodeId> owners = source_.owners(set, keyspace, partition_);
  std::erase_if(owners, [&](NodeId node) { return is_struck(node); });
  return owners;
}

bool PartitionSets::is_owner(NodeId node) const {
  if (is_struck(node)) return false;
  const auto owns = [&](SetId set) {
    return std::any_of(classes_.begin(), classes_.end(), [&](uint8_t keyspace) {
      return contains(source_.owners(set, keyspace, partition_), node);
    });
  };
  return owns(newest_) || std::any_of(live_.begin(), live_.end(), owns);
}

std::vector<NodeId> PartitionSets::fresh(SetId older, SetId newer, uint8_t keyspace) const {
  const EffectiveQuorum before = source_.quorum(older, keyspace);
  const EffectiveQuorum after = source_.quorum(newer, keyspace);
  std::vector<NodeId> owners = source_.owners(newer, keyspace, partition_);
  if (before.w + after.n < after.w + before.n) return owners;
  const std::vector<NodeId> old = source_.owners(older, keyspace, partition_);
  std::erase_if(owners, [&](NodeId node) { return contains(old, node); });
  return owners;
}

bool PartitionSets::is_fresh(NodeId node, SetId older, SetId newer) const {
  return std::any_of(classes_.begin(), classes_.end(), [&](uint8_t keyspace) {
    return contains(fresh(older, newer, keyspace), node);
  });
}

bool PartitionSets::has_confirmed(NodeId node, SetId set, SetId from) const {
  const auto found = confirmed_.find({set, node});
  return found != confirmed_.end() && found->second.contains(from);
}

const std::set<NodeId>& PartitionSets::voters(SetId set) const {
  const auto found = votes_.find(set);
  return found == votes_.end() ? kNobody : found->second;
}

bool PartitionSets::have_all_confirmed(SetId older, SetId newer, uint8_t keyspace) const {
  const std::vector<NodeId> nodes = fresh(older, newer, keyspace);
  return std::all_of(nodes.begin(), nodes.end(),
                     [&](NodeId node) { return has_confirmed(node, newer, older); });
}

// K of the older set's owners voted for the newer one; all that remain, if fewer do.
bool PartitionSets::is_outvoted(SetId older, SetId newer, uint8_t keyspace) const {
  std::vector<NodeId> remaining = source_.owners(older, keyspace, partition_);
  std::erase_if(remaining,
                [&](NodeId node) { return is_gone(node) || source_.has_removed(newer, node); });
  const std::set<NodeId>& voted = voters(newer);
  const auto votes = std::count_if(remaining.begin(), remaining.end(),
                                   [&](NodeId node) { return voted.contains(node); });
  const size_t needed = knowing_owners(source_.quorum(older, keyspace));
  return static_cast<size_t>(votes) >= std::min(needed, remaining.size());
}

bool PartitionSets::is_replaced(SetId older, SetId newer) const {
  KVORUM_CHECK(history_.is_within(older, newer));
  if (voters(newer).empty()) return false;
  return std::all_of(classes_.begin(), classes_.end(), [&](uint8_t keyspace) {
    return is_outvoted(older, newer, keyspace) && have_all_confirmed(older, newer, keyspace);
  });
}

std::vector<Sources> PartitionSets::sources_for(NodeId node) const {
  std::vector<Sources> sources;
  bool lacks = false;
  for (const SetId set : live_) {
    if (set == newest_) continue;
    lacks |= !has_confirmed(node, newest_, set);
    for (const uint8_t keyspace : classes_) {
      if (!contains(fresh(set, newest_, keyspace), node)) continue;
      Sources from{keyspace, set, owners(set, keyspace), 0};
      const size_t needed = knowing_owners(source_.quorum(set, keyspace));
      from.needed = std::min(needed, from.owners.size());
      sources.push_back(std::move(from));
    }
  }
  return lacks ? sources : std::vector<Sources>();
}

bool PartitionSets::may_vote(NodeId node) const {
  if (!is_moving() || !is_owner(node) || voters(newest_).contains(node)) return false;
  bool any = false;
  for (const SetId set : live_) {
    if (set == newest_) continue;
    any = true;
    for (const uint8_t keyspace : classes_) {
      if (!have_all_confirmed(set, newest_, keyspace)) return false;
    }
  }
  KVORUM_CHECK(any);  // another one than the newest is in play
  return true;
}

bool PartitionSets::may_settle(NodeId node) const {
  return !is_moving() && !voters(newest_).empty() && newest_ != history_.cluster_id() &&
         !settled_.contains(newest_) && is_owner(node);
}

std::vector<Fact> PartitionSets::losses(NodeId node) const {
  std::vector<Fact> losses;
  if (!is_owner(node)) return losses;
  for (const SetId set : live_) {
    if (set == newest_) continue;
    std::vector<NodeId> lost;  // the owners of one keyspace are among those of another
    for (const uint8_t keyspace : classes_) {
      std::vector<NodeId> removed = source_.owners(set, keyspace, partition_);
      std::erase_if(removed, [&](NodeId owner) { return !source_.has_removed(newest_, owner); });
      const bool may_be_all = removed.size() >= source_.quorum(set, keyspace).w;
      if (may_be_all && removed.size() > lost.size()) lost = std::move(removed);
    }
    if (lost.empty()) continue;
    Fact fact = Fact::lost(partition_, set, std::move(lost));
    if (!history_.facts_of(partition_).contains(fact)) losses.push_back(std::move(fact));
  }
  return losses;
}

std::vector<NodeId> PartitionSets::awaited() const {
  std::vector<NodeId> nodes;
  for (const SetId set : live_) {
    if (set == newest_) continue;
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
  std::vector<SetId> sets = history.named_sets();
  sets.insert(sets.end(), {history.cluster_id(), history.newest()});
  std::vector<std::vector<uint8_t>> numbers_of_classes;
  for (uint8_t keyspace = 0; keyspace < kKeyspacesMax; ++keyspace) {
    std::vector<uint8_t> numbers;
    for (const SetId set : sets) {
      const EffectiveQuorum of_set = quorum(set, keyspace);
      numbers.insert(numbers.end(), {of_set.n, of_set.r, of_set.w});
    }
    auto at = std::find(numbers_of_classes.begin(), numbers_of_classes.end(), numbers);
    if (at == numbers_of_classes.end()) {
      classes_.push_back(keyspace);
      at = numbers_of_classes.insert(at, std::move(numbers));
    }
    class_of_[keyspace] = static_cast<uint8_t>(at - numbers_of_classes.begin());
  }
}

const SetPlacement& PlacedOwners::placement(SetId set) {
  std::shared_ptr<const SetPlacement>& known = known_[set];
  if (known == nullptr) known = placements_.of(history_, set);
  return *known;
}

std::vector<NodeId> PlacedOwners::owners(SetId set, uint8_t keyspace, uint32_t partition) {
  const SetPlacement& placed = placement(set);
  std::vector<NodeId> ids;
  for (const MemberIndex number : placed.owners(keyspace, partition)) {
    ids.push_back(placed.members[number].id);
  }
  return ids;
}

EffectiveQuorum PlacedOwners::quorum(SetId set, uint8_t keyspace) {
  return placement(set).quorum(keyspace);
}

bool PlacedOwners::has_removed(SetId set, NodeId node) { return placement(set).has_removed(node); }

bool PlacedOwners::is_placed(SetId set, NodeId node) {
  const SetPlacement& placed = placement(set);
  const MemberIndex number = placed.find(node);
  return number != kNoMember && placed.members[number].is_placed();
}

}  // namespace kvorum::cluster

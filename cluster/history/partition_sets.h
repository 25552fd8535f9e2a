// SPDX-License-Identifier: Apache-2.0
// What a history says of one partition (docs/MEMBERSHIP.md): which sets of changes are in play, and
// what each node may state next. A pure function of the history; made, asked and thrown away.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "cluster/history/history.h"
#include "cluster/history/set_placement.h"

namespace kvorum::cluster {

// Where owners come from: of a real history its placements; tests hand them in.
class OwnerSource {
 public:
  virtual ~OwnerSource() = default;
  virtual std::vector<NodeId> owners(SetId set, uint8_t keyspace, uint32_t partition) = 0;
  virtual EffectiveQuorum quorum(SetId set, uint8_t keyspace) = 0;
  // Whether the node was declared dead by one of the set's changes.
  virtual bool has_removed(SetId set, NodeId node) = 0;
  // Keyspaces that stand for all: of those with the same n, r and w in every set, the first.
  virtual std::vector<uint8_t> classes() = 0;
};

// A set of owners whose copies a new owner must have compared with its own.
struct Sources {
  uint8_t keyspace = 0;
  SetId set = 0;
  std::vector<NodeId> owners;  // neither removed nor gone
  size_t needed = 0;           // so many that are whole; or all of them, whole or not
};

class PartitionSets {
 public:
  PartitionSets(const History& history, OwnerSource& source, uint32_t partition);

  SetId newest() const { return newest_; }
  // Those in play, smaller ones first: the newest is among them once it was voted for, or where it
  // took the place of the only one, which has the same owners.
  const std::vector<SetId>& live() const { return live_; }
  bool is_moving() const { return live_.size() != 1 || live_[0] != newest_; }
  // Of the set, without those who were removed or are gone.
  std::vector<NodeId> owners(SetId set, uint8_t keyspace) const;
  // Owns the partition in some keyspace under a set in play, or under the newest.
  bool is_owner(NodeId node) const;
  uint64_t signature() const;

  // Who must confirm before `newer` may replace `older`.
  std::vector<NodeId> fresh(SetId older, SetId newer, uint8_t keyspace) const;
  bool is_replaced(SetId older, SetId newer) const;
  bool has_confirmed(NodeId node, SetId set, SetId from) const;
  // With whom the node must have had clean exchanges to confirm the newest set; none where it has
  // nothing to confirm.
  std::vector<Sources> sources_for(NodeId node) const;
  bool may_vote(NodeId node) const;
  bool may_settle(NodeId node) const;
  // What the node has to state as lost: all copies of a write may have gone with removed nodes.
  std::vector<Fact> losses(NodeId node) const;
  // Confirmations of the newest set that are missing.
  std::vector<NodeId> awaited() const;

 private:
  void read_facts();
  void find_live();
  bool is_same(SetId a, SetId b) const;
  bool is_struck(NodeId node) const;
  size_t knowing(SetId set, uint8_t keyspace) const;
  std::vector<SetId> below_newest() const;

  const History& history_;
  OwnerSource& source_;
  const uint32_t partition_;
  const SetId newest_;
  const std::vector<uint8_t> classes_;
  std::map<SetId, std::set<NodeId>> votes_;
  std::map<std::pair<SetId, NodeId>, std::set<SetId>> confirmed_;
  std::vector<SetId> settled_;
  std::vector<SetId> live_;
};

// Owners by the placements of a history. Both outlive it.
class PlacedOwners final : public OwnerSource {
 public:
  PlacedOwners(const History& history, SetPlacements& placements);

  std::vector<NodeId> owners(SetId set, uint8_t keyspace, uint32_t partition) override;
  EffectiveQuorum quorum(SetId set, uint8_t keyspace) override;
  bool has_removed(SetId set, NodeId node) override;
  std::vector<uint8_t> classes() override { return classes_; }
  const SetPlacement& placement(SetId set);

 private:
  const History& history_;
  SetPlacements& placements_;
  std::map<SetId, std::shared_ptr<const SetPlacement>> known_;
  std::vector<uint8_t> classes_;
};

}  // namespace kvorum::cluster

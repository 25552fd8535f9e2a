// SPDX-License-Identifier: Apache-2.0
// What a history says of one partition (docs/MEMBERSHIP.md): which sets of changes are in play, and
// what each node may state next. A pure function of the history; made, asked and thrown away. What
// it says of sets in play is the same for all keyspaces, which share the facts of a partition: a
// set is replaced once it is in every keyspace.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <span>
#include <vector>

#include "cluster/history/history.h"
#include "cluster/history/set_placement.h"

namespace kvorum::cluster {

// The same changes, founding and departed nodes: what the two say of a partition differs by its
// facts alone.
bool have_same_sets(const History& a, const History& b);

// Where owners come from: of a real history its placements; tests hand them in.
class OwnerSource {
 public:
  virtual ~OwnerSource() = default;
  // In order of preference, with those who have departed since.
  virtual std::vector<NodeId> owners(SetId set, uint8_t keyspace, uint32_t partition) = 0;
  virtual EffectiveQuorum quorum(SetId set, uint8_t keyspace) = 0;
  // Whether one of the set's changes declared the node dead.
  virtual bool has_removed(SetId set, NodeId node) = 0;
  // Whether it has a place on the ring under the set.
  virtual bool is_placed(SetId set, NodeId node) = 0;
  // Keyspaces that stand for all: of those with the same n, r and w in every set, the first.
  virtual std::span<const uint8_t> classes() const = 0;
};

// Owners of a set with whose copies a new owner must have compared its own.
struct Sources {
  uint8_t keyspace = 0;  // of classes(): it stands for all of its class
  SetId set = 0;
  std::vector<NodeId> owners;  // neither removed nor gone; the new owner may be one of them
  size_t needed = 0;           // so many that are whole; or all of them, whole or not
};

class PartitionSets {
 public:
  // REQUIRES: the partition is one of the history's. Both outlive this.
  PartitionSets(const History& history, OwnerSource& source, uint32_t partition);

  SetId newest() const { return newest_; }
  // Those in play, smaller ones first: the newest is among them once it was voted for, or where it
  // took the place of the only one, which has the same owners, n, r and w.
  const std::vector<SetId>& live() const { return live_; }
  bool is_live(SetId set) const;
  bool is_moving() const { return live_.size() != 1 || live_[0] != newest_; }
  // What requests of this partition carry (ClusterView::signature()); never 0.
  uint64_t signature() const;
  // Of the set, without those who were removed or are gone.
  std::vector<NodeId> owners(SetId set, uint8_t keyspace) const;
  // Owns the partition in some keyspace under a set in play, or under the newest.
  bool is_owner(NodeId node) const;

  // Who must confirm before `newer` may replace `older`: owners of the newer one that are none of
  // the older; all of the newer, where w of them may lack what w of the older ones have.
  std::vector<NodeId> fresh(SetId older, SetId newer, uint8_t keyspace) const;
  bool is_fresh(NodeId node, SetId older, SetId newer) const;  // in any keyspace
  bool has_confirmed(NodeId node, SetId set, SetId from) const;
  const std::set<NodeId>& voters(SetId set) const;
  // Enough owners of the older one are for the newer one, whose fresh nodes all confirmed.
  bool is_replaced(SetId older, SetId newer) const;

  // With whom the node must have had clean exchanges, begun under the present signature, before it
  // confirms the newest set from all others in play; none where it has nothing to confirm.
  std::vector<Sources> sources_for(NodeId node) const;
  bool may_vote(NodeId node) const;
  bool may_settle(NodeId node) const;
  // What the node has to state as lost: all copies of a write may have gone with removed nodes.
  std::vector<Fact> losses(NodeId node) const;
  // Whose confirmations of the newest set are missing.
  std::vector<NodeId> awaited() const;

 private:
  void read_facts();
  std::set<SetId> base() const;
  void find_live();
  bool is_within_any(SetId set, const std::set<SetId>& sets) const;
  bool is_same(SetId a, SetId b) const;
  bool is_gone(NodeId node) const;
  bool is_struck(NodeId node) const;
  bool have_all_confirmed(SetId older, SetId newer, uint8_t keyspace) const;
  bool is_outvoted(SetId older, SetId newer, uint8_t keyspace) const;

  const History& history_;
  OwnerSource& source_;
  const uint32_t partition_;
  const SetId newest_;
  const std::span<const uint8_t> classes_;
  std::map<SetId, std::set<NodeId>> votes_;
  std::map<std::pair<SetId, NodeId>, std::set<SetId>> confirmed_;
  std::set<SetId> settled_;
  std::vector<SetId> live_;
};

// Owners by the placements of a history. Both outlive it.
class PlacedOwners final : public OwnerSource {
 public:
  PlacedOwners(const History& history, SetPlacements& placements);

  std::vector<NodeId> owners(SetId set, uint8_t keyspace, uint32_t partition) override;
  EffectiveQuorum quorum(SetId set, uint8_t keyspace) override;
  bool has_removed(SetId set, NodeId node) override;
  bool is_placed(SetId set, NodeId node) override;
  std::span<const uint8_t> classes() const override { return classes_; }
  // Which of the classes stands for the keyspace.
  uint8_t class_of(uint8_t keyspace) const { return class_of_[keyspace]; }
  const std::array<uint8_t, kKeyspacesMax>& class_of() const { return class_of_; }
  const SetPlacement& placement(SetId set);

 private:
  const History& history_;
  SetPlacements& placements_;
  std::map<SetId, std::shared_ptr<const SetPlacement>> known_;
  std::vector<uint8_t> classes_;
  std::array<uint8_t, kKeyspacesMax> class_of_{};
};

}  // namespace kvorum::cluster

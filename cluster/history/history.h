// SPDX-License-Identifier: Apache-2.0
// The membership history of a cluster (docs/MEMBERSHIP.md): how it was founded, the changes since,
// and the facts about those that are under way. A grow-only set: two nodes that meet come to know
// the union, and everything else - members, ring, policies, who has to be asked - is a function of
// it. Facts that a settled set made pointless are forgotten by all in the same way. A value.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/history/change.h"
#include "cluster/history/fact.h"
#include "cluster/ring/founding.h"

namespace kvorum::cluster {

using ChangeList = std::vector<ChangeId>;  // ascending

class History {
 public:
  explicit History(Founding founding);

  const Founding& founding() const { return founding_; }
  uint64_t cluster_id() const { return cluster_id_; }
  const std::map<ChangeId, Change>& changes() const { return changes_; }
  // Of a partition; kGone stands apart.
  const std::set<Fact>& facts_of(uint32_t partition) const;
  const std::map<uint32_t, std::set<Fact>>& facts() const { return facts_; }
  const std::set<NodeId>& gone() const { return gone_; }

  // Each returns whether it brought anything new. A fact about a set that is neither the newest nor
  // named by another fact is refused (false).
  bool add(const Change& change);
  bool add(const Fact& fact);
  bool merge(const History& other);
  // As add(), of what another node told: the sets that it names need not be known yet, and it is
  // looked at when all of that is merged.
  void add_told(const Fact& fact) { told_.push_back(fact); }
  // The changes of a set that facts will name. The id is theirs.
  SetId name(ChangeList list);

  // The set of all changes.
  SetId newest() const { return newest_; }
  // Null for sets that nothing names.
  const ChangeList* find_set(SetId id) const;
  bool knows(SetId id) const { return find_set(id) != nullptr; }
  // All of a, and more.
  bool is_within(SetId a, SetId b) const;

  // Of all changes and facts; 0 only where there is none.
  uint64_t digest() const { return digest_; }
  Hlc highest_hlc() const { return changes_.empty() ? Hlc{} : changes_.rbegin()->first.hlc; }

  // Of what the founding decides: name, partitions, weights, places, policies; not of addresses.
  uint64_t founding_digest() const { return founding_digest_; }
  // For the disk, and for a node that joins: with the founding, a version and a checksum.
  void encode(std::string& out) const;
  // None where the bytes are malformed.
  static std::optional<History> decode(std::string_view bytes);

  static SetId id_of(uint64_t cluster_id, const ChangeList& list);

 private:
  bool decode_rest(ByteReader& reader);
  bool add_named(const Fact& fact);
  bool add_kept(const Fact& fact);
  bool is_pointless(const Fact& fact) const;
  void forget_below(const Fact& settled);
  void drop_unnamed();

  Founding founding_;
  uint64_t cluster_id_;
  uint64_t founding_digest_;
  std::map<ChangeId, Change> changes_;
  std::map<uint32_t, std::set<Fact>> facts_;  // by partition
  std::set<NodeId> gone_;
  std::map<SetId, ChangeList> named_;
  ChangeList newest_list_;
  SetId newest_;
  uint64_t digest_ = 0;
  std::vector<Fact> told_;
};

}  // namespace kvorum::cluster

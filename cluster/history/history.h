// SPDX-License-Identifier: Apache-2.0
// The membership history of a cluster (docs/MEMBERSHIP.md): how it was founded, the changes since,
// and the facts about those that are under way. A grow-only set: two nodes that meet come to know
// the union, and all else (members, ring, policies, whom a request asks) is a function of it. Facts
// that a settled set made pointless are forgotten, by all in the same way. Merging is commutative,
// associative and idempotent. A value; what is decoded from a peer or a disk is validated.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/history/history_elements.h"

namespace kvorum::cluster {

class History {
 public:
  // Members, over the life of a cluster: founders, and changes that admit somebody.
  static constexpr size_t kAdmittedMax = kMembersMax;
  static constexpr size_t kBuckets = 64;

  explicit History(Founding founding);

  // Once there are changes: that of who made the first one, the same on every node.
  const Founding& founding() const { return founding_; }
  uint64_t founding_hash() const { return founding_hash_; }
  uint64_t cluster_id() const { return cluster_id_; }
  const std::map<ChangeId, Change>& changes() const { return changes_; }
  // By partition; none is empty. Histories that were copied from each other share the sets that
  // are the same in both.
  const std::map<uint32_t, std::shared_ptr<const std::set<Fact>>>& facts() const { return facts_; }
  const std::set<Fact>& facts_of(uint32_t partition) const;
  // Partitions of which one of the two knows facts that the other may not know, ascending. Cheap
  // where one is a copy of the other to which something was added.
  std::vector<uint32_t> other_facts(const History& other) const;
  const std::set<NodeId>& gone() const { return gone_; }
  bool is_gone(NodeId node) const { return gone_.contains(node); }

  // Whether it is new. A change is refused (false) where the history is full; a fact where it names
  // a set that neither is the newest nor is named by another fact.
  bool add(const Change& change);
  bool add(const Fact& fact);
  // The union. Whether anything is new; false, and nothing was taken in, where it would be too
  // much.
  bool merge(const History& other);
  // What another node sent. None, and nothing was taken in, where it is malformed or not whole:
  // facts without their sets, sets without their changes, more than fits.
  std::optional<bool> take_in(const HistoryElements& elements);

  // The set of all changes.
  SetId newest() const { return newest_; }
  // Of the founding set, of the newest, and of those that facts name; null for others.
  const ChangeList* find_set(SetId id) const;
  bool knows(SetId id) const { return find_set(id) != nullptr; }
  // All of the changes of `inner`, and more. REQUIRES: both are known.
  bool is_within(SetId inner, SetId outer) const;
  // The sets that facts name.
  std::vector<SetId> named_sets() const;

  // Of all elements, in whatever order they came. Equal histories have equal digests.
  uint64_t digest() const;
  // Of the elements whose hash falls into each bucket.
  const std::array<uint64_t, kBuckets>& buckets() const { return buckets_; }
  static size_t bucket_of(uint64_t hash) { return hash % kBuckets; }

  // What this history has and `before` has not, whole in the same way: whoever knows `before` can
  // take it in. REQUIRES: of the same cluster.
  std::string encode_since(const History& before) const;
  // Those that fall into the buckets, whole: with the lists of all sets that the facts name.
  std::string encode_chosen(const std::array<bool, kBuckets>& chosen) const;

  Hlc highest_hlc() const { return changes_.empty() ? Hlc{} : changes_.rbegin()->first.hlc; }

  // For the disk and for who is to join: all of it, with a version and a checksum.
  void encode(std::string& out) const;
  // None where the bytes are malformed.
  static std::optional<History> decode(std::string_view bytes);

 private:
  void encode_sets(const std::set<SetId>& sets, std::string& out) const;

  struct NamedSet {
    ChangeList changes;
    size_t facts = 0;  // that name it
  };

  void count(uint64_t hash) { buckets_[bucket_of(hash)] ^= hash; }
  void set_founding(Founding founding);
  void take_founding(const Founding& founding);
  void put_change(const Change& change);
  void find_newest();
  bool is_whole(const HistoryElements& elements) const;
  bool has_room_for(const std::vector<Change>& changes) const;
  bool put_fact(const Fact& fact);
  bool is_pointless(const Fact& fact) const;
  void forget_below(const Fact& settled);
  void name_sets_of(const Fact& fact);
  void leave_sets_of(const Fact& fact);
  void drop_unnamed();

  Founding founding_;
  uint64_t founding_hash_ = 0;
  uint64_t cluster_id_;
  std::map<ChangeId, Change> changes_;
  std::map<uint32_t, std::shared_ptr<const std::set<Fact>>> facts_;
  std::set<NodeId> gone_;
  std::map<SetId, NamedSet> named_;
  ChangeList all_changes_;
  SetId newest_;
  std::array<uint64_t, kBuckets> buckets_{};
};

}  // namespace kvorum::cluster

// SPDX-License-Identifier: Apache-2.0
#include "cluster/history/history_view.h"

#include <algorithm>

#include "base/check.h"

namespace kvorum::cluster {
namespace {

class ViewBuilder {
 public:
  ViewBuilder(const History& history, SetPlacements& placements)
      : history_(history),
        source_(history, placements),
        newest_(source_.placement(history.newest())) {}

  ClusterView build(const ClusterView* previous, NodeId self) {
    view_.cluster_id = history_.cluster_id();
    view_.cluster_name = history_.founding().cluster_name;
    view_.partitioner = history_.founding().partitioner;
    view_.keyspaces = newest_.keyspaces;
    view_.newest_set = history_.newest();
    view_.history_digest = history_.digest();
    list_members(previous);
    view_.self = view_.find_id(self);
    std::vector<MemberIndex> owners;
    for (const MemberIndex number : newest_.ring.owners()) owners.push_back(index_of(number));
    view_.ring = Ring::of_owners(std::move(owners), view_.members, newest_.ring.shape());
    if (view_.is_changed()) find_moving();
    return std::move(view_);
  }

 private:
  void list_members(const ClusterView* previous) {
    if (previous != nullptr) {
      for (const Member& member : previous->members) view_.members.push_back(member);
    }
    indexes_.assign(newest_.members.size(), kNoMember);
    for (size_t number = 0; number < newest_.members.size(); ++number) {
      Member member = newest_.members[number];
      if (member.standing == Standing::kLeaving && history_.gone().contains(member.id)) {
        member.standing = Standing::kGone;
      }
      MemberIndex index = view_.find_id(member.id);
      if (index == kNoMember) {
        index = static_cast<MemberIndex>(view_.members.size());
        view_.members.emplace_back();
      }
      indexes_[number] = index;
      view_.members[index] = std::move(member);
    }
  }

  MemberIndex index_of(MemberIndex number) const {
    KVORUM_CHECK(number < indexes_.size());
    return indexes_[number];
  }

  void find_moving() {
    for (uint32_t partition = 0; partition < view_.ring.partitions(); ++partition) {
      const PartitionSets sets(history_, source_, partition);
      if (!sets.is_moving()) continue;
      MovingPartition& moving = view_.moving.emplace_back();
      moving.partition = partition;
      moving.signature = sets.signature();
      const std::vector<uint8_t> classes = source_.classes();
      for (const uint8_t keyspace : classes) moving.classes.push_back(in_play(sets, keyspace));
      for (uint8_t keyspace = 0; keyspace < kKeyspacesMax; ++keyspace) {
        moving.class_of[keyspace] = class_of(sets, keyspace, classes);
      }
    }
  }

  // The class whose numbers are the same in all sets in play.
  uint8_t class_of(const PartitionSets& sets, uint8_t keyspace,
                   const std::vector<uint8_t>& classes) {
    for (size_t at = 0; at < classes.size(); ++at) {
      const bool same = std::all_of(sets.live().begin(), sets.live().end(), [&](SetId set) {
        return source_.quorum(set, keyspace) == source_.quorum(set, classes[at]);
      });
      const SetId newest = sets.newest();
      if (same && source_.quorum(newest, keyspace) == source_.quorum(newest, classes[at])) {
        return static_cast<uint8_t>(at);
      }
    }
    KVORUM_CHECK(false);  // a class stands for each keyspace
    return 0;
  }

  SetsInPlay in_play(const PartitionSets& sets, uint8_t keyspace) {
    SetsInPlay play;
    std::vector<SetId> ids = sets.live();
    play.readable_sets = ids.size();
    if (std::find(ids.begin(), ids.end(), sets.newest()) == ids.end()) ids.push_back(sets.newest());
    for (const SetId id : ids) {
      const EffectiveQuorum quorum = source_.quorum(id, keyspace);
      OwnerSet& set = play.sets.emplace_back();
      set.set = id;
      set.n = quorum.n;
      for (const NodeId owner : sets.owners(id, keyspace)) {
        set.owners.push_back(view_.find_id(owner));
      }
      set.r = static_cast<uint8_t>(std::min<size_t>(quorum.r, set.owners.size()));
      set.w = static_cast<uint8_t>(std::min<size_t>(quorum.w, set.owners.size()));
      add_all(set.owners, play.owners);
      if (play.sets.size() <= play.readable_sets) add_all(set.owners, play.readable);
    }
    return play;
  }

  static void add_all(const InlineVector<MemberIndex, 4>& owners, std::vector<MemberIndex>& all) {
    for (const MemberIndex owner : owners) {
      KVORUM_CHECK(owner != kNoMember);  // every owner of a set was a member of the newest one
      if (std::find(all.begin(), all.end(), owner) == all.end()) all.push_back(owner);
    }
  }

  const History& history_;
  PlacedOwners source_;
  const SetPlacement& newest_;
  ClusterView view_;
  std::vector<MemberIndex> indexes_;  // by the members' numbers under the newest set
};

}  // namespace

ClusterView view_of(const History& history, SetPlacements& placements, const ClusterView* previous,
                    NodeId self) {
  return ViewBuilder(history, placements).build(previous, self);
}

}  // namespace kvorum::cluster

// SPDX-License-Identifier: Apache-2.0
#include "cluster/history/history_view.h"

#include <algorithm>

#include "base/check.h"
#include "base/contains.h"
#include "cluster/history/partition_sets.h"

namespace kvorum::cluster {
namespace {

class ViewBuilder {
 public:
  ViewBuilder(const History& history, SetPlacements& placements, EarlierView earlier)
      : history_(history),
        previous_(earlier.view),
        previous_history_(earlier.history),
        source_(history, placements),
        newest_(source_.placement(history.newest())) {}

  ClusterView build(NodeId self) {
    view_.cluster_id = history_.cluster_id();
    view_.cluster_name = history_.founding().cluster_name;
    view_.partitioner = history_.founding().partitioner;
    view_.keyspaces = newest_.keyspaces;
    view_.newest_set = history_.newest();
    view_.history_digest = history_.digest();
    list_members();
    view_.self = find(self);
    build_ring();
    if (view_.is_changed()) find_moving();
    return std::move(view_);
  }

 private:
  void keep_previous_members() {
    if (previous_ == nullptr) return;
    view_.members = previous_->members;
    for (Member& member : view_.members) {
      index_of_[member.id] = static_cast<MemberIndex>(index_of_.size());
      // All are in the newest set too, but where a disk forgot a change (History::add).
      member.standing = Standing::kRemoved;
    }
  }

  void list_members() {
    keep_previous_members();
    for (Member member : newest_.members) {
      const bool is_gone = history_.is_gone(member.id);
      if (member.standing == Standing::kLeaving && is_gone) member.standing = Standing::kGone;
      const auto next = static_cast<MemberIndex>(view_.members.size());
      const auto [at, is_new] = index_of_.try_emplace(member.id, next);
      if (is_new) view_.members.emplace_back();
      indexes_.push_back(at->second);
      view_.members[at->second] = std::move(member);
    }
  }

  MemberIndex find(NodeId id) const {
    const auto found = index_of_.find(id);
    return found == index_of_.end() ? kNoMember : found->second;
  }

  void build_ring() {
    std::vector<MemberIndex> owners;
    for (const MemberIndex number : newest_.ring.owners()) owners.push_back(indexes_[number]);
    if (is_ring_of_previous(owners)) {
      view_.ring = previous_->ring;
    } else {
      view_.ring = Ring::of_owners(std::move(owners), view_.members, newest_.ring.shape());
    }
    KVORUM_CHECK(view_.ring.placed_members() == newest_.ring.placed_members());
  }

  // Most facts leave the ring as it was, and its preference lists are long. They follow from the
  // owners, and from where the members stand (copy_places.h).
  bool is_ring_of_previous(const std::vector<MemberIndex>& owners) const {
    if (previous_ == nullptr || !(previous_->ring.shape() == newest_.ring.shape())) return false;
    if (previous_->members.size() != view_.members.size()) return false;
    for (size_t at = 0; at < view_.members.size(); ++at) {
      const Member& before = previous_->members[at];
      const Member& now = view_.members[at];
      if (before.is_placed() != now.is_placed()) return false;
      if (before.rack != now.rack || before.zone != now.zone) return false;
    }
    const auto theirs = previous_->ring.owners();
    return std::equal(theirs.begin(), theirs.end(), owners.begin(), owners.end());
  }

  void find_moving() {
    if (previous_history_ == nullptr || !have_same_sets(*previous_history_, history_)) {
      for (uint32_t partition = 0; partition < view_.ring.partitions(); ++partition) {
        look_at(partition);
      }
      return;
    }
    // Two ascending lists: what moved before, and what other facts are known of.
    const std::vector<uint32_t> others = history_.other_facts(*previous_history_);
    auto other = others.begin();
    for (const MovingPartition& before : previous_->moving) {
      for (; other != others.end() && *other < before.partition; ++other) look_at(*other);
      if (other != others.end() && *other == before.partition) {
        look_at(*other++);
      } else if (before.class_of == source_.class_of()) {
        view_.moving.push_back(before);
      } else {
        look_at(before.partition);
      }
    }
    for (; other != others.end(); ++other) look_at(*other);
  }

  void look_at(uint32_t partition) {
    const PartitionSets sets(history_, source_, partition);
    if (!sets.is_moving()) return;
    std::vector<SetsInPlay> classes;
    for (const uint8_t keyspace : source_.classes()) {
      classes.push_back(sets_in_play(sets, keyspace));
    }
    view_.moving.push_back({partition, sets.signature(), source_.class_of(),
                            std::make_shared<const std::vector<SetsInPlay>>(std::move(classes))});
  }

  SetsInPlay sets_in_play(const PartitionSets& sets, uint8_t keyspace) {
    SetsInPlay play;
    for (const SetId set : sets.live()) {
      play.sets.push_back(owner_set(sets, set, keyspace));
      add_owners(play.sets.back(), play.readable);
      add_owners(play.sets.back(), play.owners);
    }
    play.readable_sets = play.sets.size();
    if (!sets.is_live(sets.newest())) {
      play.sets.push_back(owner_set(sets, sets.newest(), keyspace));
      add_owners(play.sets.back(), play.owners);
    }
    return play;
  }

  OwnerSet owner_set(const PartitionSets& sets, SetId id, uint8_t keyspace) {
    OwnerSet set;
    set.set = id;
    for (const NodeId owner : sets.owners(id, keyspace)) {
      const MemberIndex index = find(owner);
      if (index != kNoMember) set.owners.push_back(index);
    }
    const EffectiveQuorum quorum = source_.quorum(id, keyspace);
    set.n = quorum.n;
    set.r = static_cast<uint8_t>(std::min<size_t>(quorum.r, set.owners.size()));
    set.w = static_cast<uint8_t>(std::min<size_t>(quorum.w, set.owners.size()));
    return set;
  }

  static void add_owners(const OwnerSet& set, std::vector<MemberIndex>& all) {
    for (const MemberIndex owner : set.owners) {
      if (!contains(all, owner)) all.push_back(owner);
    }
  }

  const History& history_;
  const ClusterView* const previous_;
  const History* const previous_history_;
  PlacedOwners source_;
  const SetPlacement& newest_;
  ClusterView view_;
  std::map<NodeId, MemberIndex> index_of_;
  std::vector<MemberIndex> indexes_;  // by the members' numbers under the newest set
};

}  // namespace

ClusterView view_of(const History& history, SetPlacements& placements, EarlierView earlier,
                    NodeId self) {
  KVORUM_CHECK(earlier.view == nullptr || earlier.view->cluster_id == history.cluster_id());
  return ViewBuilder(history, placements, earlier).build(self);
}

}  // namespace kvorum::cluster

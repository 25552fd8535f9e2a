// SPDX-License-Identifier: Apache-2.0
#include "cluster/history/set_placement.h"

#include <algorithm>

#include "base/check.h"

namespace kvorum::cluster {
namespace {

// One change, on its way from a placement to the next.
class Step {
 public:
  Step(const SetPlacement& before, const Change& change)
      : change_(change),
        at_(before.find(change.member)),
        after_{before.members, before.ring, before.keyspaces},
        owners_(before.ring.owners().begin(), before.ring.owners().end()) {}

  SetPlacement take() {
    apply();
    const RingShape shape = shape_now();
    if (moved_ || !(shape == after_.ring.shape())) {
      after_.ring = Ring::of_owners(std::move(owners_), after_.members, shape);
    }
    return std::move(after_);
  }

 private:
  RingShape shape_now() const {
    return {after_.ring.partitions(), neighbours_apart(after_.keyspaces)};
  }
  bool stands(Standing standing) const {
    return at_ != kNoMember && after_.members[at_].standing == standing;
  }
  bool is_last() const { return after_.ring.placed_members() == 1; }

  void apply() {
    switch (change_.kind) {
      case ChangeKind::kJoin:
        return join();
      case ChangeKind::kLeave:
        if (stands(Standing::kMember) && !is_last()) depart(Standing::kLeaving);
        return;
      case ChangeKind::kRemove:
        return remove();
      case ChangeKind::kReplace:
        return replace();
      case ChangeKind::kWeight:
        if (at_ == kNoMember) return;
        after_.members[at_].weight = change_.described.weight;
        return place_again_if_placed();
      case ChangeKind::kPlace:
        if (at_ == kNoMember) return;
        after_.members[at_].rack = change_.described.rack;
        after_.members[at_].zone = change_.described.zone;
        return place_again_if_placed();
      case ChangeKind::kAddress:
        return move_addresses();
      case ChangeKind::kPolicy:
        after_.keyspaces[change_.policy.db] = change_.policy;
        return;
    }
  }

  bool is_known(NodeId id) const { return after_.find(id) != kNoMember; }
  bool is_named(const std::string& name) const {
    return std::any_of(after_.members.begin(), after_.members.end(), [&](const Member& member) {
      return member.name == name && member.is_placed();
    });
  }

  // False where the newcomer is none, or has no place.
  bool take_in(Standing standing) {
    if (after_.members.size() >= kMembersMax) return false;
    after_.members.push_back(change_.described);
    after_.members.back().standing = standing;
    moved_ = true;
    return standing == Standing::kMember;
  }

  void join() {
    if (is_known(change_.described.id)) return;
    // It may hold writes of clients that reached it: it hands them over.
    const bool named = is_named(change_.described.name);
    if (!take_in(named ? Standing::kLeaving : Standing::kMember)) return;
    owners_ = place_newcomer(std::move(owners_), after_.members, shape_now());
  }

  void depart(Standing standing) {
    after_.members[at_].standing = standing;
    owners_ = place_without(std::move(owners_), after_.members, shape_now());
    moved_ = true;
  }

  void remove() {
    if (stands(Standing::kLeaving)) {
      after_.members[at_].standing = Standing::kRemoved;
    } else if (stands(Standing::kMember) && !is_last()) {
      depart(Standing::kRemoved);
    }
  }

  void replace() {
    const bool known = is_known(change_.described.id);
    if (!stands(Standing::kMember) || known) return remove();
    const std::string& name = change_.described.name;
    if (name != after_.members[at_].name && is_named(name)) return remove();
    if (!take_in(Standing::kMember)) return remove();
    after_.members[at_].standing = Standing::kRemoved;
    const auto newcomer = static_cast<MemberIndex>(after_.members.size() - 1);
    std::replace(owners_.begin(), owners_.end(), at_, newcomer);
    owners_ = place_again(std::move(owners_), after_.members, shape_now());
  }

  void place_again_if_placed() {
    moved_ = true;
    if (stands(Standing::kMember)) {
      owners_ = place_again(std::move(owners_), after_.members, shape_now());
    }
  }

  void move_addresses() {
    if (at_ == kNoMember) return;
    Member& member = after_.members[at_];
    member.peer = change_.described.peer;
    member.redis = change_.described.redis;
    member.memcached = change_.described.memcached;
    member.admin = change_.described.admin;
  }

  const Change& change_;
  const MemberIndex at_;
  SetPlacement after_;
  std::vector<MemberIndex> owners_;
  bool moved_ = false;  // the ring is to be made anew
};

}  // namespace

std::span<const MemberIndex> SetPlacement::primaries(uint8_t keyspace, uint32_t partition) const {
  const auto list = ring.preference_list(partition);
  return list.first(std::min<size_t>(quorum(keyspace).n, list.size()));
}

std::vector<NodeId> SetPlacement::owners(uint8_t keyspace, uint32_t partition) const {
  std::vector<NodeId> ids;
  for (const MemberIndex number : primaries(keyspace, partition)) {
    ids.push_back(members[number].id);
  }
  return ids;
}

MemberIndex SetPlacement::find(NodeId id) const {
  for (size_t at = 0; at < members.size(); ++at) {
    if (members[at].id == id) return static_cast<MemberIndex>(at);
  }
  return kNoMember;
}

SetPlacement found_placement(const Founding& founding) {
  ClusterView view = found_view(founding, {});
  return {std::move(view.members), std::move(view.ring), view.keyspaces};
}

SetPlacement changed_placement(const SetPlacement& before, const Change& change) {
  return Step(before, change).take();
}

std::shared_ptr<const SetPlacement> SetPlacements::of(const History& history, SetId set) {
  if (const auto found = kept_.find(set); found != kept_.end()) return found->second;
  const ChangeList* const list = history.find_set(set);
  KVORUM_CHECK(list != nullptr);
  if (kept_.size() >= kKeptMax) kept_.clear();
  // From the longest beginning of the list that is kept.
  std::shared_ptr<const SetPlacement> placement;
  size_t done = list->size();
  for (; done > 0 && placement == nullptr; --done) {
    const ChangeList beginning(list->begin(), list->begin() + static_cast<std::ptrdiff_t>(done));
    const auto found = kept_.find(History::id_of(history.cluster_id(), beginning));
    if (found == kept_.end()) continue;
    placement = found->second;
    break;
  }
  if (placement == nullptr) {
    auto& founded = kept_[history.cluster_id()];
    if (founded == nullptr) {
      founded = std::make_shared<const SetPlacement>(found_placement(history.founding()));
    }
    placement = founded;
    done = 0;
  }
  for (; done < list->size(); ++done) {
    placement = std::make_shared<const SetPlacement>(
        changed_placement(*placement, history.changes().at((*list)[done])));
    const ChangeList beginning(list->begin(),
                               list->begin() + static_cast<std::ptrdiff_t>(done + 1));
    kept_[History::id_of(history.cluster_id(), beginning)] = placement;
  }
  return placement;
}

}  // namespace kvorum::cluster

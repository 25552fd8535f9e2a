// SPDX-License-Identifier: Apache-2.0
#include "cluster/history/set_placement.h"

#include <algorithm>

#include "base/check.h"

namespace kvorum::cluster {
namespace {

// A placement on its way through changes.
class Placing {
 public:
  explicit Placing(const SetPlacement& before)
      : members_(before.members),
        owners_(before.ring.owners().begin(), before.ring.owners().end()),
        keyspaces_(before.keyspaces),
        placement_(before.ring.shape().placement),
        placed_(before.ring.placed_members()) {}

  void apply(const Change& change) {
    change_ = &change;
    at_ = find_member(members_, change.member);
    switch (change.kind) {
      case ChangeKind::kJoin:
        return join();
      case ChangeKind::kLeave:
        return leave();
      case ChangeKind::kRemove:
        return remove();
      case ChangeKind::kReplace:
        return replace();
      case ChangeKind::kWeight:
        return reweigh();
      case ChangeKind::kPlace:
        return move_place();
      case ChangeKind::kAddress:
        return move_addresses();
      case ChangeKind::kPolicy:
        keyspaces_[change.policy.db] = change.policy;
        return;
      case ChangeKind::kPlacement:
        return raise_placement();
    }
  }

  SetPlacement take() {
    Ring ring = Ring::of_owners(std::move(owners_), members_, shape());
    KVORUM_CHECK(ring.placed_members() == placed_ && placed_ > 0);
    return {std::move(members_), std::move(ring), keyspaces_};
  }

 private:
  RingShape shape() const {
    return {static_cast<uint32_t>(owners_.size()), neighbours_apart(keyspaces_), placement_};
  }
  bool stands(Standing standing) const {
    return at_ != kNoMember && members_[at_].standing == standing;
  }
  bool is_name_taken(const std::string& name) const {
    return std::any_of(members_.begin(), members_.end(), [&](const Member& member) {
      return member.name == name && member.is_placed();
    });
  }

  void add_newcomer(Standing standing) {
    KVORUM_CHECK(members_.size() < History::kAdmittedMax);  // a history takes in no more
    members_.push_back(change_->described);
    members_.back().standing = standing;
    if (standing == Standing::kMember) ++placed_;
  }

  void join() {
    if (find_member(members_, change_->described.id) != kNoMember) return;
    if (is_name_taken(change_->described.name)) return add_newcomer(Standing::kLeaving);
    add_newcomer(Standing::kMember);
    owners_ = place_newcomer(std::move(owners_), members_, shape());
  }

  void depart(Standing standing) {
    members_[at_].standing = standing;
    --placed_;
  }

  void leave() {
    if (!stands(Standing::kMember) || placed_ == 1) return;
    depart(Standing::kLeaving);
    owners_ = place_without(std::move(owners_), members_, shape());
  }

  void remove() {
    if (stands(Standing::kLeaving)) {
      members_[at_].standing = Standing::kRemoved;
    } else if (stands(Standing::kMember) && placed_ > 1) {
      depart(Standing::kRemoved);
      owners_ = place_without(std::move(owners_), members_, shape());
    }
  }

  // Who comes takes exactly what who goes had, unless it weighs more or less.
  void replace() {
    const Member& newcomer = change_->described;
    if (find_member(members_, newcomer.id) != kNoMember) return remove();
    const bool is_place_free = stands(Standing::kMember);
    const bool is_name_free =
        !is_name_taken(newcomer.name) || (is_place_free && members_[at_].name == newcomer.name);
    if (!is_place_free || !is_name_free) {
      remove();
      return add_newcomer(Standing::kLeaving);
    }
    depart(Standing::kRemoved);
    add_newcomer(Standing::kMember);
    const auto number = static_cast<MemberIndex>(members_.size() - 1);
    std::replace(owners_.begin(), owners_.end(), at_, number);
    if (members_[at_].weight != newcomer.weight) place_all_again();
  }

  void place_all_again() { owners_ = place_again(std::move(owners_), members_, shape()); }

  void reweigh() {
    if (at_ == kNoMember || members_[at_].weight == change_->described.weight) return;
    members_[at_].weight = change_->described.weight;
    if (members_[at_].is_placed()) place_all_again();
  }

  void move_place() {
    if (at_ == kNoMember) return;
    Member& member = members_[at_];
    const Member& described = change_->described;
    if (member.rack == described.rack && member.zone == described.zone) return;
    member.rack = described.rack;
    member.zone = described.zone;
    if (member.is_placed()) place_all_again();
  }

  void raise_placement() {
    if (change_->placement <= placement_) return;
    placement_ = change_->placement;
    place_all_again();
  }

  void move_addresses() {
    if (at_ == kNoMember) return;
    Member& member = members_[at_];
    const Member& described = change_->described;
    member.peer = described.peer;
    member.redis = described.redis;
    member.memcached = described.memcached;
    member.admin = described.admin;
  }

  std::vector<Member> members_;
  std::vector<MemberIndex> owners_;
  std::array<KeyspacePolicy, kKeyspacesMax> keyspaces_;
  uint8_t placement_;               // its version
  size_t placed_;                   // members with a place
  const Change* change_ = nullptr;  // that is applied
  MemberIndex at_ = kNoMember;      // whom it is about
};

}  // namespace

size_t knowing_owners(const EffectiveQuorum& quorum) {
  KVORUM_CHECK(quorum.r <= quorum.n && quorum.w <= quorum.n);
  return std::max<size_t>(quorum.n - std::min(quorum.r, quorum.w) + size_t{1},
                          quorum.n / 2 + size_t{1});
}

std::span<const MemberIndex> SetPlacement::owners(uint8_t keyspace, uint32_t partition) const {
  return ring.primaries(partition, quorum(keyspace).n);
}

MemberIndex SetPlacement::find(NodeId id) const { return find_member(members, id); }

bool SetPlacement::has_removed(NodeId id) const {
  const MemberIndex number = find(id);
  return number != kNoMember && members[number].standing == Standing::kRemoved;
}

SetPlacement found_placement(const Founding& founding) {
  ClusterView view = found_view(founding, {});
  return {std::move(view.members), std::move(view.ring), view.keyspaces};
}

SetPlacement changed_placement(const SetPlacement& before, std::span<const Change* const> changes) {
  Placing placing(before);
  for (const Change* const change : changes) placing.apply(*change);
  return placing.take();
}

const SetPlacements::Kept* SetPlacements::longest_beginning(const ChangeList& changes) const {
  const Kept* longest = nullptr;
  for (const auto& [set, kept] : kept_) {
    const bool begins = kept.changes.size() <= changes.size() &&
                        std::equal(kept.changes.begin(), kept.changes.end(), changes.begin());
    if (!begins) continue;
    if (longest == nullptr || kept.changes.size() > longest->changes.size()) longest = &kept;
  }
  return longest;
}

// First those which the history names no more, then all but the founding's.
void SetPlacements::make_room(const History& history) {
  if (kept_.size() < kKeptMax) return;
  std::erase_if(kept_, [&](const auto& item) { return !history.knows(item.first); });
  if (kept_.size() < kKeptMax) return;
  std::erase_if(kept_, [&](const auto& item) { return item.first != history.cluster_id(); });
}

std::shared_ptr<const SetPlacement> SetPlacements::of(const History& history, SetId set) {
  if (history.founding_hash() != founding_hash_) kept_.clear();
  founding_hash_ = history.founding_hash();
  if (const auto found = kept_.find(set); found != kept_.end()) return found->second.placement;
  const ChangeList* const list = history.find_set(set);
  KVORUM_CHECK(list != nullptr);
  make_room(history);
  const Kept* beginning = longest_beginning(*list);
  if (beginning == nullptr) {
    Kept& founded = kept_[history.cluster_id()];
    founded.placement = std::make_shared<const SetPlacement>(found_placement(history.founding()));
    beginning = &founded;
  }
  if (list->empty()) return beginning->placement;
  std::vector<const Change*> rest;
  for (size_t at = beginning->changes.size(); at < list->size(); ++at) {
    rest.push_back(&history.changes().at((*list)[at]));
  }
  auto placement =
      std::make_shared<const SetPlacement>(changed_placement(*beginning->placement, rest));
  kept_[set] = {*list, placement};
  return placement;
}

}  // namespace kvorum::cluster

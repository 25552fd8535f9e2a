// SPDX-License-Identifier: Apache-2.0
#include "server/membership/moves_status.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/contains.h"
#include "cluster/history/set_placement.h"
#include "server/membership/change_plan.h"

namespace kvorum::server {
namespace {

using cluster::Fact;
using cluster::FactKind;
using cluster::HeldCopies;
using cluster::HeldCopy;
using cluster::MemberIndex;

uint32_t percent_of(uint64_t part, uint64_t whole) {
  return static_cast<uint32_t>(100.0 * static_cast<double>(part) / static_cast<double>(whole));
}

// Of a partition that moves.
class MoveReader {
 public:
  MoveReader(const cluster::ClusterView& view, const cluster::History& history,
             const MembersSeen& seen, const cluster::MovingPartition& moving)
      : view_(view), seen_(seen), moving_(moving), facts_(history.facts_of(moving.partition)) {
    read_owners();
  }

  MovesStatus::Row row() const {
    MovesStatus::Row row;
    row.partition = moving_.partition;
    row.from = names(from_);
    row.to = names(to_);
    std::vector<MemberIndex> confirmed, voted;
    for (const MemberIndex member : to_) {
      if (has_stated(FactKind::kConfirmed, member)) confirmed.push_back(member);
    }
    for (size_t member = 0; member < view_.members.size(); ++member) {
      const auto index = static_cast<MemberIndex>(member);
      if (has_stated(FactKind::kVote, index)) voted.push_back(index);
    }
    row.confirmed = names(confirmed);
    row.voted = names(voted);
    row.waits = waits(confirmed, voted);
    const HeldCopy* const own = view_.is_member() ? held_by(view_.self) : nullptr;
    row.keys = own == nullptr ? 0 : own->keys;
    add_amounts(confirmed, &row);
    return row;
  }

 private:
  // Of all keyspaces.
  void read_owners() {
    const auto add = [](std::vector<MemberIndex>& list, MemberIndex member) {
      if (!contains(list, member)) list.push_back(member);
    };
    for (const cluster::SetsInPlay& sets : *moving_.classes) {
      for (const MemberIndex owner : sets.sets.front().owners) add(from_, owner);
    }
    for (const cluster::SetsInPlay& sets : *moving_.classes) {
      for (const MemberIndex owner : sets.sets.back().owners) {
        if (!contains(from_, owner)) add(to_, owner);
      }
    }
  }

  bool has_stated(FactKind kind, MemberIndex member) const {
    const cluster::NodeId id = view_.members[member].id;
    return std::any_of(facts_.begin(), facts_.end(), [&](const Fact& fact) {
      return fact.kind == kind && fact.set == view_.newest_set && fact.node == id;
    });
  }

  // What it said; null where it said nothing yet, or of another set.
  const HeldCopies* told_by(MemberIndex member) const {
    const auto* const told = member < seen_.told.size() ? seen_.told[member].get() : nullptr;
    return told == nullptr || told->newest_set != view_.newest_set ? nullptr : told;
  }
  // It says that another set is the newest: it has not heard of a change, or this node has not.
  bool is_behind(MemberIndex member) const {
    return seen_.reachable[member] && member < seen_.told.size() && seen_.told[member] != nullptr &&
           told_by(member) == nullptr;
  }
  // Null where it is not known what the member holds.
  const HeldCopy* held_by(MemberIndex member) const {
    static constexpr HeldCopy kNone;
    const HeldCopies* const told = told_by(member);
    if (told == nullptr) return nullptr;
    const HeldCopy* const held = told->find(moving_.partition);
    return held == nullptr ? &kNone : held;
  }

  // Who has the whole of it holds at most what the largest such copy does.
  void add_amounts(const std::vector<MemberIndex>& confirmed, MovesStatus::Row* row) const {
    std::optional<MovesStatus::Amount> whole;
    for (const std::vector<MemberIndex>* const members : {&from_, &confirmed}) {
      for (const MemberIndex member : *members) {
        const HeldCopy* const held = held_by(member);
        if (held == nullptr) continue;
        if (!whole) whole.emplace();
        whole->keys = std::max(whole->keys, held->keys);
        whole->bytes = std::max(whole->bytes, held->bytes);
      }
    }
    if (!whole) return;
    row->is_counted = true;
    for (const MemberIndex member : to_) {
      const HeldCopy* const held = held_by(member);
      const bool has_all = contains(confirmed, member);
      row->of += *whole;
      if (has_all) {
        row->copied += *whole;
      } else if (held != nullptr) {
        row->copied += {std::min(held->keys, whole->keys), std::min(held->bytes, whole->bytes)};
      } else {
        row->is_counted = false;
      }
    }
  }

  // An owner that the new ones have to compare with, and that cannot be reached; kNoMember where
  // enough of them can.
  MemberIndex missing_source() const {
    for (const cluster::SetsInPlay& sets : *moving_.classes) {
      const cluster::OwnerSet& set = sets.sets.front();
      size_t reached = 0;
      MemberIndex missing = cluster::kNoMember;
      for (const MemberIndex owner : set.owners) {
        if (seen_.reachable[owner]) {
          ++reached;
        } else if (missing == cluster::kNoMember) {
          missing = owner;
        }
      }
      const size_t needed = cluster::knowing_owners({set.n, set.r, set.w});
      if (missing != cluster::kNoMember && reached < needed) return missing;
    }
    return cluster::kNoMember;
  }

  std::string copier_waits(MemberIndex member) const {
    const std::string& name = view_.members[member].name;
    if (!seen_.reachable[member]) return fmt::format("{} cannot be reached", name);
    if (is_behind(member)) return fmt::format("{}, whose view is behind", name);
    if (const MemberIndex source = missing_source(); source != cluster::kNoMember) {
      return fmt::format("{} copies it, and {} cannot be reached: bring it back, or remove it",
                         name, view_.members[source].name);
    }
    const HeldCopies* const told = told_by(member);
    if (told != nullptr && told->background_percent < 100) {
      return fmt::format("the background budget of {}: clients come first, it has {} %", name,
                         told->background_percent);
    }
    return fmt::format("{} copies it", name);
  }

  std::string waits(const std::vector<MemberIndex>& confirmed,
                    const std::vector<MemberIndex>& voted) const {
    for (const MemberIndex member : to_) {
      if (contains(confirmed, member)) continue;
      return copier_waits(member);
    }
    for (const MemberIndex member : from_) {
      if (contains(voted, member)) continue;
      const std::string& name = view_.members[member].name;
      if (is_behind(member)) return fmt::format("the vote of {}, whose view is behind", name);
      if (seen_.reachable[member]) return fmt::format("the vote of {}", name);
      return fmt::format("the vote of {}, which cannot be reached: bring it back, or remove it",
                         name);
    }
    return "it is being settled";
  }

  std::vector<std::string> names(const std::vector<MemberIndex>& members) const {
    std::vector<std::string> out;
    for (const MemberIndex member : members) out.push_back(view_.members[member].name);
    return out;
  }

  const cluster::ClusterView& view_;
  const MembersSeen& seen_;
  const cluster::MovingPartition& moving_;
  const std::set<Fact>& facts_;
  std::vector<MemberIndex> from_, to_;
};

}  // namespace

// A copy without keys has come once its owner says so.
uint32_t MovesStatus::Row::percent() const {
  if (!is_counted) return 0;
  if (of.keys == 0) return confirmed.size() == to.size() ? 100 : 0;
  return percent_of(copied.keys, of.keys);
}

uint32_t MovesStatus::Total::percent() const {
  const uint64_t keys = copied.keys + left.keys;
  if (keys != 0) return percent_of(copied.keys, keys);
  return partitions_left == 0 ? 100
                              : percent_of(partitions_moved, partitions_moved + partitions_left);
}

MovesStatus moves_of(const cluster::ClusterView& view, const cluster::History& history,
                     const MembersSeen& seen) {
  MovesStatus moves;
  moves.newest_set = set_text(view.newest_set);
  for (const cluster::MovingPartition& moving : view.moving) {
    moves.rows.push_back(MoveReader(view, history, seen, moving).row());
  }
  for (const auto& [partition, facts] : history.facts()) {
    const bool lost = std::any_of(facts->begin(), facts->end(),
                                  [](const Fact& fact) { return fact.kind == FactKind::kLost; });
    if (lost) moves.lost.push_back(partition);
  }
  return moves;
}

}  // namespace kvorum::server

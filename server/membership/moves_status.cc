// SPDX-License-Identifier: Apache-2.0
#include "server/membership/moves_status.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/contains.h"
#include "server/membership/change_plan.h"

namespace kvorum::server {
namespace {

using cluster::Fact;
using cluster::FactKind;
using cluster::MemberIndex;

// Of a partition that moves.
class MoveReader {
 public:
  MoveReader(const cluster::ClusterView& view, const cluster::History& history,
             const std::vector<bool>& reachable, const cluster::MovingPartition& moving)
      : view_(view),
        reachable_(reachable),
        moving_(moving),
        facts_(history.facts_of(moving.partition)) {
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

  std::string waits(const std::vector<MemberIndex>& confirmed,
                    const std::vector<MemberIndex>& voted) const {
    for (const MemberIndex member : to_) {
      if (contains(confirmed, member)) continue;
      const std::string& name = view_.members[member].name;
      return reachable_[member] ? fmt::format("{} copies it", name)
                                : fmt::format("{} cannot be reached", name);
    }
    for (const MemberIndex member : from_) {
      if (contains(voted, member)) continue;
      const std::string& name = view_.members[member].name;
      if (reachable_[member]) return fmt::format("the vote of {}", name);
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
  const std::vector<bool>& reachable_;
  const cluster::MovingPartition& moving_;
  const std::set<Fact>& facts_;
  std::vector<MemberIndex> from_, to_;
};

}  // namespace

MovesStatus moves_of(const cluster::ClusterView& view, const cluster::History& history,
                     const std::vector<bool>& reachable) {
  MovesStatus moves;
  moves.newest_set = set_text(view.newest_set);
  for (const cluster::MovingPartition& moving : view.moving) {
    moves.rows.push_back(MoveReader(view, history, reachable, moving).row());
  }
  for (const auto& [partition, facts] : history.facts()) {
    const bool lost = std::any_of(facts->begin(), facts->end(),
                                  [](const Fact& fact) { return fact.kind == FactKind::kLost; });
    if (lost) moves.lost.push_back(partition);
  }
  return moves;
}

}  // namespace kvorum::server

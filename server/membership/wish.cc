// SPDX-License-Identifier: Apache-2.0
#include "server/membership/wish.h"

#include <fmt/format.h>

#include "cluster/wire/frame.h"
#include "server/config/config_members.h"
#include "server/membership/cluster_file.h"

namespace kvorum::server {
namespace {

using cluster::Change;
using cluster::ChangeKind;
using cluster::MemberIndex;
using Kind = MembershipWish::Kind;

Status not_there(const cluster::ClusterView& view, std::string_view name) {
  std::string names;
  for (const cluster::Member& member : view.members) {
    if (member.has_departed()) continue;
    names.append(names.empty() ? "" : ", ").append(member.name);
  }
  return Status(Code::kNotFound,
                fmt::format("there is no member {}: the members are {}", name, names));
}

// Whom it is about; it has to have a place on the ring, or still hold something.
Result<MemberIndex> present(const MembershipWish& wish, const WishPlace& place) {
  const bool own = wish.name.empty() && wish.kind == Kind::kLeave;
  const MemberIndex member = own ? place.view.self : place.view.find_present(wish.name);
  if (member == cluster::kNoMember) return not_there(place.view, wish.name);
  return member;
}

bool is_last(const cluster::ClusterView& view, MemberIndex member) {
  return view.members[member].is_placed() && view.ring.placed_members() == 1;
}

Status refuse_living(const WishPlace& place, MemberIndex member, bool forced) {
  if (forced || !place.is_reachable(member)) return {};
  const std::string& name = place.view.members[member].name;
  return Status(Code::kInvalid,
                fmt::format("{} is alive: `leave {}` lets it hand over what it holds; to declare "
                            "it dead all the same, say force",
                            name, name));
}

Result<Change> come(const WishPlace& place, const std::string& name, Change change) {
  if (place.view.find_present(name) != cluster::kNoMember) {
    return Status(Code::kExists, fmt::format("{} is a member already", name));
  }
  const auto node = place.waiting(name);
  if (!node) {
    return Status(
        Code::kNotFound,
        fmt::format("no node {} waits to be admitted here: start it with this cluster's "
                    "file and --name {} --peer HOST:PORT; `kvorum members` shows who waits",
                    name, name));
  }
  if (place.view.find_id(node->id) != cluster::kNoMember) {
    return Status(Code::kExists, fmt::format("{} was admitted already", name));
  }
  change.described = *node;
  return change;
}

Result<Change> join(const MembershipWish& wish, const WishPlace& place) {
  Change change;
  change.kind = ChangeKind::kJoin;
  return come(place, wish.name, std::move(change));
}

Result<Change> leave(const MembershipWish& wish, const WishPlace& place) {
  const auto member = present(wish, place);
  if (!member.ok()) return member.status();
  const cluster::Member& leaving = place.view.members[member.value()];
  if (!leaving.is_placed()) {
    return Status(Code::kExists, fmt::format("{} is leaving already", leaving.name));
  }
  if (is_last(place.view, member.value())) {
    return Status(Code::kInvalid, fmt::format("{} is the last member: nobody could take over what "
                                              "it holds",
                                              leaving.name));
  }
  Change change;
  change.kind = ChangeKind::kLeave;
  change.member = leaving.id;
  return change;
}

Result<Change> remove(const MembershipWish& wish, const WishPlace& place) {
  const auto member = present(wish, place);
  if (!member.ok()) return member.status();
  if (is_last(place.view, member.value())) {
    return Status(Code::kInvalid,
                  fmt::format("{} is the last member: a cluster has one at least", wish.name));
  }
  if (Status status = refuse_living(place, member.value(), wish.force); !status.ok()) return status;
  Change change;
  change.kind = ChangeKind::kRemove;
  change.member = place.view.members[member.value()].id;
  return change;
}

Result<Change> replace(const MembershipWish& wish, const WishPlace& place) {
  const auto member = present(wish, place);
  if (!member.ok()) return member.status();
  if (Status status = refuse_living(place, member.value(), wish.force); !status.ok()) return status;
  Change change;
  change.kind = ChangeKind::kReplace;
  change.member = place.view.members[member.value()].id;
  return come(place, wish.by, std::move(change));
}

Result<Change> weigh(const MembershipWish& wish, const WishPlace& place) {
  const auto member = present(wish, place);
  if (!member.ok()) return member.status();
  if (wish.weight < 1 || wish.weight > kWeightMax) {
    return Status(Code::kInvalid,
                  fmt::format("the weight must be a number from 1 to {}", kWeightMax));
  }
  const cluster::Member& weighed = place.view.members[member.value()];
  if (weighed.weight == wish.weight) {
    return Status(Code::kExists, fmt::format("{} has weight {} already", wish.name, wish.weight));
  }
  Change change;
  change.kind = ChangeKind::kWeight;
  change.member = weighed.id;
  change.described.weight = wish.weight;
  return change;
}

// Who speaks an older protocol could neither read the change nor compute the ring that follows.
Status refuse_older(const WishPlace& place) {
  for (size_t at = 0; at < place.view.members.size(); ++at) {
    const auto member = static_cast<MemberIndex>(at);
    if (member == place.view.self || place.view.members[at].has_departed()) continue;
    const uint16_t spoken = place.spoken_version ? place.spoken_version(member) : uint16_t{0};
    if (spoken >= cluster::kPlacementVersion) continue;
    const std::string& name = place.view.members[at].name;
    const std::string why =
        spoken == 0 ? fmt::format("{} is not linked", name)
                    : fmt::format("{} speaks version {} of the peer protocol", name, spoken);
    return Status(Code::kInvalid,
                  fmt::format("{}: the placement can change once every member is there and speaks "
                              "version {}: upgrade it, bring it back, or remove it",
                              why, cluster::kPlacementVersion));
  }
  return {};
}

Result<Change> raise_placement(const MembershipWish& wish, const WishPlace& place) {
  const uint8_t is = place.view.ring.shape().placement;
  if (!cluster::is_raised_placement(wish.placement)) {
    return Status(Code::kInvalid,
                  fmt::format("the placement can be raised to {}, the newest that there is",
                              cluster::kPlacementNewest));
  }
  if (wish.placement == is) {
    return Status(Code::kExists, fmt::format("the cluster has placement {} already", is));
  }
  if (wish.placement < is) {
    return Status(Code::kInvalid,
                  fmt::format("the cluster has placement {}: it does not go back", is));
  }
  if (Status status = refuse_older(place); !status.ok()) return status;
  Change change;
  change.kind = ChangeKind::kPlacement;
  change.placement = wish.placement;
  return change;
}

Result<Change> make_one(const MembershipWish& wish, const WishPlace& place) {
  switch (wish.kind) {
    case Kind::kJoin:
      return join(wish, place);
    case Kind::kLeave:
      return leave(wish, place);
    case Kind::kRemove:
      return remove(wish, place);
    case Kind::kReplace:
      return replace(wish, place);
    case Kind::kPlacement:
      return raise_placement(wish, place);
    case Kind::kWeight:
    case Kind::kApply:
      break;
  }
  return weigh(wish, place);
}

// Nobody is declared dead by being left out of a file.
Status refuse_absent(const WishPlace& place, const std::string& name) {
  const MemberIndex member = place.view.find_present(name);
  if (member == place.view.self || place.is_reachable(member)) return {};
  return Status(Code::kInvalid,
                fmt::format("{} is not in the file, and cannot hand over what it holds, for it is "
                            "down: bring it back, or declare it dead: `kvorum remove {}`",
                            name, name));
}

Status refuse_conflicts(const FileDifferences& differences, const WishPlace& place) {
  if (!place.evicts) return {};
  for (const Change& change : differences.changes) {
    if (change.kind != ChangeKind::kPolicy) continue;
    const cluster::KeyspacePolicy& is = place.view.keyspaces[change.policy.db];
    if (is.conflicts == change.policy.conflicts) continue;
    return Status(Code::kInvalid,
                  fmt::format("conflicts of database {} cannot change while engine.eviction is on, "
                              "for what is evicted was fixed when the node started",
                              change.policy.db));
  }
  return {};
}

// Who comes, then what becomes of those who stay, then who goes: all of it is one plan.
Result<WishedChanges> apply(const MembershipWish& wish, const WishPlace& place) {
  const ConfigReport report = load_config(wish.file, "the file");
  if (!report.ok()) return Status(Code::kInvalid, report.to_text());
  if (!report.config.cluster.names_members) {
    return Status(Code::kInvalid, "the file has no cluster.members: it describes no cluster");
  }
  FileDifferences differences = compare_file(report.config, place.view);
  if (!differences.never.empty()) return Status(Code::kInvalid, differences.never);
  if (Status status = refuse_conflicts(differences, place); !status.ok()) return status;
  WishedChanges wished;
  const auto add = [&](Kind kind, const std::string& name) -> Status {
    const MemberIndex there = place.view.find_present(name);
    if (kind == Kind::kJoin && there != cluster::kNoMember) {
      return Status(Code::kUnavailable,
                    fmt::format("{} is leaving: it can join again once it is gone", name));
    }
    auto change = make_one({kind, name}, place);
    if (change.ok()) wished.changes.push_back(std::move(change).value());
    return change.status();
  };
  for (const std::string& name : differences.joins) {
    if (Status status = add(Kind::kJoin, name); !status.ok()) return status;
  }
  for (Change& change : differences.changes) wished.changes.push_back(std::move(change));
  for (const std::string& name : differences.leaves) {
    if (Status status = refuse_absent(place, name); !status.ok()) return status;
    if (Status status = add(Kind::kLeave, name); !status.ok()) return status;
  }
  wished.lines = std::move(differences.lines);
  return wished;
}

}  // namespace

Result<WishedChanges> make_changes(const MembershipWish& wish, const WishPlace& place) {
  if (!place.view.takes_part()) {
    return Status(Code::kUnavailable, "this node is no member of the cluster: ask one that is");
  }
  if (!place.blocked.empty()) return Status(Code::kUnavailable, place.blocked);
  if (wish.kind == Kind::kApply) return apply(wish, place);
  auto change = make_one(wish, place);
  if (!change.ok()) return change.status();
  WishedChanges wished;
  wished.changes.push_back(std::move(change).value());
  return wished;
}

std::string wish_text(const MembershipWish& wish) {
  const std::string force = wish.force ? " force" : "";
  switch (wish.kind) {
    case Kind::kJoin:
      return "join " + wish.name;
    case Kind::kLeave:
      return wish.name.empty() ? "leave" : "leave " + wish.name;
    case Kind::kRemove:
      return "remove " + wish.name + force;
    case Kind::kReplace:
      return "replace " + wish.name + " " + wish.by + force;
    case Kind::kApply:
      return "apply the file";
    case Kind::kPlacement:
      return fmt::format("placement {}", wish.placement);
    case Kind::kWeight:
      break;
  }
  return fmt::format("weight {} {}", wish.name, wish.weight);
}

}  // namespace kvorum::server

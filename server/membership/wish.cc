// SPDX-License-Identifier: Apache-2.0
#include "server/membership/wish.h"

#include <fmt/format.h>

#include "server/config/config_members.h"

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

}  // namespace

Result<Change> make_change(const MembershipWish& wish, const WishPlace& place) {
  if (!place.view.takes_part()) {
    return Status(Code::kUnavailable, "this node is no member of the cluster: ask one that is");
  }
  if (!place.blocked.empty()) return Status(Code::kUnavailable, place.blocked);
  switch (wish.kind) {
    case Kind::kJoin:
      return join(wish, place);
    case Kind::kLeave:
      return leave(wish, place);
    case Kind::kRemove:
      return remove(wish, place);
    case Kind::kReplace:
      return replace(wish, place);
    case Kind::kWeight:
      break;
  }
  return weigh(wish, place);
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
    case Kind::kWeight:
      break;
  }
  return fmt::format("weight {} {}", wish.name, wish.weight);
}

}  // namespace kvorum::server

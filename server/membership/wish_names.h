// SPDX-License-Identifier: Apache-2.0
// What each kind of wish is called, wherever a person names one: the command line, the admin API,
// KV.CLUSTER.
#pragma once

#include <string_view>

#include "server/membership/wish.h"

namespace kvorum::server {

struct WishName {
  std::string_view name;
  MembershipWish::Kind kind;
};

inline constexpr WishName kWishNames[] = {
    {"join", MembershipWish::Kind::kJoin},          {"leave", MembershipWish::Kind::kLeave},
    {"remove", MembershipWish::Kind::kRemove},      {"replace", MembershipWish::Kind::kReplace},
    {"weight", MembershipWish::Kind::kWeight},      {"apply", MembershipWish::Kind::kApply},
    {"placement", MembershipWish::Kind::kPlacement}};

constexpr std::string_view name_of(MembershipWish::Kind kind) {
  for (const WishName& known : kWishNames) {
    if (known.kind == kind) return known.name;
  }
  return {};
}

}  // namespace kvorum::server

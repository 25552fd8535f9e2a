// SPDX-License-Identifier: Apache-2.0
// What one connection is subscribed to (server/pubsub). Owned by its ClientState, from the first
// SUBSCRIBE on; the reactor's thread only.
#pragma once

#include <array>
#include <cstdint>
#include <set>
#include <string>

#include "server/commands/pub_sub_desk.h"

namespace kvorum::server {

struct Subscriptions {
  std::array<std::set<std::string, std::less<>>, kSubscriptionKinds> names;  // by SubscriptionKind
  // Messages that it published itself: they follow the reply of the command that did so.
  std::string deferred;

  std::set<std::string, std::less<>>& of(SubscriptionKind kind) {
    return names[static_cast<size_t>(kind)];
  }
};

}  // namespace kvorum::server

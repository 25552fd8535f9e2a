// SPDX-License-Identifier: Apache-2.0
// With which version of placement (cluster/ring/placement.h) a cluster was founded, as a node knows
// it. The file does not say: a new cluster takes the newest one, and one of before keeps its own. A
// node without a data directory cannot tell which of both it belongs to, so it begins with the
// newest and asks. What it has is firm once every founder was met and had the same, or a firm one
// said so, or the history has a change, which carries the founding. Until then it gives way:
// to a firm one, and to a lower one; who speaks no placement has the first. Pure; the greeting of
// links asks (server/peers/greeting.h), NodeMembership keeps it.
#pragma once

#include <cstdint>

namespace kvorum::server {

struct FoundedPlacement {
  uint8_t version = 0;  // 0: nothing is said of it, as by a node that waits to be admitted
  bool is_firm = false;

  bool operator==(const FoundedPlacement&) const = default;
};

enum class FoundingMatch : uint8_t {
  kSame,
  kYields,   // this node is to begin anew with the other one's
  kInsists,  // the other node is to
  kApart,    // both are firm: two clusters
};

constexpr FoundingMatch match_foundings(const FoundedPlacement& own,
                                        const FoundedPlacement& other) {
  const bool is_told = own.version != 0 && other.version != 0;
  if (!is_told || own.version == other.version) return FoundingMatch::kSame;
  if (own.is_firm && other.is_firm) return FoundingMatch::kApart;
  if (own.is_firm != other.is_firm) {
    return own.is_firm ? FoundingMatch::kInsists : FoundingMatch::kYields;
  }
  return own.version < other.version ? FoundingMatch::kInsists : FoundingMatch::kYields;
}

}  // namespace kvorum::server

// SPDX-License-Identifier: Apache-2.0
// What a keyspace (a Redis database number) promises: how many copies, how many of them a read and
// a write wait for, and what becomes of concurrent versions. One per database in every ClusterView,
// the ones without an entry of their own being copies of `default`.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/position.h"

namespace kvorum::cluster {

enum class ConflictPolicy : uint8_t { kSiblings, kLww };
enum class WritesWhenShort : uint8_t { kHint, kReject };
enum class ReadsWhenShort : uint8_t { kFail, kServe };

struct KeyspacePolicy {
  std::string name;
  uint8_t db = 0;
  uint8_t n = 3, r = 2, w = 2;
  ConflictPolicy conflicts = ConflictPolicy::kSiblings;
  bool sloppy = true;  // false: only primaries count toward a quorum
  WritesWhenShort writes_when_short = WritesWhenShort::kHint;
  ReadsWhenShort reads_when_short = ReadsWhenShort::kFail;

  bool operator==(const KeyspacePolicy&) const = default;
};

// The numbers in force where fewer members exist than the policy asks for: a lone node with 3/2/2
// works as 1/1/1. Members that are down still count.
struct EffectiveQuorum {
  uint8_t n = 1, r = 1, w = 1;

  bool operator==(const EffectiveQuorum&) const = default;
};

inline EffectiveQuorum effective_quorum(const KeyspacePolicy& policy, size_t members) {
  const size_t copies = std::max<size_t>(1, std::min<size_t>(policy.n, members));
  const auto n = static_cast<uint8_t>(copies);
  return EffectiveQuorum{n, std::min(policy.r, n), std::min(policy.w, n)};
}

}  // namespace kvorum::cluster

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

// The choices of a policy as one byte, as it is kept on disk and sent: its bits never change their
// meaning.
inline constexpr uint8_t kLwwFlag = 1, kStrictFlag = 2, kRejectFlag = 4, kServeFlag = 8;
inline constexpr uint8_t kPolicyFlags = kLwwFlag | kStrictFlag | kRejectFlag | kServeFlag;  // all

inline uint8_t policy_flags(const KeyspacePolicy& policy) {
  uint8_t flags = 0;
  if (policy.conflicts == ConflictPolicy::kLww) flags |= kLwwFlag;
  if (!policy.sloppy) flags |= kStrictFlag;
  if (policy.writes_when_short == WritesWhenShort::kReject) flags |= kRejectFlag;
  if (policy.reads_when_short == ReadsWhenShort::kServe) flags |= kServeFlag;
  return flags;
}

// Others than kPolicyFlags are ignored.
inline void set_policy_flags(uint8_t flags, KeyspacePolicy& policy) {
  policy.conflicts = flags & kLwwFlag ? ConflictPolicy::kLww : ConflictPolicy::kSiblings;
  policy.sloppy = !(flags & kStrictFlag);
  policy.writes_when_short =
      flags & kRejectFlag ? WritesWhenShort::kReject : WritesWhenShort::kHint;
  policy.reads_when_short = flags & kServeFlag ? ReadsWhenShort::kServe : ReadsWhenShort::kFail;
}

}  // namespace kvorum::cluster

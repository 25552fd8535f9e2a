// SPDX-License-Identifier: Apache-2.0
// What a person wishes of the membership, and the changes of the history that it means: checked
// against what is known here, refused in words where it means nothing or would cost data that
// another wish keeps (docs/OPERATING.md, "Members"). Pure.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "cluster/history/change.h"
#include "cluster/ring/cluster_view.h"

namespace kvorum::server {

struct MembershipWish {
  enum class Kind : uint8_t { kJoin, kLeave, kRemove, kReplace, kWeight, kApply, kPlacement };

  Kind kind = Kind::kJoin;
  std::string name{};     // whom it is about; empty with kLeave: the node that is asked
  std::string by{};       // kReplace: who takes its place
  uint32_t weight = 1;    // kWeight
  bool force = false;     // kRemove and kReplace: also one that lives
  std::string file{};     // kApply: the text of a cluster's file
  uint8_t placement = 0;  // kPlacement: its version (cluster/ring/placement.h)
};

// Where it is wished.
struct WishPlace {
  const cluster::ClusterView& view;
  std::function<std::optional<cluster::Member>(std::string_view name)> waiting;
  std::function<bool(cluster::MemberIndex member)> is_reachable;
  std::string blocked;  // why nothing may change now; empty: it may
  bool evicts =
      false;  // what the last write wins is evicted here, so no database may come to be it
  // Of the peer protocol, with the member; 0: it is not linked.
  std::function<uint16_t(cluster::MemberIndex member)> spoken_version{};
};

// What it means.
struct WishedChanges {
  std::vector<cluster::Change> changes;  // without ids; none: the cluster is as the file says
  std::vector<std::string> lines;        // kApply: what is different
};

// Codes: kNotFound, kExists, kInvalid; kUnavailable: not now.
Result<WishedChanges> make_changes(const MembershipWish& wish, const WishPlace& place);

// `join f`, as a person would type it.
std::string wish_text(const MembershipWish& wish);

}  // namespace kvorum::server

// SPDX-License-Identifier: Apache-2.0
// Where an administrator's wishes are taken, whichever way they come (KV.CLUSTER, the admin API).
// Implemented by the node; any thread, and no call waits for a disk.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "cluster/history/change.h"
#include "server/membership/change_plan.h"
#include "server/membership/wish.h"

namespace kvorum::server {

// One that was taken: it is acknowledged once MembershipDesk::has_effect() says so.
struct TakenWish {
  cluster::ChangeId change;  // the last of it; zero: nothing had to change
  ChangePlan plan;
};

class MembershipDesk {
 public:
  virtual ~MembershipDesk() = default;

  // What it would move; changes nothing. Codes: make_changes()'.
  virtual Result<ChangePlan> plan(const MembershipWish& wish) = 0;
  // `based_on`: the set that its plan was made for, or empty. kOutOfRange: the plan is stale, for
  // the membership has changed since.
  virtual Result<TakenWish> take(const MembershipWish& wish, const std::string& based_on) = 0;
  // It is on this node's disk, and told to the others.
  virtual bool has_effect(const cluster::ChangeId& change) = 0;
  // Nodes that asked this one to be let in.
  virtual std::vector<cluster::Member> waiting_nodes() = 0;
};

}  // namespace kvorum::server

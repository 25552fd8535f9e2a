// SPDX-License-Identifier: Apache-2.0
// Edits claim their keys (claims.h), so that two coordinators do not edit one at the same time. The
// first primary writes blindly without one: whoever edits meanwhile has claims at replicas that
// tell it, and then it writes once more, with a claim. The state of an edit's claim stands in
// Operation::claim. Private to cluster/.
#pragma once

#include "cluster/machine/core.h"

namespace kvorum::cluster {

class EditClaims {
 public:
  explicit EditClaims(Core& core) : core_(core) {}

  // Primaries that have to grant a claim before the edit; 0: none is wanted.
  size_t wanted(const Operation& operation, Now now) const;
  // This node's own grant, where it is a primary. False where another node has the claim.
  bool take_own(Operation& operation, Now now);
  // Those that no write ended.
  void release(SlotId id, Operation& operation);
  // The node that has the claim can run this edit too, after its own.
  bool passes_on(const Operation& operation, Now now) const;
  bool waited_for_half(const Operation& operation, Now now) const;
  bool comes_too_early(const Operation& operation, Now now) const;

 private:
  Core& core_;
};

}  // namespace kvorum::cluster
